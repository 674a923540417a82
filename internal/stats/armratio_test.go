package stats

import (
	"math"
	"testing"
)

// brute is the definition of the two-sided p-value, term by term.
func brute(k, n int, theta float64) float64 {
	p := 0.0
	seen := binomialLogMass(float64(k), float64(n), theta)
	for j := range n + 1 {
		if m := binomialLogMass(float64(j), float64(n), theta); m <= seen+1e-7 {
			p += math.Exp(m)
		}
	}
	return math.Min(1, p)
}

func TestBinomialTest(t *testing.T) {
	for _, n := range []int{1, 2, 5, 20, 101} {
		for _, theta := range []float64{0.01, 0.2, 0.5, 0.77, 0.999} {
			sum := 0.0
			for k := range n + 1 {
				sum += math.Exp(binomialLogMass(float64(k), float64(n), theta))
				got, want := binomialTest(float64(k), float64(n), theta), brute(k, n, theta)
				if !near(got, want, 1e-9) {
					t.Errorf("%d of %d under %g: p = %g, want %g", k, n, theta, got, want)
				}
			}
			if !near(sum, 1, 1e-12) {
				t.Errorf("probabilities of %d under %g sum to %g", n, theta, sum)
			}
		}
	}
}

// Exact limits are those at which the tails have α/2 (Clopper and Pearson).
func TestExactArmRatioLimits(t *testing.T) {
	treatment, control := Arm{Observed: 7, Expected: 5}, Arm{Observed: 12, Expected: 20}
	e, ok := ExactArmRatio(treatment, control, 0.95)
	if !ok || e.Status != OK {
		t.Fatalf("%+v, %v", e, ok)
	}
	tail := func(ratio float64, above bool) float64 {
		theta := ratio * 5 / (ratio*5 + 20)
		sum := 0.0
		for j := range 20 {
			if above == (j >= 7) || j == 7 {
				sum += math.Exp(binomialLogMass(float64(j), 19, theta))
			}
		}
		return sum
	}
	if got := tail(e.Low, true); !near(got, 0.025, 1e-9) {
		t.Errorf("at the lower limit %g the upper tail is %g, want 0.025", e.Low, got)
	}
	if got := tail(e.High, false); !near(got, 0.025, 1e-9) {
		t.Errorf("at the upper limit %g the lower tail is %g, want 0.025", e.High, got)
	}
	swapped, _ := ExactArmRatio(control, treatment, 0.95)
	if !near(swapped.Low, 1/e.High, 1e-12) || !near(swapped.High, 1/e.Low, 1e-12) {
		t.Errorf("with the arms swapped: %+v, want the inverse of %+v", swapped, e)
	}
}

func TestDesignEffectWidensArmRatios(t *testing.T) {
	width := func(e Estimate, ok bool) float64 {
		t.Helper()
		if !ok || e.Known != KnownAll {
			t.Fatalf("%+v, %v", e, ok)
		}
		return e.High - e.Low
	}
	arm := func(n int64, phi float64) Arm { return Arm{Observed: n, Expected: 50, DesignEffect: phi} }
	plain := width(LogArmRatio(arm(40, 1), arm(60, 1), 0.95))
	for _, phi := range []float64{0, 0.5, math.NaN(), math.Inf(1)} {
		if got := width(LogArmRatio(arm(40, phi), arm(60, phi), 0.95)); got != plain {
			t.Errorf("design effect %g: width %g, want %g", phi, got, plain)
		}
	}
	if got := width(LogArmRatio(arm(40, 4), arm(60, 4), 0.95)); !near(got, 2*plain, 1e-12) {
		t.Errorf("design effect 4: width %g, want twice %g", got, plain)
	}
	strata := func(phi float64) []Stratum {
		return []Stratum{{arm(40, phi), arm(60, 1)}, {arm(12, 1), arm(20, 1)}}
	}
	one, four := width(StratifiedArmRatio(strata(1), 0.95)), width(StratifiedArmRatio(strata(4), 0.95))
	if !near(four, 2*one, 1e-12) {
		t.Errorf("design effect 4 in a stratum: width %g, want twice %g", four, one)
	}
	// Few conversions: on either scale the same limits, and the same value.
	low, ok := LogArmRatio(arm(4, 1), arm(60, 1), 0.95)
	exact, _ := ExactArmRatio(arm(4, 1), arm(60, 1), 0.95)
	if !ok || low.Status != LowData || low.Value != math.Log(4.0/60) || low.Low != math.Log(exact.Low) || low.High != math.Log(exact.High) {
		t.Errorf("4 conversions: %+v, want the logarithms of %+v", low, exact)
	}
	none, ok := LogArmRatio(arm(0, 1), arm(60, 1), 0.95)
	if !ok || none.Known != KnownHigh || none.Status != LowData {
		t.Errorf("no conversions in one arm: %+v, %v", none, ok)
	}
	none, ok = LogArmRatio(arm(60, 1), arm(0, 1), 0.95)
	if !ok || none.Known != KnownLow || none.Status != LowData {
		t.Errorf("no conversions in the other arm: %+v, %v", none, ok)
	}
	if e, _ := ExactArmRatio(arm(8, 2), arm(60, 1), 0.95); !near(e.Value, 8.0/60, 1e-12) {
		t.Errorf("design effect 2 in one arm: ratio %g, want %g", e.Value, 8.0/60)
	}
	tempered, _ := ExactArmRatio(arm(8, 2), arm(60, 2), 0.95)
	half, _ := ExactArmRatio(arm(4, 1), arm(30, 1), 0.95)
	if tempered != (Estimate{half.Value, half.Low, half.High, KnownAll, 68, 0, OK}) {
		t.Errorf("design effect 2: %+v, want that of half the counts, %+v", tempered, half)
	}
	if e, _ := LogArmRatio(arm(1<<62, 1), arm(1<<62, 1), 0.95); e.N != math.MaxInt64 {
		t.Errorf("n = %d of 2^62 twice", e.N)
	}
}

// A mix of strata that differs between arms makes a ratio of its own, which
// strata take away.
func TestStratifiedArmRatioIgnoresTheMix(t *testing.T) {
	strata := []Stratum{
		{Arm{Observed: 450, Expected: 300}, Arm{Observed: 150, Expected: 100}},
		{Arm{Observed: 50, Expected: 100}, Arm{Observed: 150, Expected: 300}},
	}
	e, ok := StratifiedArmRatio(strata, 0.95)
	if !ok || math.Abs(e.Value) > 1e-12 {
		t.Errorf("ratio over strata = %+v, %v, want ln 1", e, ok)
	}
	pooled, _ := LogArmRatio(Arm{Observed: 500, Expected: 400}, Arm{Observed: 300, Expected: 400}, 0.95)
	if pooled.Low <= 0 {
		t.Errorf("pooled %+v: no mix to take away", pooled)
	}
	empty := append([]Stratum{{Arm{Observed: 9}, Arm{Observed: 9, Expected: 3}}, {}}, strata...)
	if got, _ := StratifiedArmRatio(empty, 0.95); got != e {
		t.Errorf("with strata without predictions: %+v, want %+v", got, e)
	}
	if e, ok := StratifiedArmRatio(empty[:2], 0.95); ok {
		t.Errorf("nothing to compare: %+v", e)
	}
}
