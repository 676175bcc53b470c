// queue.go: an item sent into a channel with a buffer and received from it by the same goroutine.
//
// Usage: queue [COUNT]
package main

func main() {
	count := argument(1, 20000000)

	queue := make(chan int, 16)
	start := cpu()
	for i := 0; i < count; i++ {
		queue <- i
		if <-queue != i {
			panic("out of order")
		}
	}
	printEach("queue", cpu()-start, count)
}
