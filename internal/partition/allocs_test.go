//go:build !race

package partition_test

import (
	"testing"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// TestSteadyStateDoesNotAllocate hands records of one stream to a core that has
// seen as many of its kind: what is still allocated is memory for what is
// remembered, in pieces of many records. The race detector allocates for its own use.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	const runs = 8
	for _, tc := range []struct {
		name       string
		stream     event.Stream
		candidates int
		auctions   int
	}{
		{"predictions of 100 candidates", event.Predictions, 100, 8_000},
		{"predictions of 1 candidate", event.Predictions, 1, 40_000},
		{"impressions", event.Impressions, 1, 40_000},
		{"conversions", event.Conversions, 1, 40_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := simulate.DefaultBenchOptions()
			o.Candidates, o.Auctions, o.ConversionRate = tc.candidates, tc.auctions, 1
			o.AuctionsPerSecond = float64(o.Auctions) // all within a second, so in one pane
			var streams [event.NumStreams][]consumer.Record
			for _, ch := range makeLoad(o).chunks {
				streams[ch.stream] = append(streams[ch.stream], ch.records...)
			}
			c := open(t, benchOptions(func(int32, int64, []aggregator.Upsert) {}))
			hand := func(s event.Stream, records []consumer.Record) {
				if err := c.Handle(s, records); err != nil {
					t.Fatal(err)
				}
			}
			for s := range tc.stream {
				hand(s, streams[s])
			}
			records := streams[tc.stream]
			if len(records) < tc.auctions*9/10 {
				t.Fatalf("%d %s, want about %d", len(records), tc.stream, tc.auctions)
			}
			warm := len(records) / 2
			hand(tc.stream, records[:warm])
			rest := records[warm:]
			n := len(rest) / (runs + 1)
			perRun := testing.AllocsPerRun(runs, func() {
				hand(tc.stream, rest[:n])
				rest = rest[n:]
			})
			if perRecord := perRun / float64(n); perRecord >= 0.01 {
				t.Errorf("%.3f allocations a record, over %d runs of %d records; want below 0.01", perRecord, runs, n)
			}
		})
	}
}
