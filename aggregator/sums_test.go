package aggregator

import (
	"testing"
	"time"
)

// randomSums are what a few facts of one cell and pane come to.
func randomSums(t *testing.T, seed uint64) *Sums {
	t.Helper()
	p := NewPartition(Options{Levels: Levels{Fine: time.Hour, FineFor: 1e6 * time.Hour, MinuteFor: 1e6 * time.Hour, Retention: 1e6 * time.Hour}})
	for _, f := range randomFacts(newRand(seed), 4, 10*time.Minute) {
		f.apply(p)
	}
	var out *Sums
	for _, u := range p.Flush() {
		if u.Progress {
			continue
		}
		if out == nil {
			out = u.Sums.Clone()
		} else {
			out.Add(u.Sums)
		}
	}
	return out
}

func plus(a, b *Sums) *Sums {
	c := a.Clone()
	c.Add(b)
	return c
}

func TestSumsFormACommutativeGroup(t *testing.T) {
	for seed := range uint64(300) {
		a, b, c := randomSums(t, 3*seed), randomSums(t, 3*seed+1), randomSums(t, 3*seed+2)
		before := dump(b)
		wantSame(t, "b+a is not a+b", plus(a, b), plus(b, a))
		wantSame(t, "(a+b)+c is not a+(b+c)", plus(plus(a, b), c), plus(a, plus(b, c)))
		wantSame(t, "0+a is not a", a, plus(&Sums{}, a))
		wantSame(t, "a+0 is not a", a, plus(a, &Sums{}))
		if dump(b) != before {
			t.Errorf("seed %d: Add changed what it added", seed)
		}
		d := plus(a, b)
		d.Sub(b)
		if withoutSpan(d) != withoutSpan(a) {
			t.Errorf("seed %d: a+b−b is not a (-want +got):\n%s", seed, diff(a, d))
		}
		d.Sub(a)
		if withoutSpan(d) != withoutSpan(&Sums{}) {
			t.Errorf("seed %d: a−a is not empty (-want +got):\n%s", seed, diff(&Sums{}, d))
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Weights above and below 1 can cancel in a page of excess weights. Whether they
// do must not show, since quantiles are defined differently without weights.
func TestCancelledWeightsLeaveNoTrace(t *testing.T) {
	auction := func(w float32) *Sums {
		p := NewPartition(Options{Levels: DefaultLevels()})
		e := randomAuction(newRand(1), start)
		e.Assignments = e.Assignments[:1]
		e.Candidates.ItemIDs, e.Candidates.Predictions = []uint64{1}, []float32{0.25}
		e.Candidates.References, e.Candidates.FeaturesPresent = nil, nil
		e.Candidates.ItemVersionIdx, e.Candidates.StageIdx, e.Candidates.OptTypeIdx = nil, nil, nil
		e.SampleWeight = w
		f := fact{auction: e, winner: -1}
		f.apply(p)
		return p.Flush()[0].Sums
	}
	light, heavy, other := auction(0.5), auction(1.5), auction(1)
	added := plus(light, heavy)
	subtracted := plus(added, other)
	subtracted.Sub(other)
	if withoutSpan(added) != withoutSpan(subtracted) {
		t.Errorf("taking something else out changed the sums (-before +after):\n%s", diff(added, subtracted))
	}
	// A weight so near to 1 that its excess rounds to nothing.
	wantSame(t, "excess of nothing", &Sums{}, &Sums{Candidates: CandidateSums{ScoreExcess: auction(1 + 0x1p-23).Candidates.ScoreExcess}})
}

func TestCloneIsDeep(t *testing.T) {
	for seed := range uint64(100) {
		a := randomSums(t, seed)
		before := dump(a)
		c := a.Clone()
		wantSame(t, "clone", a, c)
		// Adding in place writes to every list and page that the two could share.
		c.Add(a)
		c.Sub(randomSums(t, seed+1))
		if dump(a) != before {
			t.Fatalf("seed %d: changing the clone changed the original", seed)
		}
	}
}
