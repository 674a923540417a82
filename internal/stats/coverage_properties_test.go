package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// At p of 0.5, 0.9 and 0.99 the intervals of differences hold the truth nearly as
// often as they say.
func TestProportionDifferenceCovers(t *testing.T) {
	const runs, n, m = 2000, 200, 300
	r := rand.New(rand.NewPCG(61, 62))
	draw := func(n int, q float64) float64 {
		k := 0.0
		for range n {
			if r.Float64() < q {
				k++
			}
		}
		return k
	}
	for _, q := range []float64{0.5, 0.9, 0.99} {
		newcombe, score := 0, 0
		for i := range runs {
			a, b := Proportion{draw(n, q), n}, Proportion{draw(m, q-0.05), m}
			d, _ := ProportionDifference(a, b, 0.95)
			if d.Low <= 0.05 && 0.05 <= d.High {
				newcombe++
			}
			if i < runs/4 {
				s, _ := ScoreDifference(a, b, 0.95)
				if s.Low <= 0.05 && 0.05 <= s.High {
					score++
				}
			}
		}
		if newcombe < runs*93/100 || score < runs/4*91/100 || newcombe > runs*99/100 {
			t.Errorf("q = %g: %d of %d Newcombe's and %d of %d score intervals hold the truth", q, newcombe, runs, score, runs/4)
		}
	}
}

// At the limits of the score interval the statistic is z, at any size.
func TestScoreDifferenceEndsAtZ(t *testing.T) {
	for _, tc := range []struct{ a, b Proportion }{{Proportion{5, 10}, Proportion{3, 12}}, {Proportion{40, 100}, Proportion{2, 30}}} {
		e, ok := ScoreDifference(tc.a, tc.b, 0.95)
		n := tc.a.N + tc.b.N
		for _, delta := range []float64{e.Low, e.High} {
			p, q := cubic(tc.b.N)(tc.a, tc.b, delta)
			v := (p*(1-p)/tc.a.N + q*(1-q)/tc.b.N) * n / (n - 1)
			if z := math.Abs(e.Value-delta) / math.Sqrt(v); !ok || !near(z, twoSidedZ(0.95), 1e-9) {
				t.Errorf("%+v: z at %g is %g", tc, delta, z)
			}
		}
	}
}

func TestPairedIsTighter(t *testing.T) {
	p := Paired{8600, 1200, 100, 100}
	d, _ := p.Difference(1, 0.95)
	u, _ := ProportionDifference(Proportion{9800, 10000}, Proportion{8700, 10000}, 0.95)
	wide, _ := p.Difference(4, 0.95)
	if !near(d.Value, u.Value, 1e-12) || d.High-d.Low >= u.High-u.Low || !near(wide.High-wide.Low, 2*(d.High-d.Low), 1e-12) {
		t.Errorf("paired %+v, unpaired %+v, tempered %+v", d, u, wide)
	}
	var sum Paired
	sum.Add(p)
	sum.Add(Paired{1, 2, 3, 4})
	if diff := cmp.Diff(Paired{8601, 1202, 103, 104}, sum); diff != "" {
		t.Error(diff)
	}
	if v, ok := (Paired{Both: 5}).McNemar(); v != 1 || !ok {
		t.Errorf("no row differs: %g, %v", v, ok)
	}
	if few, _ := (Paired{90, 9, 0, 1}).Difference(1, 0.95); few.Status != LowData {
		t.Errorf("9 rows that differ: %v", few.Status)
	}
}

func TestSkewCost(t *testing.T) {
	lags := []LagMetric{{0, 0.5, 0.20, 1e-4}, {1, 0.3, 0.25, 4e-4}, {3, 0.2, 0.40, 9e-4}}
	e, ok := SkewCost(lags, 100, 0.95)
	sd := math.Sqrt(0.09*4e-4 + 0.04*9e-4 + 0.25*1e-4)
	if !ok || !near(e.Value, 0.3*0.05+0.2*0.2, 1e-12) || !near(e.High-e.Value, twoSidedZ(0.95)*sd, 1e-9) {
		t.Errorf("%+v, %v", e, ok)
	}
	if _, ok := SkewCost(lags[1:], 100, 0.95); ok {
		t.Error("a cost without pairs of one version")
	}
	if d, _ := DescribeLags([]LagCount{{-1, 10}, {0, 80}, {2, 10}}); d.MeanLag != 0.1 || d.P95 != 2 || d.SameVersion != 0.8 {
		t.Errorf("with items ahead of queries: %+v", d)
	}
	e, ok = StaleShare([]int64{50, 40, 10}, 1, 1, 0.95)
	if !ok || e.Value != 0.1 || e.Low >= 0.1 || e.High <= 0.1 {
		t.Errorf("stale share %+v, %v", e, ok)
	}
}

