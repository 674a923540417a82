package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
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

func fill(ctx context.Context, brokers []string, partitions int, w workload) (totals, error) {
	var t totals
	topics := config.Default().Topics
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(20*time.Millisecond), kgo.ProducerBatchMaxBytes(256<<10),
		kgo.MaxBufferedBytes(64<<20), kgo.MaxBufferedRecords(1<<20),
	)
	if err != nil {
		return t, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	forever := "-1"
	for s := range event.NumStreams {
		name := topics.Input(s).Name
		if _, err := admin.CreateTopic(ctx, int32(partitions), 1, map[string]*string{"retention.ms": &forever}, name); err != nil {
			return t, fmt.Errorf("topic %s: %w", name, err)
		}
	}
	var mu sync.Mutex
	var failed error
	simulate.NewBench(w.bench).Run(func(e simulate.Encoded) bool {
		t.records[e.Stream]++
		t.bytes += int64(len(e.Value))
		value := append(append(make([]byte, 0, len(e.Key)+len(e.Value)), e.Key...), e.Value...)
		client.Produce(ctx, &kgo.Record{
			Topic: topics.Input(e.Stream).Name, Key: value[:len(e.Key)], Value: value[len(e.Key):],
			Timestamp: time.UnixMilli(e.EventTimeMs),
		}, func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
		return ctx.Err() == nil
	})
	err = client.Flush(ctx)
	t.candidates = t.records[event.Predictions] * int64(w.bench.Candidates)
	return t, errors.Join(failed, err)
}
