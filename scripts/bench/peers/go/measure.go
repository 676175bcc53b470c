// measure.go: what the benchmark programs written in Go share. They run on one processor (as
// GOMAXPROCS=1), since every other system here does: what is compared is the work, not locks.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func init() { runtime.GOMAXPROCS(1) }

// argument is the program's argument number i; fallback when it is not given.
func argument(i, fallback int) int {
	if len(os.Args) <= i {
		return fallback
	}
	number, err := strconv.Atoi(os.Args[i])
	if err != nil {
		panic(err)
	}
	return number
}

// cpu is the time that the process has used, user and system.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// residentBytes is the resident memory of the process (VmRSS).
func residentBytes() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		panic(err)
	}
	return kilobytes * 1024
}

// printEach prints a time each, in nanoseconds.
func printEach(name string, used time.Duration, count int) {
	fmt.Printf("%s %.1f ns\n", name, float64(used)/float64(count))
}
