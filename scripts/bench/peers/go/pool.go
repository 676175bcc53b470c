// pool.go: calls of an empty function, each in a goroutine of its own, and one wait for all.
//
// Usage: pool [COUNT]
package main

import "sync"

func main() {
	count := argument(1, 100000)
	slice := count / 10
	results := make([]int, slice)

	start := cpu()
	for i := 0; i < 10; i++ {
		var ended sync.WaitGroup
		ended.Add(slice)
		for j := range results {
			go func(j int) {
				results[j] = j
				ended.Done()
			}(j)
		}
		ended.Wait()
	}
	printEach("map_unlimited", cpu()-start, slice*10)
}
