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
}

func main() {
	var o options
	flag.Uint64Var(&o.seeds, "seeds", 20_000, "how many worlds to run")
	flag.Uint64Var(&o.start, "start", 0, "the first seed")
	flag.BoolVar(&o.history, "history", false, "print what happened in every world")
	flag.BoolVar(&o.keep, "keep-going", false, "go on after a difference, and list the seeds of all")
	flag.BoolVar(&o.quiet, "quiet", false, "print nothing but a difference")
	flag.BoolVar(&o.mutations, "mutations", false, "build the simulator with one planted bug after another, and find each; run it at the root of the module")
	flag.Parse()
	debug.SetGCPercent(400)
	var ok bool
	var err error
	if o.mutations {
		ok, err = findAll(&o)
	} else {
		ok = run(&o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faultsim:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run reports whether there was no difference.
func run(o *options) bool {
	var (
		mu     sync.Mutex
		faults faultsim.Faults
		next   atomic.Uint64
		failed atomic.Int64
		done   atomic.Int64
		wg     sync.WaitGroup
	)
	begin := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for o.keep || failed.Load() == 0 {
				n := next.Add(1) - 1
				if n >= o.seeds {
					return
				}
				r := runOne(o.start + n)
				mu.Lock()
				faults.Add(&r.Faults)
				if r.Difference != "" {
					failed.Add(1)
					report(&r, o)
				} else if o.history {
					print(&r)
				}
				if d := done.Add(1); !o.quiet && d%1000 == 0 {
					fmt.Printf("%d seeds, %.0f a second\n", d, float64(d)/time.Since(begin).Seconds())
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if !o.quiet {
		fmt.Printf("%s%d seeds from %d on: %d differences, %.1f seeds a second on %d processors\n",
			faults.Table(), done.Load(), o.start, failed.Load(), float64(done.Load())/time.Since(begin).Seconds(), runtime.GOMAXPROCS(0))
	}
	return failed.Load() == 0
}

// worldTime is how long a world may take, which takes a fraction of a second.
const worldTime = 2 * time.Minute

// runOne runs a world, and counts it as a difference when it does not end.
func runOne(seed uint64) faultsim.Result {
	done := make(chan faultsim.Result, 1)
	go func() { done <- faultsim.Run(seed) }()
	select {
	case r := <-done:
		return r
	case <-time.After(worldTime):
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return faultsim.Result{Seed: seed, Difference: fmt.Sprintf("hangs\n%s", stacks)}
	}
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
