// parked.go: very many goroutines that wait for a channel, which is then closed.
//
// Usage: parked [COUNT]
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

var count = argument(1, 1000000)

func spawn(gate chan struct{}, all *sync.WaitGroup) time.Duration {
	start := cpu()
	all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			<-gate
			all.Done()
		}()
	}
	runtime.Gosched() // the others run until they wait
	return cpu() - start
}

func wake(gate chan struct{}, all *sync.WaitGroup) time.Duration {
	start := cpu()
	close(gate)
	all.Wait()
	return cpu() - start
}

func main() {
	var all sync.WaitGroup
	runtime.GC()
	before := residentBytes()
	gate := make(chan struct{})
	spawned := spawn(gate, &all)
	runtime.GC()
	bytes := (residentBytes() - before) / count
	wake(gate, &all)

	fmt.Printf("tasks %d n\n", count)
	fmt.Printf("bytes %d B\n", bytes)
	printEach("spawn", spawned, count)
	gate = make(chan struct{})
	printEach("respawn", spawn(gate, &all), count)
	printEach("wake", wake(gate, &all), count)
}
