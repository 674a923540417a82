// Command run runs worlds of faultsim, in parallel on all processors, and ends
// with status 1 at the first difference. `make simulate-faults` starts it.
//
// It is a tool of the repository and no part of the product.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/internal/faultsim"
)

// options are the command line.
type options struct {
	seeds, start uint64
	history      bool // print the history of every world
	keep         bool // go on after a difference
	quiet        bool
	mutations    bool // find planted bugs instead
	block        bool // started by runBlocks: run all in this process, and tell it the counts
}

func main() {
	var o options
	flag.Uint64Var(&o.seeds, "seeds", 20_000, "how many worlds to run")
	flag.Uint64Var(&o.start, "start", 0, "the first seed")
	flag.BoolVar(&o.history, "history", false, "print what happened in every world")
	flag.BoolVar(&o.keep, "keep-going", false, "go on after a difference, and list the seeds of all")
	flag.BoolVar(&o.quiet, "quiet", false, "print nothing but a difference")
	flag.BoolVar(&o.block, "block", false, "run all worlds in this process (started by this command itself)")
	flag.BoolVar(&o.mutations, "mutations", false, "build the simulator with one planted bug after another, and find each; run it at the root of the module")
	flag.Parse()
	debug.SetGCPercent(400)
	ok, err := true, error(nil)
	switch {
	case o.mutations:
		ok, err = findAll(&o)
	case o.block:
		c := run(&o)
		err = c.tell()
	default:
		ok, err = runBlocks(&o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faultsim:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run runs worlds in this process, in parallel.
func run(o *options) counts {
	var (
		mu   sync.Mutex
		c    counts
		next atomic.Uint64
		stop atomic.Bool
		wg   sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !stop.Load() {
				n := next.Add(1) - 1
				if n >= o.seeds {
					return
				}
				r := runOne(o.start + n)
				mu.Lock()
				c.Seeds++
				c.Faults.Add(&r.Faults)
				if r.Difference != "" {
					c.Failed++
					stop.Store(!o.keep)
					report(&r, o)
				} else if o.history {
					printHistory(&r)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return c
}

// worldSeconds is how long a world may take, which takes a fraction of a second.
const worldSeconds = 120

// runOne runs a world, and counts it as a difference when it does not end.
func runOne(seed uint64) faultsim.Result {
	done := make(chan faultsim.Result, 1)
	go func() { done <- faultsim.Run(seed) }()
	// Ticks are counted, not time: a machine that slept did not let the world run.
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for range worldSeconds {
		select {
		case r := <-done:
			return r
		case <-second.C:
		}
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return faultsim.Result{Seed: seed, Difference: fmt.Sprintf("hangs\n%s", stacks)}
}

// historyLines is how much is printed of what happened before a difference.
const historyLines = 60

func report(r *faultsim.Result, o *options) {
	if !o.keep {
		if len(r.History) > historyLines && !o.history {
			r.History = append(r.History[:1], r.History[len(r.History)-historyLines+1:]...)
		}
		printHistory(r)
	}
	d := r.Difference
	if o.keep && len(d) > 400 {
		d = d[:400]
	}
	fmt.Printf("seed %d: %s\n", r.Seed, d)
}

func printHistory(r *faultsim.Result) {
	for _, line := range r.History {
		fmt.Println("  ", line)
	}
}
