package aggregator

import (
	"fmt"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// BenchmarkCandidates is what an auction costs that brings units seen and unseen
// in turn, with its share of a commit each 10,000 auctions.
func BenchmarkCandidates(b *testing.B) {
	for _, candidates := range []int{1, 100} {
		b.Run(fmt.Sprintf("candidates=%d", candidates), func(b *testing.B) {
			b.ReportAllocs()
			r := newRand(1)
			opts := testOptions()
			opts.Slices = nil
			p := NewPartition(opts)
			e := ordinaryAuction(event.Candidates{})
			for k := range candidates {
				e.Candidates.ItemIDs = append(e.Candidates.ItemIDs, uint64(k))
				e.Candidates.Predictions = append(e.Candidates.Predictions, 0.001+0.05*r.Float32())
				e.Candidates.References = append(e.Candidates.References, 0.001+0.05*r.Float32())
			}
			route := p.Route(e)
			n := uint64(0)
			for b.Loop() {
				n++
				e.UnitID = n % 100_000 * 0x9e3779b97f4a7c15
				p.Candidates(route, e, e.UnitID, true)
				if n%10_000 == 0 {
					p.Collect()
				}
			}
		})
	}
}
