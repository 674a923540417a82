package stats

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// The detector's step for arms is the two-arm test of its window, tempered.
func TestDetectorOfArms(t *testing.T) {
	cells := []Stratum{{Arm{Observed: 30, Expected: 20}, Arm{Observed: 70, Expected: 80}}, {Arm{Observed: 3, Expected: 2}, Arm{Expected: 5}}, {Arm{Observed: 3}, Arm{Observed: 4}}}
	p, d := NewTwoArm(DefaultGrid()), NewDetector(DefaultGrid())
	for _, c := range cells {
		p.Add(c)
	}
	d.AddArms(cells, 2)
	e, ok := p.LogE(2)
	m, okM := d.Rate()
	if !ok || !okM || !near(float64(m), float64(e), 1e-9) || p.Cells != 2 {
		t.Errorf("detector %g, test %g, %d cells", m, e, p.Cells)
	}
}

// Inside a margin the evidence against it is that against the best Q there.
func TestRatioEOutside(t *testing.T) {
	for _, n := range []int64{40, 80, 95, 100, 108, 130, 200} {
		arm := Arm{Observed: n, Expected: 100, DesignEffect: 1.5}
		got, ok := RatioEOutside(arm, 0.9, 1.1)
		want := inf
		for i := range 2001 {
			q := 0.9 + 0.2*float64(i)/2000
			e, _ := RatioE(Arm{Observed: n, Expected: 100 * q, DesignEffect: 1.5})
			want = min(want, float64(e))
		}
		if !ok || !near(float64(got), want, 1e-6) {
			t.Errorf("%d of 100: %g, want %g", n, got, want)
		}
	}
	if _, ok := RatioEOutside(Arm{Observed: 1, Expected: 1}, 1.1, 0.9); ok {
		t.Error("a margin that is empty")
	}
}

// A design effect is what divides all counts.
func TestTempering(t *testing.T) {
	half, _ := ConditionalE(Arm{Observed: 30, Expected: 4}, Arm{Observed: 50, Expected: 9}, 50)
	whole, _ := ConditionalE(Arm{60, 4, 2}, Arm{100, 9, 1.5}, 50)
	if !near(float64(whole), float64(half), 1e-12) {
		t.Errorf("ConditionalE: %g, of half the counts %g", whole, half)
	}
	a, _ := RatioE(Arm{60, 40, 2})
	b, _ := RatioE(Arm{Observed: 30, Expected: 20})
	if a != b {
		t.Errorf("RatioE: %g, of half the counts %g", a, b)
	}
	p, _ := ProportionSequence(50, 200, 2, 0.95)
	q, _ := ProportionSequence(25, 100, 1, 0.95)
	if p.Low != q.Low || p.High != q.High || p.N != 200 || p.Effective != 100 {
		t.Errorf("ProportionSequence: %+v, of half the counts %+v", p, q)
	}
}

func TestSampleRatioEpochs(t *testing.T) {
	first := SampleRatio{Counts: []int64{200, 800}, Shares: []float64{1, 4}}
	second := SampleRatio{Counts: []int64{700, 500}, Shares: []float64{0.5, 0.5}}
	a, _ := first.LogE()
	b, _ := second.LogE()
	both, ok := SampleRatioOf([]SampleRatio{first, second})
	if !ok || both != a+b || !both.Rejects(SampleRatioAlpha) || a.Rejects(SampleRatioAlpha) {
		t.Errorf("%g and %g together %g, %v", a, b, both, ok)
	}
	if _, ok := SampleRatioOf(nil); ok {
		t.Error("evidence from no epoch")
	}
	if _, ok := SampleRatioOf([]SampleRatio{first, {Counts: []int64{1, 1}, Shares: []float64{0, 1}}}); ok {
		t.Error("evidence with a share of 0")
	}
}

