package consumer

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// ErrStarted means that Run was called twice.
var ErrStarted = errors.New("consumer: started already")

// Consumer reads the three topics as a member of a group.
type Consumer struct {
	options  Options
	log      *slog.Logger
	client   *client
	codecs   *codecs
	problems *problems
	stats    Stats
	fetcher  *fetcher
	letters  *letterWriter
	pacer    *pacer // of what handlers read again

	started atomic.Bool
	failed  chan struct{} // a worker has ended by itself
	recount chan struct{} // the number of partitions has changed

	// Owned by the goroutine of Run.
	seat    seat              // of the last generation that the workers were fit for
	leaving map[int32]*worker // given up, and their handlers have not returned yet

	mu       sync.Mutex
	assigned bool
	workers  map[int32]*worker
	counts   [event.NumStreams]int
}

// New checks the options and returns a Consumer that does nothing until Run.
func New(o Options) (*Consumer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c := &Consumer{
		options: o, log: o.Logger, client: newClient(&o), codecs: newCodecs(o.MaxBatchBytes), problems: newProblems(o.Logger),
		failed: make(chan struct{}, 1), recount: make(chan struct{}, 1),
		workers: make(map[int32]*worker), leaving: make(map[int32]*worker),
	}
	c.pacer = &pacer{perSecond: o.RereadBytesPerSecond}
	c.fetcher = newFetcher(c)
	c.letters = newLetterWriter(c)
	return c, nil
}

// Run reads until ctx is done; it then commits, leaves the group and returns
// nil, or the error of a last commit that did not succeed. Before that it
// returns only what time does not heal: refused credentials or TLS, missing
// rights, the errors of NewHandler and of a Handler's methods but ErrFenced,
// ErrStuck and ErrOffsetBeyondEnd.
func (c *Consumer) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return ErrStarted
	}
	defer c.client.close()
	if err := c.awaitTopics(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	// What the workers stand on outlives ctx: they commit after it is done.
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { c.fetcher.run(base) })
	wg.Go(func() { c.letters.run(base) })
	err := c.member(ctx, base)
	stop()
	wg.Wait()
	return err
}

// Stats returns the counters, which go on counting.
func (c *Consumer) Stats() *Stats { return &c.stats }

// setCounts takes in how many partitions the topics have now.
func (c *Consumer) setCounts(counts [event.NumStreams]int) {
	c.mu.Lock()
	before := c.counts
	equal := counts[0] > 0 && checkCounts(&c.options, counts) == nil
	if equal {
		c.counts = counts
	}
	c.mu.Unlock()
	if equal && before[0] > 0 && before != counts {
		signal(c.recount)
	}
}

// live returns the workers that there are, by partition number.
func (c *Consumer) live() []*worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.workers), func(x, y *worker) int { return int(x.partition - y.partition) })
}

// claims are the partition numbers whose state lies with this process.
func (c *Consumer) claims() claims {
	var own claims
	if c.options.Held != nil {
		own.held = c.options.Held()
	}
	for _, w := range c.live() {
		own.working = append(own.working, w.partition)
	}
	return own
}
