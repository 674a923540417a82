package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// parkFor is how long the state of a partition that was given away is kept: a
// rebalance mostly gives it back at once, and reading its topics again would
// take longer.
const parkFor = 30 * time.Second

// cores makes the partition cores, and keeps those that a rebalance takes away
// for a while. A core's state is that of the records below its offsets, so it
// is as good later as it was, whoever has read the partition in between.
type cores struct {
	o        *Options
	merged   *aggregator.Merged
	pipeline *pipeline

	mu   sync.Mutex
	all  map[int32]*heldCore
	done bool
}

type heldCore struct {
	core    *partition.Core
	letters *letters
	expiry  *time.Timer // runs while parked
}

// letters hands dead letters to whichever consumer generation has the core now.
type letters struct{ to consumer.DeadLetters }

func (l *letters) Send(d consumer.DeadLetter) { l.to.Send(d) }

func newCores(o *Options, merged *aggregator.Merged, p *pipeline) *cores {
	return &cores{o: o, merged: merged, pipeline: p, all: map[int32]*heldCore{}}
}

// open returns the handler of a partition: the parked one, or a new one.
func (c *cores) open(_ context.Context, a consumer.Assignment) (consumer.Handler, error) {
	number := a.Partition
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.all[number]
	if h == nil {
		h = &heldCore{letters: &letters{}}
		var err error
		if h.core, err = c.make(number, h.letters); err != nil {
			return nil, err
		}
		c.all[number] = h
	}
	if h.expiry != nil {
		h.expiry.Stop()
		h.expiry = nil
	}
	h.letters.to = a.Letters
	return &parking{Core: h.core, park: func() { c.park(number) }}, nil
}

func (c *cores) make(number int32, dead consumer.DeadLetters) (*partition.Core, error) {
	cfg := &c.o.Config
	po := partition.Options{
		Partition: number,
		Join: join.Options{
			Window:            cfg.Join.Window,
			AttributionWindow: cfg.Join.AttributionWindow,
			ConversionTypes:   cfg.Join.ConversionTypes,
			MemoryBytes:       int64(cfg.Join.Memory) / int64(max(1, c.pipeline.partitions())),
		},
		Aggregator: aggregatorOptions(cfg, c.o.EachDimension),
		NowMs:      func() int64 { return c.o.Now().UnixMilli() },
		NewestMs:   c.merged.NewestMs,
		Letters:    dead,
		Publish:    c.merged.Publish,
		Report:     c.pipeline.report,
	}
	for s := range event.NumStreams {
		po.Formats[s] = cfg.Topics.Input(s).Format
	}
	return partition.Open(po, partition.NewMemory())
}

// held lists the partitions whose state is here.
func (c *cores) held() []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []int32
	for number := range c.all {
		out = append(out, number)
	}
	slices.Sort(out)
	return out
}

func (c *cores) park(number int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.all[number]
	if h == nil || c.done {
		return
	}
	h.expiry = time.AfterFunc(parkFor, func() { c.forget(number, h) })
}

func (c *cores) forget(number int32, h *heldCore) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[number] != h || h.expiry == nil {
		return
	}
	delete(c.all, number)
	c.merged.Remove(number)
	c.pipeline.forget(number)
}

func (c *cores) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	for _, h := range c.all {
		if h.expiry != nil {
			h.expiry.Stop()
		}
	}
}

// parking is a core that goes back to its place when the consumer closes it.
type parking struct {
	*partition.Core
	park func()
}

// Close implements consumer.Handler.
func (p *parking) Close() error {
	p.park()
	return nil
}
