package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/live"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// eventSpeed is how much faster event time goes by than the clock, so that the
// join's windows pass many times in a few minutes.
const eventSpeed = 5

// load produces records until it is stopped: some twice, some late, by up to
// far more than the join remembers.
type load struct {
	producer *live.Producer
	cancel   context.CancelFunc
	done     chan error

	records          [event.NumStreams]int
	duplicates, late int
}

type heldRecord struct {
	at     time.Time
	record *kgo.Record
}

func newLoad(ctx context.Context, o *options, brokers []string) (*load, error) {
	producer, err := live.NewProducer(ctx, brokers, o.partitions)
	if err != nil {
		return nil, err
	}
	l := &load{producer: producer, done: make(chan error, 1)}
	ctx, l.cancel = context.WithCancel(ctx)
	go func() { l.done <- l.run(ctx, o) }()
	return l, nil
}

func (l *load) run(ctx context.Context, o *options) error {
	defer l.producer.Close()
	rng := rand.New(rand.NewPCG(o.seed, 1))
	bench := simulate.DefaultBenchOptions()
	bench.Seed, bench.Candidates, bench.ConversionRate = o.seed, 20, 0.3
	bench.Auctions = 1 << 30
	bench.AuctionsPerSecond = o.rate / eventSpeed
	// All of it lies in the past: an event may not run ahead of the clock.
	bench.Start = time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	pace := live.NewPace(bench.Start, eventSpeed)
	send := l.producer.Send
	var held []heldRecord
	simulate.NewBench(bench).Run(func(e simulate.Encoded) bool {
		pace.Wait(e.EventTimeMs)
		for len(held) > 0 && held[0].at.Before(time.Now()) {
			send(held[0].record)
			held = held[1:]
		}
		first := l.producer.Record(e)
		again := func() *kgo.Record {
			r := *first
			return &r
		}
		l.records[e.Stream]++
		switch rng.IntN(100) {
		case 0: // much later than memory holds; in the order of the clock, so that held is one queue
			l.late++
			held = append(held, heldRecord{time.Now().Add(30 * time.Second), first})
		case 1:
			l.duplicates++
			held = append(held, heldRecord{time.Now().Add(30 * time.Second), again()})
			send(first)
		case 2:
			l.duplicates++
			second := again()
			send(first)
			send(second)
		default:
			send(first)
		}
		return ctx.Err() == nil
	})
	for _, h := range held {
		send(h.record)
	}
	// Not cancelled with ctx: what was handed over is to arrive.
	return l.producer.Flush(context.WithoutCancel(ctx))
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
