// Command loadbench measures the whole service against a real broker: it loads
// the topics, runs the binary over them to the end, and prints candidates and
// records per CPU-second beside a floor that only fetches and decodes, measured
// in the same run. `make bench` starts it.
//
// It is a tool of the repository and no part of the product.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rampgauge/rampgauge/internal/simulate"
)

// options are the command line.
type options struct {
	binary     string // the rampgauge to measure
	against    string // another one, measured beside it
	floor      bool   // be the floor's process instead
	brokers    string // of a floor's process
	end        string // of a floor's process: records to read of each stream
	profile    string // of a floor's process: where a CPU profile goes
	candidates int    // of the first load
	singles    int    // of the second
	partitions int
	rounds     int
	longer     int // parts of the memory run; 0: none

	mode            string
	delayCandidates int           // of an auction
	delayFor        time.Duration // a round
	winners         int
	perSecond       float64 // auctions of event time
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "", "the rampgauge binary to measure")
	flag.StringVar(&o.against, "against", "", "another rampgauge binary, measured in turns with the first: how much a change costs")
	flag.BoolVar(&o.floor, "floor", false, "fetch and decode only, and print nothing (started by loadbench itself)")
	flag.StringVar(&o.brokers, "brokers", "", "with -floor: where to read")
	flag.StringVar(&o.end, "end", "", "with -floor: records to read of each stream")
	flag.StringVar(&o.profile, "profile", "", "with -floor: write a CPU profile here")
	flag.IntVar(&o.candidates, "candidates", 120_000_000, "candidates of the load with 100 candidates a record")
	flag.IntVar(&o.singles, "singles", 4_000_000, "predictions of the load with 1 candidate a record")
	flag.IntVar(&o.partitions, "partitions", 2, "partitions of each topic")
	flag.IntVar(&o.rounds, "rounds", 3, "runs of each process; the median counts")
	flag.IntVar(&o.longer, "longer", 0, "also show the memory of a run this many times as long as filling it up takes, part by part")
	flag.StringVar(&o.mode, "mode", "speed", "what to measure: speed, delay (of an event until it is in the numbers), restart (after kill -9), disk (lost, with checkpoints) or checkpoints (bytes that they send)")
	flag.IntVar(&o.delayCandidates, "delay-candidates", 100, "with -mode delay: candidates of an auction")
	flag.DurationVar(&o.delayFor, "delay-for", time.Minute, "with -mode delay: how long a round is")
	flag.IntVar(&o.winners, "winners", 1_000_000, "with -mode restart: winners that wait for conversions")
	flag.Float64Var(&o.perSecond, "per-second", 200, "with -mode restart: of these, in a second of event time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	modes := map[string]func(context.Context, *options) error{"speed": bench, "delay": benchDelay, "restart": benchRestart, "disk": benchDisk, "checkpoints": benchCheckpoints}
	run, known := modes[o.mode]
	switch {
	case o.floor:
		run = runFloor
	case !known:
		run = func(context.Context, *options) error {
			return fmt.Errorf("-mode %q: want speed, delay, restart, disk or checkpoints", o.mode)
		}
	}
	err := run(ctx, &o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadbench:", err)
		os.Exit(1)
	}
}

// workload is one load and how its figures are read.
type workload struct {
	name  string
	bench simulate.BenchOptions
	// retention is that of the measured service.
	retention time.Duration
}

// expires says whether the load covers more event time than the service keeps.
func (w *workload) expires() bool {
	return float64(w.bench.Auctions)/w.bench.AuctionsPerSecond > w.retention.Seconds()
}

// retention is longer than any load whose speed is measured.
const retention = 720 * time.Hour

func (o *options) workloads() []workload {
	hundred := simulate.DefaultBenchOptions()
	hundred.Candidates = 100
	hundred.Auctions = o.candidates / 100
	hundred.AuctionsPerSecond = hundredPerSecond
	single := simulate.DefaultBenchOptions()
	single.Candidates = 1
	single.Auctions = o.singles
	single.AuctionsPerSecond = singlesPerSecond
	// A record of one candidate is mostly one of a loser.
	single.ImpressionRate = 0.1
	var ws []workload
	if o.candidates > 0 {
		ws = append(ws, workload{"100 candidates a record", hundred, retention})
	}
	if o.singles > 0 {
		ws = append(ws, workload{"1 candidate a record", single, retention})
	}
	return ws
}

// Auctions a second of event time. With the sizes below, a load covers event
// time enough for the join's windows to pass many times, and a longer load is
// more of the same and not a denser one: what is measured is the steady state.
const (
	hundredPerSecond = 1000
	singlesPerSecond = 3000
)

func bench(ctx context.Context, o *options) error {
	if o.binary == "" {
		return errors.New("-binary: name the rampgauge to measure")
	}
	for _, w := range o.workloads() {
		if err := benchOne(ctx, o, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	if o.longer > 0 {
		return benchMemory(ctx, o)
	}
	return nil
}

// parseEnd reads "predictions,impressions,conversions".
func parseEnd(s string) (n [3]int64, err error) {
	parts := strings.Split(s, ",")
	if len(parts) != len(n) {
		return n, fmt.Errorf("-end %q: want three numbers", s)
	}
	for i, p := range parts {
		if n[i], err = strconv.ParseInt(p, 10, 64); err != nil {
			return n, fmt.Errorf("-end %q: %w", s, err)
		}
	}
	return n, nil
}
