package eventfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
)

// progressEvery is how often, at most, Progress is called.
const progressEvery = 100 * time.Millisecond

// maxBufferedBytes bounds the records that wait for the brokers.
const maxBufferedBytes = 64 << 20

// ProduceOptions says what Produce puts where.
type ProduceOptions struct {
	// Dir holds the event files.
	Dir string
	// Kafka says how to reach the brokers; its group is not used.
	Kafka config.Kafka
	// Topics names the inputs and their formats. Missing ones are created.
	Topics config.Topics
	// Partitions is the number of partitions of topics that are created while
	// none of the three exists; 0 means 8. Others get as many as those there are.
	Partitions int
	// Speed paces records by event time: 1 as fast as they happened, 2 twice as
	// fast; 0 means without pause.
	Speed float64
	// KeptForever says that the brokers drop nothing by age, whatever they answer.
	KeptForever bool
	// Connect is how long to wait for a broker; 0 means 30 seconds.
	Connect time.Duration
	// Logger receives what the operator should know; required.
	Logger *slog.Logger
	// Progress, if any, is called now and then, from one goroutine.
	Progress func(Progress)
}

// Progress is how far Produce has come.
type Progress struct {
	Read, Size int64 // bytes of the files, as stored
	Counts     Counts
}

// Counts is what Produce has put on the topics.
type Counts struct {
	// Records of each stream, with those that do not decode.
	Records [event.NumStreams]int64
	// Undecodable records of each stream, which were passed on as they stand.
	Undecodable [event.NumStreams]int64
	// Bytes of all keys and values.
	Bytes int64
}

// Total is the number of records of all streams.
func (c Counts) Total() int64 {
	var n int64
	for _, r := range c.Records {
		n += r
	}
	return n
}

// Produce puts the records of the files on the topics, in event-time order,
// each with its event time as timestamp and its auction_id as key, and returns
// once the brokers have acknowledged all of them. On an error the counts say
// how many records had been handed to the client.
func Produce(ctx context.Context, o ProduceOptions) (Counts, error) {
	r, err := Open(Options{Dir: o.Dir, Formats: [event.NumStreams]event.Format{
		event.Predictions: o.Topics.Predictions.Format,
		event.Impressions: o.Topics.Impressions.Format,
		event.Conversions: o.Topics.Conversions.Format,
	}})
	if err != nil {
		return Counts{}, err
	}
	defer r.Close()
	security, err := security(o.Kafka)
	if err != nil {
		return Counts{}, err
	}
	client, err := kgo.NewClient(append(security,
		kgo.SeedBrokers(o.Kafka.Brokers...),
		kgo.ClientID("rampgauge-produce"),
		// Keys of all three topics go to the same partition number.
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(50*time.Millisecond),
		kgo.MaxBufferedRecords(100_000),
		kgo.UnknownTopicRetries(20), // a topic just created is not known everywhere at once
		kgo.MaxBufferedBytes(maxBufferedBytes),
	)...)
	if err != nil {
		return Counts{}, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	if err := connect(ctx, client, o); err != nil {
		return Counts{}, err
	}
	admin := kadm.NewClient(client)
	if err := ensureTopics(ctx, admin, o); err != nil {
		return Counts{}, err
	}
	oldest, err := r.firstTimeMs()
	if err != nil {
		return Counts{}, err
	}
	if !o.KeptForever {
		warnRetention(ctx, admin, o, oldest)
	}
	return send(ctx, client, r, o)
}

// send reads to the end and waits for the acknowledgements.
func send(ctx context.Context, client *kgo.Client, r *Reader, o ProduceOptions) (counts Counts, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var topics [event.NumStreams]string
	for s := range event.NumStreams {
		topics[s] = o.Topics.Input(s).Name
	}
	pace := pacer{speed: o.Speed}
	var reported time.Time
	report := func() {
		if o.Progress != nil {
			read, size := r.Progress()
			o.Progress(Progress{Read: read, Size: size, Counts: counts})
			reported = time.Now()
		}
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return counts, err
		}
		if err := pace.wait(ctx, rec.EventTimeMs); err != nil {
			return counts, fmt.Errorf("produce: %w", err)
		}
		client.Produce(ctx, &kgo.Record{
			Topic: topics[rec.Stream], Key: rec.Key, Value: rec.Value,
			Timestamp: timestamp(rec.EventTimeMs, time.Now()),
		}, func(sent *kgo.Record, err error) {
			if err != nil {
				cancel(fmt.Errorf("topic %s: record with key %q of %d bytes: %w", sent.Topic, sent.Key, len(sent.Value), err))
			}
		})
		if ctx.Err() != nil {
			return counts, fmt.Errorf("produce: %w", context.Cause(ctx))
		}
		counts.Records[rec.Stream]++
		counts.Bytes += int64(len(rec.Key) + len(rec.Value))
		if !rec.Decoded {
			counts.Undecodable[rec.Stream]++
		}
		if time.Since(reported) > progressEvery {
			report()
		}
	}
	if err := client.Flush(ctx); err != nil {
		return counts, fmt.Errorf("produce: %w", context.Cause(ctx))
	}
	report()
	return counts, context.Cause(ctx)
}

// timestamp is the record's event time, but never after now: brokers refuse
// timestamps far ahead of their clock, and the pipeline is to see such records.
func timestamp(eventTimeMs int64, now time.Time) time.Time {
	if t := time.UnixMilli(eventTimeMs); t.Before(now) {
		return t
	}
	return now
}

// pacer holds records back until their event time has come.
type pacer struct {
	speed       float64
	started     time.Time
	firstTimeMs int64
}

// wait returns when a record of event time timeMs is due, or with the context's
// cause. Records older than the first one are due at once.
func (p *pacer) wait(ctx context.Context, timeMs int64) error {
	if p.speed <= 0 || timeMs == 0 {
		return nil
	}
	if p.started.IsZero() {
		p.started, p.firstTimeMs = time.Now(), timeMs
	}
	after := time.Duration(float64(timeMs-p.firstTimeMs) / p.speed * float64(time.Millisecond))
	left := time.Until(p.started.Add(after))
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
