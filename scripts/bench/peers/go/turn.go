// turn.go: goroutines that take turns by runtime.Gosched.
//
// Usage: turn [GOROUTINES [ROUNDS]]
package main

import (
	"runtime"
	"sync"
)

func main() {
	count := argument(1, 2)
	rounds := argument(2, 5000000/count+1)

	var all sync.WaitGroup
	all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			defer all.Done()
			for round := 0; round <= rounds; round++ {
				runtime.Gosched()
			}
		}()
	}
	runtime.Gosched()

	start := cpu()
	all.Wait()
	printEach("turn", cpu()-start, count*rounds)
}
