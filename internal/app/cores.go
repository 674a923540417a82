package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/panes"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// cores opens the partition cores on their state, and closes them when the
// group gives a partition away. What is on disk then is that of the records
// below its offsets, and as good later as it was, whoever has read the
// partition in between.
type cores struct {
	o           *Options
	merged      *aggregator.Merged
	topic       *panes.Topic
	pipeline    *pipeline
	checkpoints *checkpoint.Store // nil: none are made
	durable     durable.Options
	disk        *disk

	mu   sync.Mutex
	open map[int32]*opened
	seen map[int32]uint64 // newest epoch of a partition that the panes topic has shown
}

// opened is what is known of a partition that is open here.
type opened struct {
	ends     [event.NumStreams]int64 // of the topics when first known; -1: not known yet
	caughtUp bool                    // all that was there at the start is counted
	// Of the ownership, for the experiments that are at home here.
	generation int32
	current    func(ctx context.Context, next [event.NumStreams]int64) error
}

func newCores(o *Options, merged *aggregator.Merged, topic *panes.Topic, p *pipeline, s *checkpoint.Store) *cores {
	c := &cores{o: o, merged: merged, topic: topic, pipeline: p, checkpoints: s, open: map[int32]*opened{}, seen: map[int32]uint64{}}
	if o.InMemory {
		c.durable = durable.InMemory()
	}
	c.durable.Logger = o.Logger
	c.disk = newDisk(int64(o.Config.State.MaxDisk), o.Logger)
	p.disk = c.disk.bytes
	p.memory = memoryBudget{limit: int64(o.Config.Join.Memory), log: o.Logger}
	return c
}

// lock keeps other processes from state.dir. They would come upon each other
// only when a partition moves between them, and one of them would end then.
func (c *cores) lock() (io.Closer, error) {
	if c.o.InMemory {
		return io.NopCloser(nil), nil
	}
	return durable.Lock(c.o.Config.State.Dir, c.durable)
}

// seekEvery is how long records that come too late for memory are gathered
// before the topic is read again for them.
const seekEvery = 5 * time.Second

// What the databases of all partitions may take besides join.memory, each for
// the tables that it writes and the blocks that it reads.
const (
	maxWriteBytes = 128 << 20
	maxCacheBytes = 256 << 20
)

// partitionDir begins the name of a partition's directory, which its number ends.
const partitionDir = "partition-"

func (c *cores) dir(number int32) string {
	return filepath.Join(c.o.Config.State.Dir, fmt.Sprintf("%s%05d", partitionDir, number))
}

