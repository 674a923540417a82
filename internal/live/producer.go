// Package live runs rampgauge processes on a real broker and puts loads on its
// topics, for the tools that disturb the service or measure it.
//
// What is done to the processes, what a load consists of and what is expected
// of either is the tools' own. No package of the product imports it.
package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// Producer puts records on the input topics of the default configuration. It is
// not safe for concurrent use.
type Producer struct {
	client *kgo.Client
	topics config.Topics

	// Records and Bytes count what was sent, by stream, each sending of a record.
	Records [event.NumStreams]int64
	Bytes   int64

	mu     sync.Mutex
	failed error
}

// NewProducer makes the topics that are missing, with as many partitions and
// without a retention, and returns a Producer for them.
func NewProducer(ctx context.Context, brokers []string, partitions int, more ...kgo.Opt) (*Producer, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.ProducerLinger(20 * time.Millisecond), kgo.MaxBufferedRecords(1 << 20),
	}, more...)...)
	if err != nil {
		return nil, err
	}
	p := &Producer{client: client, topics: config.Default().Topics}
	admin := kadm.NewClient(client)
	forever := "-1"
	for s := range event.NumStreams {
		name := p.topics.Input(s).Name
		_, err := admin.CreateTopic(ctx, int32(partitions), 1, map[string]*string{"retention.ms": &forever}, name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			client.Close()
			return nil, fmt.Errorf("topic %s: %w", name, err)
		}
	}
	return p, nil
}

// Topic is the topic of a stream.
func (p *Producer) Topic(s event.Stream) string { return p.topics.Input(s).Name }

// Record is what e is on its topic. It does not change with e.
func (p *Producer) Record(e simulate.Encoded) *kgo.Record {
	value := append(append(make([]byte, 0, len(e.Key)+len(e.Value)), e.Key...), e.Value...)
	return &kgo.Record{
		Topic: p.topics.Input(e.Stream).Name, Key: value[:len(e.Key)], Value: value[len(e.Key):], Timestamp: time.UnixMilli(e.EventTimeMs),
	}
}

// Send hands a record over, which then arrives, and waits while too many are on
// their way. Each sending takes a Record of its own.
func (p *Producer) Send(r *kgo.Record) {
	p.client.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
		if err != nil {
			p.mu.Lock()
			p.failed = err
			p.mu.Unlock()
		}
	})
}

// Put sends a record of a load, and counts it.
func (p *Producer) Put(e simulate.Encoded) {
	p.Records[e.Stream]++
	p.Bytes += int64(len(e.Value))
	p.Send(p.Record(e))
}

// Flush waits until all that was sent is acknowledged. The error is that of any
// record so far.
func (p *Producer) Flush(ctx context.Context) error {
	err := p.client.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.failed, err)
}

// Close gives up what was sent and is not acknowledged.
func (p *Producer) Close() { p.client.Close() }
