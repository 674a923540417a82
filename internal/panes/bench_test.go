package panes

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
)

// benchUpserts are what a source publishes in a commit.
func benchUpserts(b *testing.B) ([]aggregator.Upsert, int64) {
	b.Helper()
	p := aggregator.NewPartition(testOptions())
	p.SetEpoch(1)
	o := owner{Partition: p}
	events := auctions(1, 6000, 90*time.Second)
	for _, e := range events {
		for k := range 100 {
			e.Candidates.ItemIDs = append(e.Candidates.ItemIDs, uint64(k))
			e.Candidates.Predictions = append(e.Candidates.Predictions, 0.001+float32((k*7919)%97)/100)
		}
	}
	o.count(events)
	return p.Flush(), p.NewestMs()
}

// BenchmarkPane is what a pane costs between the store and Merged, beside the
// produce and fetch requests themselves.
func BenchmarkPane(b *testing.B) {
	upserts, newest := benchUpserts(b)
	perPane := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(upserts)), "ns/pane")
	}
	var records []consumer.Record
	bytes := 0
	for i := range upserts {
		r := consumer.Record{Key: upserts[i].AppendKey(nil, 0), Value: upserts[i].AppendValue(nil, newest)}
		bytes += len(r.Key) + len(r.Value)
		records = append(records, r)
	}
	b.Run("step=publish", func(b *testing.B) {
		b.ReportAllocs()
		topic := &Topic{opts: Options{QueueBytes: 1 << 30}}
		topic.lanes = []*lane{newLane(topic, 0)}
		s := &Source{t: topic, epoch: 1}
		s.reconciled.Store(true)
		for b.Loop() {
			s.Publish(newest, upserts)
		}
		b.ReportMetric(float64(bytes)/float64(len(upserts)), "B/pane")
		perPane(b)
	})
	for _, known := range []bool{true, false} {
		b.Run(fmt.Sprintf("step=read/known=%v", known), func(b *testing.B) {
			b.ReportAllocs()
			merged := aggregator.NewMerged(testOptions())
			topic := New(Options{Merged: merged, Levels: testOptions().Levels, Kafka: consumer.DefaultOptions(), Topic: topicName,
				Logger: slog.New(slog.DiscardHandler)})
			merged.EndReplay()
			topic.handle(0, records)
			version := uint64(1)
			for b.Loop() {
				if !known {
					b.StopTimer()
					version++
					for i := range upserts {
						u := upserts[i]
						u.Version.Sequence = version
						records[i].Value = u.AppendValue(nil, newest)
					}
					b.StartTimer()
				}
				topic.handle(0, records)
			}
			perPane(b)
		})
	}
	b.Run("step=merge only", func(b *testing.B) { // as without a topic
		merged := aggregator.NewMerged(testOptions())
		version := uint64(1)
		for b.Loop() {
			version++
			for i := range upserts {
				upserts[i].Version.Sequence = version
			}
			merged.Publish(0, newest, upserts)
		}
		perPane(b)
	})
}