// handler opens the state of a partition and its core.
func (c *cores) handler(ctx context.Context, a consumer.Assignment) (consumer.Handler, error) {
	began := time.Now()
	db, err := c.openState(a.Partition)
	if err != nil {
		return nil, err
	}
	read := time.Now()
	if db, err = c.moveHere(ctx, &a, db); err != nil {
		return nil, err
	}
	h, err := c.openOn(ctx, &a, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c.pipeline.begin(a.Partition, h.Report())
	c.mu.Lock()
	c.open[a.Partition] = &opened{ends: [event.NumStreams]int64{-1, -1, -1}, generation: a.Generation, current: a.Current}
	c.mu.Unlock()
	from := h.Offsets()
	c.o.Logger.Info("partition opened", "partition", a.Partition, "predictions_from", from[event.Predictions],
		"predictions_counted", h.Counted()[event.Predictions], "impressions_from", from[event.Impressions], "conversions_from", from[event.Conversions],
		"state_took", read.Sub(began).Round(time.Millisecond), "rest_took", time.Since(read).Round(time.Millisecond))
	return h, nil
}

func (c *cores) openState(number int32) (*durable.DB, error) {
	o := c.durable
	o.MemoryBytes = c.memory() / 2
	// One instance may have all partitions: what they take together is bounded.
	n := int64(max(1, c.pipeline.partitions()))
	o.WriteBytes = min(max(maxWriteBytes/n, 1<<20), 16<<20)
	o.CacheBytes = min(max(maxCacheBytes/n, 8<<20), 32<<20)
	return durable.Open(c.dir(number), o)
}

// openOn opens the core on its state, under an epoch that is newer than all
// that are known of the partition.
func (c *cores) openOn(ctx context.Context, a *consumer.Assignment, db *durable.DB) (*handler, error) {
	place := c.dir(a.Partition)
	stored, err := partition.ReadStored(db.Meta())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	epoch, err := c.claim(ctx, a, stored)
	if err != nil {
		return nil, err
	}
	h := &handler{partition: a.Partition, source: c.topic.Open(a.Partition, epoch, a.Wake), disk: c.disk}
	h.closed = func() { c.closed(a.Partition, h.source.Newer()) }
	if c.checkpoints != nil {
		h.checkpoints = &checkpointer{
			db: db, owner: c.checkpoints.Owner(a.Partition, epoch), log: c.o.Logger, counters: c.pipeline.counters, partition: a.Partition,
			dir: place + ".checkpoint", every: c.o.Config.State.Checkpoint.Interval, now: c.o.Now,
		}
	}
	po := c.options(a)
	po.Epoch = epoch
	po.Prepare = h.source.Prepare
	po.News = h.source.News
	po.Publish = func(_ int32, newestMs int64, upserts []aggregator.Upsert) { h.source.Publish(newestMs, upserts) }
	if h.Core, err = partition.Open(po, db); err != nil {
		h.source.Close()
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	if !c.o.InMemory {
		c.disk.open(a.Partition, db.DiskBytes)
	}
	return h, nil
}

func (c *cores) claim(ctx context.Context, a *consumer.Assignment, stored partition.Stored) (uint64, error) {
	c.mu.Lock()
	seen := max(stored.Epoch, c.seen[a.Partition])
	c.mu.Unlock()
	epoch, err := claim(seen, a.Generation, func() error { return a.Current(ctx, stored.Applied) })
	if err != nil {
		return 0, fmt.Errorf("partition %d: %w", a.Partition, err)
	}
	return epoch, nil
}

// memory is what one partition's join may take.
func (c *cores) memory() int64 {
	return int64(c.o.Config.Join.Memory) / int64(max(1, c.pipeline.partitions()))
}

func (c *cores) options(a *consumer.Assignment) partition.Options {
	cfg := &c.o.Config
	po := partition.Options{
		Partition: a.Partition,
		Join: join.Options{
			Window:            cfg.Join.Window,
			AttributionWindow: cfg.Join.AttributionWindow,
			ConversionTypes:   cfg.Join.ConversionTypes,
			Retention:         cfg.Aggregation.Retention,
			MemoryBytes:       c.memory(),
		},
		Aggregator: aggregatorOptions(cfg, c.o.EachDimension),
		NowMs:      func() int64 { return c.o.Now().UnixMilli() },
		NewestMs:   c.merged.NewestMs,
		Letters:    a.Letters,
		Report:     c.pipeline.report,
		Reread: func(ctx context.Context, first, last int64, f func([]consumer.Record) error) error {
			return a.Reread(ctx, event.Predictions, first, last, f)
		},
		SeekEveryMs: seekEvery.Milliseconds(),
	}
	for s := range event.NumStreams {
		in := cfg.Topics.Input(s)
		po.Formats[s], po.Topics[s] = in.Format, in.Name
	}
	return po
}

// caughtUp reports whether a partition has counted what was on its topics when
// it was opened.
func (c *cores) caughtUp(number int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.open[number]
	if o == nil {
		return false
	}
	if o.caughtUp {
		return true
	}
	known := 0
	for _, l := range c.pipeline.consumer.Lag() {
		if l.Partition != number || l.End < 0 {
			continue
		}
		if o.ends[l.Stream] < 0 {
			o.ends[l.Stream] = l.End
		}
		if max(l.Position, 0) >= o.ends[l.Stream] {
			known++
		}
	}
	o.caughtUp = known == int(event.NumStreams)
	return o.caughtUp
}

// held lists the partitions whose state lies here.
func (c *cores) held() []int32 {
	held := c.onDisk()
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := range c.open {
		if !slices.Contains(held, number) {
			held = append(held, number)
		}
	}
	slices.Sort(held)
	return held
}

// onDisk lists the partitions that have a directory. What cannot be read counts
// as none: it is a matter of cost alone.
func (c *cores) onDisk() []int32 {
	var out []int32
	entries, err := os.ReadDir(c.o.Config.State.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.o.Logger.Warn("state.dir cannot be read", "error", err)
	}
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), partitionDir)
		if number, err := strconv.ParseInt(text, 10, 32); ok && err == nil && e.IsDir() {
			out = append(out, int32(number))
		}
	}
	return out
}

func (c *cores) closed(number int32, newer uint64) {
	c.mu.Lock()
	delete(c.open, number)
	c.seen[number] = max(c.seen[number], newer)
	c.mu.Unlock()
	c.disk.close(number)
	c.pipeline.forget(number)
}
