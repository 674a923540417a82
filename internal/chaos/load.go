package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// eventSpeed is how much faster event time goes by than the clock, so that the
// join's windows pass many times in a few minutes.
const eventSpeed = 5

// load produces records until it is stopped: some twice, some late, by up to
// far more than the join remembers.
type load struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan error

	records          [event.NumStreams]int
	duplicates, late int
}

type heldRecord struct {
	at     time.Time
	record *kgo.Record
}

func newLoad(ctx context.Context, o *options, brokers []string) (*load, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.ProducerLinger(20*time.Millisecond),
		kgo.MaxBufferedRecords(1<<20),
	)
	if err != nil {
		return nil, err
	}
	topics := config.Default().Topics
	admin := kadm.NewClient(client)
	forever := "-1"
	for s := range event.NumStreams {
		name := topics.Input(s).Name
		if _, err := admin.CreateTopic(ctx, int32(o.partitions), 1, map[string]*string{"retention.ms": &forever}, name); err != nil {
			return nil, fmt.Errorf("topic %s: %w", name, err)
		}
	}
	l := &load{client: client, done: make(chan error, 1)}
	ctx, l.cancel = context.WithCancel(ctx)
	go func() { l.done <- l.run(ctx, o) }()
	return l, nil
}

func (l *load) run(ctx context.Context, o *options) error {
	rng := rand.New(rand.NewPCG(o.seed, 1))
	topics := config.Default().Topics
	bench := simulate.DefaultBenchOptions()
	bench.Seed, bench.Candidates, bench.ConversionRate = o.seed, 20, 0.3
	bench.Auctions = 1 << 30
	bench.AuctionsPerSecond = o.rate / eventSpeed
	// All of it lies in the past: an event may not run ahead of the clock.
	bench.Start = time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	start := time.Now()
	var mu sync.Mutex
	var failed error
	send := func(r *kgo.Record) {
		// Not cancelled with ctx: what was handed over is to arrive.
		l.client.Produce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	var held []heldRecord
	simulate.NewBench(bench).Run(func(e simulate.Encoded) bool {
		due := start.Add(time.UnixMilli(e.EventTimeMs).Sub(bench.Start) / eventSpeed)
		if wait := time.Until(due); wait > 5*time.Millisecond {
			time.Sleep(wait)
		}
		for len(held) > 0 && held[0].at.Before(time.Now()) {
			send(held[0].record)
			held = held[1:]
		}
		value := append(append(make([]byte, 0, len(e.Key)+len(e.Value)), e.Key...), e.Value...)
		record := func() *kgo.Record {
			return &kgo.Record{
				Topic: topics.Input(e.Stream).Name, Key: value[:len(e.Key)], Value: value[len(e.Key):], Timestamp: time.UnixMilli(e.EventTimeMs),
			}
		}
		l.records[e.Stream]++
		switch rng.IntN(100) {
		case 0: // much later than memory holds; in the order of the clock, so that held is one queue
			l.late++
			held = append(held, heldRecord{time.Now().Add(30 * time.Second), record()})
		case 1:
			l.duplicates++
			send(record())
			held = append(held, heldRecord{time.Now().Add(30 * time.Second), record()})
		case 2:
			l.duplicates++
			send(record())
			send(record())
		default:
			send(record())
		}
		return ctx.Err() == nil
	})
	for _, h := range held {
		send(h.record)
	}
	flushed := l.client.Flush(context.WithoutCancel(ctx))
	l.client.Close()
	return errors.Join(failed, flushed)
}

// stop ends the load, and waits until all of it is acknowledged.
func (l *load) stop() error {
	l.cancel()
	return <-l.done
}

// String says what was produced, once the load has been stopped.
func (l *load) String() string {
	return fmt.Sprintf("%d predictions, %d impressions, %d conversions; of these %d late and %d twice",
		l.records[event.Predictions], l.records[event.Impressions], l.records[event.Conversions], l.late, l.duplicates)
}
