package partition_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// load is a workload in memory, in chunks as a broker would hand them out.
type load struct {
	chunks     []chunk
	candidates int
	records    int
}

type chunk struct {
	stream  event.Stream
	records []consumer.Record
}

func makeLoad(o simulate.BenchOptions) *load {
	l := &load{candidates: o.Auctions * o.Candidates}
	var open [event.NumStreams][]consumer.Record
	var offsets [event.NumStreams]int64
	simulate.NewBench(o).Run(func(e simulate.Encoded) bool {
		r := consumer.Record{Offset: offsets[e.Stream], TimestampMs: e.EventTimeMs, Key: append([]byte(nil), e.Key...), Value: append([]byte(nil), e.Value...)}
		offsets[e.Stream]++
		l.records++
		open[e.Stream] = append(open[e.Stream], r)
		if len(open[e.Stream]) == 64 {
			l.chunks = append(l.chunks, chunk{e.Stream, open[e.Stream]})
			open[e.Stream] = nil
		}
		return true
	})
	for s, rs := range open {
		l.chunks = append(l.chunks, chunk{event.Stream(s), rs})
	}
	return l
}

type ignoreLetters struct{}

func (ignoreLetters) Send(consumer.DeadLetter) {}

func benchOptions(publish func(int32, int64, []aggregator.Upsert)) partition.Options {
	return partition.Options{
		Join: join.Options{Window: 10 * time.Second, AttributionWindow: 2 * time.Minute, MemoryBytes: 64 << 20},
		Aggregator: aggregator.Options{
			Levels: aggregator.DefaultLevels(), Windows: []time.Duration{5 * time.Minute, time.Hour},
			Slices: [][]string{{"surface"}}, MaxSeries: 30_000, AttributionWindow: 2 * time.Minute,
		},
		NowMs:   func() int64 { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() },
		Letters: ignoreLetters{}, Publish: publish,
	}
}

// open returns a core whose state survives nothing.
func open(tb testing.TB, o partition.Options) *partition.Core {
	tb.Helper()
	c, err := partition.Open(o, partition.NewMemory())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// BenchmarkCore is everything behind the fetch: decode, join, aggregate and
// publish. The floor beside it decodes only.
func BenchmarkCore(b *testing.B) {
	for _, candidates := range []int{100, 1} {
		o := simulate.DefaultBenchOptions()
		o.Candidates = candidates
		o.Auctions = 2_000_000 / candidates
		if candidates == 1 {
			o.Auctions = 400_000
		}
		o.AuctionsPerSecond = float64(o.Auctions) / 120
		l := makeLoad(o)
		b.Run(fmt.Sprintf("candidates=%d/step=all", candidates), func(b *testing.B) {
			b.ReportAllocs()
			merged := aggregator.NewMerged(benchOptions(nil).Aggregator)
			for b.Loop() {
				c := open(b, benchOptions(merged.Publish))
				for i, ch := range l.chunks {
					if err := c.Handle(ch.stream, ch.records); err != nil {
						b.Fatal(err)
					}
					if i%2048 == 2047 {
						_ = c.Commit(b.Context())
					}
				}
				_ = c.Commit(b.Context())
			}
			report(b, l)
		})
		b.Run(fmt.Sprintf("candidates=%d/step=decode", candidates), func(b *testing.B) {
			b.ReportAllocs()
			d := event.NewDecoder(event.Options{})
			now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
			for b.Loop() {
				for _, ch := range l.chunks {
					for i := range ch.records {
						switch ch.stream {
						case event.Predictions:
							d.DecodePrediction(event.Protobuf, ch.records[i].Value, now)
						case event.Impressions:
							d.DecodeImpression(event.Protobuf, ch.records[i].Value, now)
						default:
							d.DecodeConversion(event.Protobuf, ch.records[i].Value, now)
						}
					}
				}
			}
			report(b, l)
		})
	}
}

func report(b *testing.B, l *load) {
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(ns/float64(l.candidates), "ns/candidate")
	b.ReportMetric(ns/float64(l.records), "ns/record")
}
