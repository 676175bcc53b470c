// spawn_join.go: a goroutine with an empty new closure, and the channel that tells of its end.
//
// Usage: spawn_join [COUNT]
package main

func main() {
	count := argument(1, 2000000)

	start := cpu()
	for i := 0; i < count; i++ {
		done := make(chan struct{})
		go func() { close(done) }()
		<-done
	}
	printEach("spawn", cpu()-start, count)
}
