package aggregator

import (
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// The design effect of a count of candidates is about that of their clusters: of
// auctions of as many candidates each, and of units with several auctions.
func TestCountDesignEffect(t *testing.T) {
	for _, tc := range []struct {
		name       string
		auctions   int // of a unit
		candidates func(n int) int
		low, high  float64
	}{
		{"ten an auction", 1, func(int) int { return 10 }, 10, 14},
		{"forty in one of four auctions", 1, func(n int) int { return 40 * (n / 3 % 4 / 3) }, 28, 56},
		{"five auctions a unit", 5, func(int) int { return 10 }, 34, 75},
	} {
		r := newRand(7)
		p := NewPartition(Options{Levels: DefaultLevels()})
		cluster := uint64(0)
		for n := range 6000 {
			if n%tc.auctions == 0 {
				cluster = r.Uint64()
			}
			e := ordinaryAuction(event.Candidates{})
			for k := range tc.candidates(n) {
				e.Candidates.ItemIDs = append(e.Candidates.ItemIDs, uint64(k))
				e.Candidates.Predictions = append(e.Candidates.Predictions, 0.1)
				e.Candidates.References = append(e.Candidates.References, 0.1)
			}
			p.Candidates(p.Route(e), e, cluster, true)
		}
		if got := p.Flush()[0].Sums.Candidates.CountDesignEffect(); got < tc.low || got > tc.high {
			t.Errorf("%s: got %v, want %v to %v", tc.name, got, tc.low, tc.high)
		}
	}
}

// Variances of evidence are those of the intervals that readings carry.
func TestEvidenceAgreesWithReadings(t *testing.T) {
	for seed := range uint64(50) {
		s := randomSums(t, seed)
		r := s.Read(nil)
		check := func(what string, m Moment, ok bool, want Number) {
			if ok && (!want.OK || m.Value != want.Value || !(m.Variance >= 0)) {
				t.Errorf("seed %d: %s: got %+v, want %+v", seed, what, m, want)
			}
		}
		m, ok := s.Candidates.MeanAbsLog()
		check("log_mae", m, ok, r.Candidates.LogMAE)
		m, ok = s.Winners.MeanLogLoss()
		check("log_loss", m, ok, r.Winners.LogLoss)
		for i := range s.Candidates.Families {
			f := &s.Candidates.Families[i]
			c := s.Candidates.Coverage(f)
			if e := r.Candidates.Estimates.Coverage[f.Family]; c.N > 0 && (c.K/c.N != e.Value || c.Clusters != e.Effective) {
				t.Errorf("seed %d: coverage of %s: got %+v, want %+v", seed, f.Family, c, e)
			}
		}
		for i := range s.Towers {
			tower := &s.Towers[i]
			if c := tower.Success(); c.K/c.N != r.Serving[tower.Tower].SuccessRatio.Value {
				t.Errorf("seed %d: success of %s: got %+v", seed, tower.Tower, c)
			}
			total, all := int64(0), int64(0)
			for _, n := range tower.LatencyCounts() {
				total += n
			}
			for i := range tower.Latency.pages {
				for _, n := range tower.Latency.pages[i] {
					all += n
				}
			}
			if total != all {
				t.Errorf("seed %d: latencies of %s: %d of %d", seed, tower.Tower, total, all)
			}
		}
	}
}
