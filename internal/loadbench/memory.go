package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// memory reads one of the memory figures of a running process, bytes. What wait
// reports begins with the memory of whoever started the process.
func memory(pid int, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, field+": %d kB", &kb); n == 1 {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("process %d: no %s in its status", pid, field)
}

// sampleMemory notes the resident set of a process ten times a second until the
// function returned is called, which gives the samples.
func sampleMemory(pid int) (stop func() []int64) {
	var samples []int64
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			if n, err := memory(pid, "VmRSS"); err == nil {
				samples = append(samples, n)
			}
		}
	}()
	return sync.OnceValue(func() []int64 {
		close(end)
		<-done
		return samples
	})
}

// The memory run is as many times as long as one that covers memorySpan of event
// time, beyond what the measured service retains: after that, all is full that
// ever fills up.
const (
	memorySpan      = 8 * time.Hour
	memoryRetention = 6 * time.Hour
	memoryAuctions  = 200_000
)

// benchMemory shows how the memory of a long run develops: the median of the
// resident set over each of its parts, of which the first fills everything up.
func benchMemory(ctx context.Context, o *options) error {
	hundred := *o
	hundred.candidates = 100 * memoryAuctions * o.longer
	w := hundred.workloads()[0]
	w.retention = memoryRetention
	w.bench.AuctionsPerSecond = memoryAuctions / memorySpan.Seconds()
	return withLoad(ctx, o, w, func(brokers []string, t totals) error {
		u, err := measureService(ctx, o.binary, &w, brokers, t)
		if err != nil {
			return err
		}
		fmt.Printf("memory: %d candidates in %d parts, cpu %.2f s, peak %d MB; median resident set by part, MB:", t.candidates, o.longer, u.cpu.Seconds(), u.peak>>20)
		for _, p := range medians(u.resident, o.longer) {
			fmt.Printf(" %d", p>>20)
		}
		fmt.Println()
		return nil
	})
}

// medians cuts samples into n parts of the same length.
func medians(samples []int64, n int) []int64 {
	parts := make([]int64, n)
	for i := range parts {
		part := slices.Sorted(slices.Values(samples[i*len(samples)/n : (i+1)*len(samples)/n]))
		if len(part) > 0 {
			parts[i] = part[len(part)/2]
		}
	}
	return parts
}
