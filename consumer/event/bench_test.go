package event_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
)

func BenchmarkDecodePrediction(b *testing.B) {
	for _, f := range []event.Format{event.Protobuf, event.JSON} {
		for _, n := range []int{1, 100} {
			b.Run(fmt.Sprintf("format=%s/candidates=%d", f, n), func(b *testing.B) {
				benchmarkPrediction(b, f, n)
			})
		}
	}
}

func benchmarkPrediction(b *testing.B, f event.Format, n int) {
	// A few records in turn, so that branches are not learnt by heart.
	r := rand.New(rand.NewPCG(1, 2))
	records := make([][]byte, 64)
	bytes := 0
	for i := range records {
		records[i] = eventtest.Encode(f, eventtest.NewPrediction(r, eventtest.Usual(n)))
		bytes += len(records[i])
	}
	d := event.NewDecoder(event.Options{})
	i := 0
	b.ReportAllocs()
	b.SetBytes(int64(bytes / len(records)))
	for b.Loop() {
		p, reason := d.DecodePrediction(f, records[i%len(records)], eventtest.NowMs)
		if reason != event.ReasonNone || p.Candidates.Len() != n {
			b.Fatalf("DecodePrediction: %v: %s", reason, d.Detail())
		}
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/candidate")
}

func BenchmarkDecodeImpression(b *testing.B) {
	for _, f := range []event.Format{event.Protobuf, event.JSON} {
		b.Run("format="+f.String(), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			record := eventtest.Encode(f, eventtest.NewImpression(r, "auction-1", 7))
			d := event.NewDecoder(event.Options{})
			b.ReportAllocs()
			for b.Loop() {
				if _, reason := d.DecodeImpression(f, record, eventtest.NowMs); reason != event.ReasonNone {
					b.Fatalf("DecodeImpression: %v: %s", reason, d.Detail())
				}
			}
		})
	}
}
