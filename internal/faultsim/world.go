package faultsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// Result is what became of a world.
type Result struct {
	Seed   uint64
	Faults Faults
	// Repeats says that the seed leads to the same world again, write by write.
	Repeats bool
	// Difference is the first one, empty when there is none; History what
	// happened before it, in short.
	Difference string
	History    []string
}

// world is everything that there is under one seed.
type world struct {
	seed    uint64
	rng     *rand.Rand
	load    *worlds.World
	faults  Faults
	history []string

	nowMs      int64
	coming     []arrival
	logs       [][event.NumStreams]log // by partition
	gaps       float64
	join       join.Options
	aggregator aggregator.Options
	seekEvery  int64
	inOrder    bool // streams are taken in event-time order
	checkpoint bool // there is a blob store
	// background says that Pebble writes when it likes, so that a crash at the
	// n-th write is not always the same one.
	background bool
	writeBytes int64
	// countable says that no record is older than the retention at any time.
	// Others are counted as late or as unmatched, as it happens, and only the
	// numbers do not depend on when they come.
	countable bool
	lag       time.Duration

	group     group
	topic     topic
	bucket    *checkpointtest.Bucket
	instances []*instance
	stores    int
	calm      bool         // nothing fails any more
	afloat    []*[]message // of partitions that are closed
	nested    bool         // inside another process's call
}

// failure ends a world.
type failure struct{ text string }

func (w *world) failf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) note(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf(format, args...))
}

// Run runs the world of a seed.
func Run(seed uint64) (r Result) {
	w := &world{seed: seed, rng: rand.New(rand.NewPCG(seed, 0xfa017))}
	defer func() {
		w.closeAll()
		r.Seed, r.Faults, r.Repeats, r.History = seed, w.faults, !w.background, w.history
		if e := recover(); e != nil {
			if f, ok := e.(failure); ok {
				r.Difference = f.text
			} else {
				r.Difference = fmt.Sprintf("panic: %v\n%s", e, debug.Stack())
			}
		}
	}()
	w.make()
	w.disturb()
	w.settle()
	w.compare()
	return r
}

// make draws the world, before anything happens in it.
func (w *world) make() {
	w.load = worlds.New(w.seed)
	if w.rng.IntN(3) == 0 {
		// Short enough that much is beyond it, and its edges are met.
		l := &w.load.Aggregator.Levels
		l.FineFor, l.MinuteFor, l.Retention = 10*time.Minute, time.Hour, pick(w.rng, 2*time.Hour, 4*time.Hour, 30*time.Hour)
	}
	w.nowMs = w.load.StartMs
	w.join, w.aggregator = w.load.Join, w.load.Aggregator
	w.join.Retention = w.aggregator.Levels.Retention
	w.join.MemoryBytes = pick[int64](w.rng, 1<<30, 1<<30, 1, 60_000)
	w.seekEvery = pick(w.rng, int64(0), 0, 5_000)
	w.gaps = pick(w.rng, 0, 0.1, 0.4)
	w.inOrder = w.rng.IntN(2) == 0
	w.checkpoint = w.rng.IntN(3) > 0
	w.background = w.rng.IntN(4) == 0
	w.writeBytes = 1 << 20
	if w.background {
		w.writeBytes = 64 << 10
	}
	w.lag = pick(w.rng, 0, 0, time.Minute, time.Hour)
	partitions := 1 + w.rng.IntN(3)
	w.logs = make([][event.NumStreams]log, partitions)
	w.group = newGroup(partitions)
	latest := min(2*w.aggregator.Levels.Retention, pick(w.rng, time.Minute, 3*time.Hour, 3*24*time.Hour, 25*24*time.Hour))
	var err error
	if w.coming, err = arrivals(w.rng, w.load.Messages, partitions, latest, &w.faults); err != nil {
		w.failf("%v", err)
	}
	oldest, newest := int64(math.MaxInt64), int64(0)
	for i := range w.coming {
		oldest, newest = min(oldest, w.coming[i].timeMs), max(newest, w.coming[i].timeMs)
	}
	w.countable = newest-oldest <= w.join.Retention.Milliseconds()
	w.makeBucket()
	for id := range 1 + w.rng.IntN(3) {
		w.instances = append(w.instances, &instance{id: id, mem: vfs.NewCrashableMem(), committed: map[int32][event.NumStreams]int64{}})
	}
	names := []string{
		fmt.Sprintf("%d partitions, %d instances, %d records", partitions, len(w.instances), len(w.coming)),
		fmt.Sprintf("join window %v, attribution %v, retention %v, memory %d", w.join.Window, w.join.AttributionWindow, w.join.Retention, w.join.MemoryBytes),
		fmt.Sprintf("span %v, latest %v, checkpoints %v", time.Duration(w.load.SpanMs)*time.Millisecond, latest, w.checkpoint),
	}
	w.note("%s", strings.Join(names, "; "))
}
