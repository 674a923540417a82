package simulate

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// TestBenchRecords decodes a load with the generated code and checks that its
// records keep the contract and vary.
func TestBenchRecords(t *testing.T) {
	for _, candidates := range []int{1, 100, 130} {
		t.Run(fmt.Sprintf("candidates=%d", candidates), func(t *testing.T) {
			o := DefaultBenchOptions()
			o.Auctions, o.Candidates = 3000, candidates
			var last int64
			var counts [event.NumStreams]int
			items := map[string]map[uint64]bool{}
			shown := map[string]int64{}
			scores := map[float32]bool{}
			arms := map[string]int{}
			NewBench(o).Run(func(e Encoded) bool {
				counts[e.Stream]++
				if e.EventTimeMs < last {
					t.Fatalf("%s at %d after %d", e.Stream, e.EventTimeMs, last)
				}
				last = e.EventTimeMs
				switch e.Stream {
				case event.Predictions:
					var p eventpb.Prediction
					if err := proto.Unmarshal(e.Value, &p); err != nil {
						t.Fatal(err)
					}
					checkBenchPrediction(t, o, e, &p)
					items[p.AuctionId] = map[uint64]bool{}
					for _, id := range p.Candidates.ItemIds {
						items[p.AuctionId][id] = true
					}
					if len(items[p.AuctionId]) != candidates {
						t.Fatalf("auction %s repeats an item", p.AuctionId)
					}
					scores[p.Candidates.Predictions[0]] = true
					a := p.Assignments[0]
					arms[fmt.Sprint(a.Arm, a.RampPercent)]++
				case event.Impressions:
					var i eventpb.Impression
					if err := proto.Unmarshal(e.Value, &i); err != nil {
						t.Fatal(err)
					}
					if i.AuctionId != string(e.Key) || i.EventTimeMs != e.EventTimeMs || !items[i.AuctionId][i.ItemId] {
						t.Fatalf("impression %v has no candidate", &i)
					}
					shown[i.ImpressionId] = i.EventTimeMs
				case event.Conversions:
					var c eventpb.Conversion
					if err := proto.Unmarshal(e.Value, &c); err != nil {
						t.Fatal(err)
					}
					if c.AuctionId != string(e.Key) || c.EventTimeMs != e.EventTimeMs || shown[c.ImpressionId] != c.ImpressionTimeMs {
						t.Fatalf("conversion %v has no impression", &c)
					}
				}
				return true
			})
			if counts[event.Predictions] != o.Auctions || len(items) != o.Auctions || counts[event.Impressions] != o.Auctions {
				t.Errorf("got %v records, %d auctions; want %d auctions with an impression each", counts, len(items), o.Auctions)
			}
			if n := counts[event.Conversions]; n < 100 || n > 200 {
				t.Errorf("got %d conversions, want about 150", n)
			}
			if len(scores) < 2000 {
				t.Errorf("got %d distinct first scores of %d", len(scores), o.Auctions)
			}
			if len(arms) != 4 {
				t.Errorf("got arms %v, want two at two ramps", arms)
			}
		})
	}
}

func checkBenchPrediction(t *testing.T, o BenchOptions, e Encoded, p *eventpb.Prediction) {
	t.Helper()
	c, n := p.Candidates, o.Candidates
	lengths := []int{len(c.ItemIds), len(c.Predictions), len(c.References), len(c.FeaturesPresent), len(c.ItemEmbeddingVersionIndex),
		len(c.StageIndex), len(c.OptimizationTypeIndex), len(c.AdvertiserIds), len(c.Utilities)}
	for _, l := range lengths {
		if l != n {
			t.Fatalf("columns of %v entries, want %d", lengths, n)
		}
	}
	for i := range n {
		switch {
		case !(c.Predictions[i] > 0 && c.Predictions[i] < 1), !(c.References[i] > 0 && c.References[i] < 1),
			c.FeaturesPresent[i]>>o.Families != 0, c.StageIndex[i] >= 4, c.OptimizationTypeIndex[i] >= 2,
			c.ItemEmbeddingVersionIndex[i] >= 2, c.AdvertiserIds[i] == 0, !(c.Utilities[i] > 0):
			t.Fatalf("candidate %d of %v breaks the contract", i, p)
		}
	}
	if p.AuctionId != string(e.Key) || p.EventTimeMs != e.EventTimeMs || p.UnitId == 0 || len(p.TowerCalls) != 2 ||
		p.TowerCalls[0].LatencyUs == p.TowerCalls[1].LatencyUs && p.TowerCalls[0].LatencyUs == minLatency ||
		len(c.FeatureFamilies) != o.Families || len(p.Dimensions) != 1 || p.QueryEmbeddingVersion == "" {
		t.Fatalf("prediction %v is not what the options say", p)
	}
}

func TestBenchEnd(t *testing.T) {
	o := DefaultBenchOptions()
	o.Auctions = 20_001
	if got, want := NewBench(o).End(), o.Start.Add(2*time.Second); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkBench(b *testing.B) {
	for _, candidates := range []int{1, 100} {
		b.Run(fmt.Sprintf("candidates=%d", candidates), func(b *testing.B) {
			o := DefaultBenchOptions()
			o.Auctions, o.Candidates = 1<<40, candidates
			b.ReportAllocs()
			records, size := 0, 0
			NewBench(o).Run(func(e Encoded) bool {
				records++
				size += len(e.Value)
				return b.Loop()
			})
			b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(size)/float64(records), "B/record")
		})
	}
}