func TestCUPEDNarrows(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 64))
	covered := 0
	const runs = 300
	for range runs {
		var arms [2]CovariateSums
		for i := range 400 {
			x := r.NormFloat64()
			arms[i%2].AddUnit(x, 0.9*x+0.4*r.NormFloat64()+0.1*float64(i%2))
		}
		e, ok := AdjustedDifference(arms[1], arms[0], 0.95)
		if !ok || e.High-e.Low > 0.2 { // unadjusted it is 0.39
			t.Fatalf("%+v, %v", e, ok)
		}
		if e.Low <= 0.1 && 0.1 <= e.High {
			covered++
		}
	}
	if covered < runs*92/100 || covered > runs*98/100 {
		t.Errorf("%d of %d intervals hold the truth", covered, runs)
	}
}

func TestRecall(t *testing.T) {
	full := Request{Probability: 0.5, FullScoring: true, Kept: 3, Top: 4, UtilityKept: 9, UtilityOfTop: 10}
	cells := make([]RecallSums, 4)
	for i := range 80 {
		r := full
		r.Kept -= int64(i % 2)
		if !cells[i%4].AddRequest(r) {
			t.Fatal("a request does not count")
		}
	}
	r, ok := RecallByClusters(cells, 0.95)
	if !ok || r.Name() != "recall" || !near(r.Count.Value, 2.5/4, 1e-12) || !near(r.Utility.Value, 0.9, 1e-12) || r.Utility.High <= 0.9 || r.Utility.Low >= 0.9 {
		t.Errorf("%+v, %v", r, ok)
	}
	// A request that is in the sample half as often counts twice.
	var rare RecallSums
	rare.AddRequest(Request{Probability: 1, FullScoring: true, Kept: 4, Top: 4, UtilityKept: 5, UtilityOfTop: 5})
	rare.AddRequest(Request{Probability: 0.5, FullScoring: true, Kept: 0, Top: 4, UtilityOfTop: 5})
	if r, ok := RecallByClusters([]RecallSums{rare, {}}, 0.95); !ok || !near(r.Count.Value, 1.0/3, 1e-12) || !near(r.Utility.Value, 1.0/3, 1e-12) {
		t.Errorf("weighted: %+v, %v", r, ok)
	}
	partial := full
	partial.FullScoring = false
	cells[2].AddRequest(partial)
	if r, _ := RecallByClusters(cells, 0.95); r.Name() != "survivor agreement" || r.Identified {
		t.Errorf("with a request of survivors alone: %+v", r)
	}
	for _, bad := range []Request{{Probability: 0}, {Probability: 1.5}, {Probability: 1, Kept: 2, Top: 1}, {Probability: 1, UtilityKept: 2, UtilityOfTop: 1}, {Probability: math.NaN()}} {
		if cells[0].AddRequest(bad) {
			t.Errorf("%+v counts", bad)
		}
	}
	// A perfect recall of few requests is not certain.
	perfect := make([]RecallSums, 4)
	for i := range 20 {
		perfect[i%4].AddRequest(Request{Probability: 1, FullScoring: true, Kept: 4, Top: 4, UtilityKept: 1, UtilityOfTop: 1})
	}
	if r, ok := RecallByClusters(perfect, 0.95); !ok || r.Count.Value != 1 || r.Count.Low > 0.9 || r.Count.High != 1 {
		t.Errorf("perfect: %+v, %v", r, ok)
	}
}

