// channel.go: a value handed over from one goroutine to another by a channel without a buffer.
//
// Usage: channel [COUNT]
package main

func main() {
	count := argument(1, 3000000)

	channel := make(chan int)
	go func() {
		for i := 0; i < count; i++ {
			channel <- i
		}
		close(channel)
	}()
	start := cpu()
	next := 0
	for i := range channel {
		if i != next {
			panic("out of order")
		}
		next++
	}
	printEach("channel", cpu()-start, count)
}
