// sleepers.go: very many goroutines that sleep, for 1,000 different times.
//
// Usage: sleepers [COUNT]
package main

import (
	"fmt"
	"sync"
	"time"
)

func main() {
	count := argument(1, 100000)

	var all sync.WaitGroup
	all.Add(count)
	start := cpu()
	for i := 1; i <= count; i++ {
		duration := time.Duration(500+i*379%1000) * time.Millisecond
		go func() {
			time.Sleep(duration)
			all.Done()
		}()
	}
	all.Wait()
	used := cpu() - start
	fmt.Printf("sleeper %.2f us\n", used.Seconds()*1e6/float64(count))
}
