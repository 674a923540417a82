package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// openCheckpoints returns where checkpoints go, nil when none are made, and
// what ends its use.
func openCheckpoints(ctx context.Context, c *config.Config) (*checkpoint.Store, func() error, error) {
	nothing := func() error { return nil }
	if c.State.Checkpoint.URL == "" {
		return nil, nothing, nil
	}
	b, err := checkpoint.OpenBucket(ctx, c.State.Checkpoint.URL)
	if err != nil {
		return nil, nothing, fmt.Errorf("state.checkpoint.url: %w", err)
	}
	s, err := checkpoint.NewStore(b, checkpoint.DefaultOptions(c.Kafka.Group))
	if err != nil {
		return nil, nothing, errors.Join(fmt.Errorf("state.checkpoint: %w", err), b.Close())
	}
	return s, b.Close, nil
}

// moveHere replaces a state that another owner has continued elsewhere, or that
// was never here, by its newest checkpoint. It closes db where it returns
// another one, or an error.
func (c *cores) moveHere(ctx context.Context, a *consumer.Assignment, db *durable.DB) (*durable.DB, error) {
	if c.checkpoints == nil {
		return db, nil
	}
	stored, err := partition.ReadStored(db.Meta())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.dir(a.Partition), err), db.Close())
	}
	newest, err := c.checkpoints.Owner(a.Partition, stored.Epoch).Newest(ctx)
	switch {
	case errors.Is(err, checkpoint.ErrNone) || err == nil && newest.Epoch <= stored.Epoch:
		return db, nil
	case err != nil && stored.Epoch > 0:
		c.o.Logger.Warn("checkpoints cannot be asked for a newer state; going on with the one that is here", "partition", a.Partition, "error", err)
		return db, nil
	case err != nil:
		return nil, errors.Join(err, db.Close())
	}
	epoch, err := c.claim(ctx, a, partition.Stored{Epoch: newest.Epoch, Applied: stored.Applied})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	if err := c.restore(ctx, a.Partition, epoch); err != nil {
		return nil, err
	}
	return c.openState(a.Partition)
}

// restore puts the newest checkpoint in the place of a partition's directory.
func (c *cores) restore(ctx context.Context, number int32, epoch uint64) error {
	start := time.Now()
	dir := c.dir(number)
	aside := dir + ".restored"
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	r, err := c.checkpoints.Owner(number, epoch).Restore(ctx, aside)
	if err != nil {
		return err
	}
	if err := replaceDir(dir, aside); err != nil {
		return fmt.Errorf("partition %d: put the checkpoint in its place: %w", number, err)
	}
	c.o.Logger.Info("state restored from a checkpoint", "partition", number, "checkpoint", r.Version.String(),
		"files", r.Files, "bytes", r.Bytes, "took", time.Since(start).Round(time.Millisecond), "passed_over", r.Skipped)
	return nil
}

// checkpointer makes checkpoints of one partition: a snapshot between two
// commits, which travels beside what follows.
type checkpointer struct {
	db        *durable.DB
	owner     *checkpoint.Owner
	log       *slog.Logger
	counters  *telemetry.Counters
	partition int32
	dir       string // of the snapshot
	every     time.Duration
	now       func() time.Time

	last   time.Time // of the last snapshot
	cancel context.CancelFunc
	done   chan struct{} // closed when the upload under way is over; nil: none
	fenced atomic.Bool
}

// committed is called after each commit. The error is that of the state, or
// that the partition has a newer owner.
func (c *checkpointer) committed(ctx context.Context, v aggregator.Version) error {
	if c.fenced.Load() {
		return fmt.Errorf("partition %d: its checkpoints have a newer owner: %w", c.partition, consumer.ErrFenced)
	}
	if c.done != nil {
		select {
		case <-c.done:
			c.done = nil
		default:
			return nil
		}
	}
	if now := c.now(); now.Sub(c.last) >= c.every {
		c.last = now
		return c.snapshot(ctx, v)
	}
	return nil
}

func (c *checkpointer) snapshot(ctx context.Context, v aggregator.Version) error {
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("partition %d: checkpoint: %w", c.partition, err)
	}
	if err := c.db.Checkpoint(c.dir); err != nil {
		return err
	}
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	c.done = done
	go func() {
		defer close(done)
		c.upload(ctx, v)
	}()
	return nil
}

func (c *checkpointer) upload(ctx context.Context, v aggregator.Version) {
	u, err := c.owner.Upload(ctx, c.dir, v.Sequence)
	switch {
	case errors.Is(err, checkpoint.ErrFenced):
		c.fenced.Store(true)
	case err != nil && ctx.Err() == nil && !errors.Is(err, checkpoint.ErrStale):
		c.counters.AddCheckpoint(false, 0)
		c.log.Warn("checkpoint failed; the next one is tried at the interval", "partition", c.partition, "error", err)
	case err == nil:
		c.counters.AddCheckpoint(true, u.Sent)
		c.log.Debug("checkpoint made", "partition", c.partition, "version", v.String(), "sent_bytes", u.Sent, "objects", u.Objects)
		if u.Swept.Err != nil {
			c.log.Warn("old checkpoints cannot be deleted", "partition", c.partition, "error", u.Swept.Err)
		}
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.log.Warn("snapshot cannot be deleted", "partition", c.partition, "error", err)
	}
}

// stop ends the upload under way.
func (c *checkpointer) stop() {
	if c.done != nil {
		c.cancel()
		<-c.done
	}
}