// Neither the order of candidates nor that of ties matters, and the best order has 1.
func TestNDCGOrder(t *testing.T) {
	second := 1 / math.Log2(3)
	if got, ok := NDCG([]float64{3, 1, 2}, []float64{1, 1, 0}, 3); !ok || !near(got, (2+2*second+1)/(3+2*second+0.5), 1e-12) {
		t.Errorf("with two of equal score: %g, %v", got, ok)
	}
	r := rand.New(rand.NewPCG(65, 66))
	for range 300 {
		n := 1 + r.IntN(8)
		u, s := make([]float64, n), make([]float64, n)
		for i := range u {
			u[i], s[i] = float64(r.IntN(5)), float64(r.IntN(4))
		}
		u[0]++
		k := 1 + r.IntN(n)
		want, ok := NDCG(u, s, k)
		perm := r.Perm(n)
		pu, ps := make([]float64, n), make([]float64, n)
		for i, j := range perm {
			pu[i], ps[i] = u[j], s[j]
		}
		got, okP := NDCG(pu, ps, k)
		best, _ := NDCG(u, u, n)
		if !ok || !okP || !near(got, want, 1e-12) || !near(best, 1, 1e-12) || want < 0 || want > 1 {
			t.Fatalf("%v %v at %d: %g, permuted %g, best %g", u, s, k, want, got, best)
		}
	}
}

// Coarser bins never find more, and a real difference is found.
func TestQuantileDifference(t *testing.T) {
	r := rand.New(rand.NewPCG(67, 68))
	const bins, n = 1200, 3000
	histogram := func(factor float64) []int64 {
		counts := make([]int64, bins)
		for range n {
			counts[min(bins-1, int(math.Log1p(math.Exp(3+0.5*r.NormFloat64())*factor)/0.01))]++
		}
		return counts
	}
	coarse := func(counts []int64) []int64 {
		out := make([]int64, bins/10)
		for i, c := range counts {
			out[i/10] += c
		}
		return out
	}
	m := QuantileMixture{0.9, 1000, 0.05}
	for range 5 {
		a, b, c := histogram(1), histogram(1), histogram(1.3)
		same, ok := QuantileDifference(a, b, m)
		other, okO := QuantileDifference(a, c, m)
		rough, okR := QuantileDifference(coarse(a), coarse(c), m)
		back, _ := QuantileDifference(c, a, m)
		if !ok || !okO || !okR || same.Rejects(0.05) || !other.Rejects(0.001) || rough > other || back != other {
			t.Errorf("same %g, different %g, from the other side %g, in coarse bins %g", same, other, back, rough)
		}
		limits, ok := QuantileLimits(a, 0.9, 1000, 0.95)
		want := int(math.Log1p(math.Exp(3+0.5*1.2815515655)) / 0.01)
		if !ok || limits.Low > want || limits.High < want || limits.High-limits.Low > 40 || limits.OpenLow || limits.OpenHigh {
			t.Errorf("p90 in bin %d: %+v, %v", want, limits, ok)
		}
	}
	// The rank bounds of the vector at α/2 on each side.
	even := make([]int64, 400)
	for i := range even {
		even[i] = 1
	}
	limits, ok := QuantileLimits(even, 0.5, 400, 0.95)
	want := QuantileSequence{Bin: 199, Low: 169, High: 230, N: 400, RankLow: 200 - 30.295562628066364, RankAbove: 200 + 30.295562628066364}
	if !ok || limits.Bin != want.Bin || limits.Low != want.Low || limits.High != want.High || !near(limits.RankLow, want.RankLow, 1e-9) || !near(limits.RankAbove, want.RankAbove, 1e-9) {
		t.Errorf("median of 400 values: %+v, want %+v", limits, want)
	}
	few := make([]int64, 10)
	few[3], few[8] = 90, 10
	if limits, ok := QuantileLimits(few, 0.99, 400, 0.95); !ok || !limits.OpenHigh || limits.OpenLow || limits.Bin != 8 {
		t.Errorf("p99 of 100 values: %+v, %v", limits, ok)
	}
}

// Where all rows of both sides have a family the limits are those of none in
// both, mirrored, however many rows there are.
func TestScoreDifferenceOfAllIsThatOfNone(t *testing.T) {
	for _, n := range []float64{3, 50, 500, 7207, 1e5, 1e7, 1e9} {
		m := math.Ceil(1.2 * n)
		none, okN := ScoreDifference(Proportion{0, n}, Proportion{0, m}, 0.95)
		every, okE := ScoreDifference(Proportion{n, n}, Proportion{m, m}, 0.95)
		if !okN || !okE || !(none.Low < 0) || !(none.High > 0) || !near(every.Low, -none.High, 1e-6) || !near(every.High, -none.Low, 1e-6) {
			t.Errorf("%g rows: [%g, %g], of none [%g, %g]", n, every.Low, every.High, none.Low, none.High)
		}
		if w := 1.96 * 1.96 / (2*n + 4); none.High < w/2 || none.High > 4*w {
			t.Errorf("%g rows: none's high limit is %g", n, none.High)
		}
	}
}
