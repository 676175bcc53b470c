// event.go: goroutines that wait for a channel to be closed, until all have ended.
//
// Usage: event [ROUNDS [WAITERS]]     (ROUNDS: as greenlua's, and not used)
package main

import (
	"runtime"
	"sync"
	"time"
)

func wakeMany(count int) time.Duration {
	event := make(chan struct{})
	var ended sync.WaitGroup
	ended.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			<-event
			ended.Done()
		}()
	}
	start := cpu()
	runtime.Gosched() // they wait
	close(event)
	ended.Wait()
	return cpu() - start
}

func main() {
	count := argument(2, 10000)
	best := wakeMany(count)
	for i := 0; i < 4; i++ {
		if used := wakeMany(count); used < best {
			best = used
		}
	}
	printEach("wake", best, count)
}
