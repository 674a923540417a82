package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/live"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// totals is what a load holds.
type totals struct {
	records    [event.NumStreams]int64
	candidates int64
	bytes      int64
}

func (t *totals) all() int64 {
	var n int64
	for _, r := range t.records {
		n += r
	}
	return n
}

// withLoad starts a broker of its own for a load, so that one load's files are
// not in another's page cache, and calls fn once all of it is acknowledged.
func withLoad(ctx context.Context, o *options, w workload, fn func(brokers []string, t totals) error) error {
	broker, err := kafkatest.StartReal(ctx, kafkatest.RealOptions{})
	if err != nil {
		return err
	}
	t, err := fill(ctx, broker.Brokers(), o.partitions, w)
	if err == nil {
		err = fn(broker.Brokers(), t)
	}
	return errors.Join(err, broker.Stop())
}

func fill(ctx context.Context, brokers []string, partitions int, w workload) (t totals, err error) {
	p, err := newProducer(ctx, brokers, partitions)
	if err != nil {
		return t, err
	}
	defer p.Close()
	simulate.NewBench(w.bench).Run(func(e simulate.Encoded) bool {
		p.Put(e)
		return ctx.Err() == nil
	})
	err = p.Flush(ctx)
	t.records, t.bytes = p.Records, p.Bytes
	t.candidates = t.records[event.Predictions] * int64(w.bench.Candidates)
	return t, err
}

// newProducer keeps the broker's part small: nothing is compressed.
func newProducer(ctx context.Context, brokers []string, partitions int) (*live.Producer, error) {
	return live.NewProducer(ctx, brokers, partitions,
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(256<<10), kgo.MaxBufferedBytes(64<<20))
}