// The evidence at the half width of its sequence is the threshold.
func TestMeanE(t *testing.T) {
	s := MeanSums{N: 500, Sum: 100, Squares: 120} // variance 0.2
	const tOpt, alpha = 300, 0.05
	half, ok := AsymptoticHalfWidth(500, logFactor(alpha)/tOpt, math.Sqrt(0.2), alpha)
	e, okE := MeanE(s, 0.2-half, tOpt, alpha)
	if !ok || !okE || !near(float64(e), math.Log(20), 1e-9) {
		t.Errorf("%g at %g, %v", e, half, ok)
	}
	few, _ := AsymptoticSequence(MeanSums{99, 10, 10}, tOpt, 0.95)
	enough, _ := AsymptoticSequence(MeanSums{100, 10, 10}, tOpt, 0.95)
	if few.Status != LowData || enough.Status != OK {
		t.Errorf("99 units: %v, 100: %v", few.Status, enough.Status)
	}
	if _, ok := MeanE(MeanSums{99, 10, 10}, 0, tOpt, alpha); ok {
		t.Error("evidence of 99 units")
	}
}

func TestWideAgainstBig(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	value := func(w Wide) *big.Int {
		v := new(big.Int).Lsh(big.NewInt(w.Hi), 64)
		return v.Add(v, new(big.Int).SetUint64(w.Lo))
	}
	for range 10_000 {
		a, b, c := int64(r.Uint64()), int64(r.Uint64())>>r.IntN(60), int64(r.Uint64())
		p, q := wideProduct(a, b), wideProduct(b, c>>2)
		if want := new(big.Int).Mul(big.NewInt(a), big.NewInt(b)); value(p).Cmp(want) != 0 {
			t.Fatalf("%d·%d = %v, want %v", a, b, value(p), want)
		}
		p.Hi >>= 2
		if want := new(big.Int).Add(value(p), value(q)); value(p.plus(q)).Cmp(want) != 0 || value(q.minus()).Cmp(new(big.Int).Neg(value(q))) != 0 {
			t.Fatalf("%v + %v = %v, want %v", value(p), value(q), value(p.plus(q)), want)
		}
		if want, _ := new(big.Float).SetInt(value(p)).Float64(); !near(p.float(3), want/8, 1e-15) {
			t.Fatalf("%v = %g, want %g", value(p), p.float(3), want/8)
		}
	}
}

func TestEmpiricalBernsteinAndBetting(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	const paths, mean = 200, 0.3
	missed := [2]int{}
	widths := [2]float64{}
	for range paths {
		b, g := NewEmpiricalBernstein(0.95), NewBetting(100, 0.95)
		miss := [2]bool{}
		for range 400 {
			x := 0.2 + 0.2*r.Float64()
			b.Add(x)
			g.Add(x)
			e, _ := b.Estimate()
			h, _ := g.Estimate()
			for i, e := range []Estimate{e, h} {
				miss[i] = miss[i] || e.Low > mean || e.High < mean
			}
		}
		e, _ := b.Estimate()
		h, _ := g.Estimate()
		for i, e := range []Estimate{e, h} {
			widths[i] += (e.High - e.Low) / paths
			if miss[i] {
				missed[i]++
			}
		}
	}
	for i, name := range []string{"empirical Bernstein", "betting"} {
		if missed[i] > paths*5/100 || widths[i] > 0.12 {
			t.Errorf("%s: %d of %d miss, mean width %g", name, missed[i], paths, widths[i])
		}
	}
	b := NewEmpiricalBernstein(0.95)
	b.Add(-0.1)
	b.Add(math.NaN())
	if _, ok := b.Estimate(); ok || b.Skipped != 2 {
		t.Errorf("values outside [0, 1]: ok %v, %d skipped", ok, b.Skipped)
	}
}

func TestLogE(t *testing.T) {
	for _, tc := range []struct {
		e       LogE
		alpha   float64
		rejects bool
		p       float64
	}{
		{3, 0.05, true, math.Exp(-3)},
		{2.99, 0.05, false, math.Exp(-2.99)},
		{-5, 0.05, false, 1},
		{0, 1, false, 1},
		{5, 2, false, math.Exp(-5)},
		{5, 0, false, math.Exp(-5)},
		{800, 1e-300, true, 0},
		{LogE(math.NaN()), 0.05, false, 1},
	} {
		if got, p := tc.e.Rejects(tc.alpha), tc.e.P(); got != tc.rejects || !near(p, tc.p, 1e-12) && math.Abs(p-tc.p) > 1e-300 {
			t.Errorf("%g at %g: %v with p %g, want %v with %g", tc.e, tc.alpha, got, p, tc.rejects, tc.p)
		}
	}
}
