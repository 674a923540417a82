package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Both parts sum to the difference, and a difference that is all of one kind has
// nothing of the other.
func TestMixSplitsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	for range 500 {
		strata := make([]Stratum, 1+r.IntN(5))
		ot, oc, et, ec := 0.0, 0.0, 0.0, 0.0
		for i := range strata {
			strata[i] = Stratum{Arm{Observed: 1 + r.Int64N(100), Expected: 1 + 50*r.Float64()}, Arm{Observed: r.Int64N(100), Expected: 1 + 90*r.Float64()}}
			if r.IntN(5) == 0 {
				strata[i].Control = Arm{} // a slice of the treatment alone
			}
			ot += float64(strata[i].Treatment.Observed)
			oc += float64(strata[i].Control.Observed)
			et += strata[i].Treatment.Expected
			ec += strata[i].Control.Expected
		}
		m, ok := SplitQ(strata)
		if ec == 0 {
			if ok {
				t.Fatal("a control without predictions is split")
			}
			continue
		}
		sums := [2]float64{}
		for i := range strata {
			sums[0] += m.MixBySlice[i]
			sums[1] += m.RateBySlice[i]
		}
		if !ok || math.Abs(m.Total-(ot/et-oc/ec)) > 1e-12 || math.Abs(m.QT-m.QC-m.Total) > 1e-12 || math.Abs(sums[0]-m.Mix) > 1e-12 || math.Abs(sums[1]-m.Rate) > 1e-12 {
			t.Fatalf("%+v: %+v", strata, m)
		}
		e, ok := m.RateEstimate(0.95)
		if !ok || e.Low > m.Rate || e.High < m.Rate {
			t.Fatalf("rate %+v", e)
		}
	}
	// A slice of the treatment alone has no rate to differ in, and a design effect
	// of both arms multiplies the variance.
	plain, _ := SplitQ([]Stratum{{Arm{Observed: 10, Expected: 10}, Arm{Observed: 20, Expected: 20}}, {Treatment: Arm{Observed: 9, Expected: 3}}})
	clustered, ok := SplitQ([]Stratum{{Arm{10, 10, 2}, Arm{20, 20, 2}}, {Treatment: Arm{9, 3, 2}}})
	if !ok || plain.Rate != 0 || plain.Mix == 0 || !near(clustered.RateVariance, 2*plain.RateVariance, 1e-12) {
		t.Errorf("%+v, with design effects %+v", plain, clustered)
	}
	mix, _ := SplitMix([]Slice{{3, 1, 2, 2}, {1, 3, 5, 5}})
	rate, _ := SplitMix([]Slice{{1, 2, 3, 2}, {1, 2, 6, 5}})
	if mix.Rate != 0 || mix.Mix != -1.5 || rate.Mix != 0 || rate.Rate != 1 {
		t.Errorf("only mix: %+v; only rate: %+v", mix, rate)
	}
	if s, _ := SplitMix([]Slice{{3, 1, 2, 2}, {1, 3, 5, 5}, {2, 2, 3.5, 3.5}}); s.MixBySlice[2] != 0 {
		t.Errorf("a slice that has neither grown nor shrunk has %g of the mix", s.MixBySlice[2])
	}
}

func TestAttribute(t *testing.T) {
	at := func(low, high float64) Estimate {
		e, _ := estimate((low+high)/2, low, high, 100, OK)
		return e
	}
	open := at(0.85, 0.95)
	open.Status = Inconclusive
	for _, tc := range []struct {
		share Estimate
		want  Attribution
		name  string
	}{
		{at(0.8, 1.1), ExplainsAlone, "alone explains"},
		{at(0.2, 0.79), Contributes, "contributes"},
		{at(-0.3, 0.79), NotAlone, "cannot alone explain"},
		{at(-0.09, 0.09), NoContribution, "does not contribute"},
		{at(-0.2, 0.09), NotAlone, "cannot alone explain"},
		{at(0.38, 1.17), AttributionOpen, "inconclusive"},
		{at(0.79, 0.9), AttributionOpen, "inconclusive"},
		{open, AttributionOpen, "inconclusive"},
		{Estimate{}, AttributionOpen, "inconclusive"},
	} {
		if got := Attribute(tc.share); got != tc.want || got.String() != tc.name {
			t.Errorf("[%g, %g]: %v, want %v", tc.share.Low, tc.share.High, got, tc.want)
		}
	}
}

// Steps of the ladder telescope, their shares sum to 1, and the intervals hold the
// truth.
func TestLadder(t *testing.T) {
	r := rand.New(rand.NewPCG(53, 54))
	covered := 0
	const runs = 300
	for range runs {
		var steps [2]LadderSums
		for range 400 {
			a, b := 0.3+0.5*r.NormFloat64(), 0.1+0.5*r.NormFloat64()
			steps[0].AddRow(a, a+b)
			steps[1].AddRow(b, a+b)
		}
		x, ok := steps[0].Share(0.95)
		y, okY := steps[1].Share(0.95)
		if !ok || !okY || !near(x.Value+y.Value, 1, 1e-12) {
			t.Fatalf("shares %+v and %+v", x, y)
		}
		if x.Low <= 0.75 && 0.75 <= x.High {
			covered++
		}
	}
	if covered < runs*92/100 || covered > runs*98/100 {
		t.Errorf("%d of %d intervals hold the truth", covered, runs)
	}
	var none LadderSums
	for i := range 100 {
		none.AddRow(1, float64(i%2*2-1))
	}
	if e, ok := none.Share(0.95); ok && e.Status != Inconclusive {
		t.Errorf("a share of nothing: %+v", e)
	}
}

// A gap that is clear of 0 has limits, one that is not has none.
func TestAttributableFractionOfNoGap(t *testing.T) {
	if e, ok := AttributableFraction(Gap{All: 0.05, VarAll: 0.001, Absent: 0.04, VarAbsent: 0.001}, 50, 0.95); !ok || e.Status != Inconclusive || e.HasLow() || e.HasHigh() {
		t.Errorf("%+v, %v", e, ok)
	}
}

// The detectable ratio is that of which the conversions needed are the ones given.
func TestPowerRoundTrips(t *testing.T) {
	for _, p := range []Power{{0.2, 1, 0.05, 0.8}, {0.5, 2.5, 0.01, 0.9}} {
		for _, n := range []float64{50, 2000, 1e6} {
			r, ok := p.DetectableRatio(n)
			back, okN := p.ConversionsNeeded(r)
			if !ok || !okN || !near(back, n, 1e-9) {
				t.Errorf("%+v: ratio %g at %g conversions, which needs %g", p, r, n, back)
			}
		}
	}
	if _, ok := (Power{0.2, 1, 0.05, 0.8}).ConversionsNeeded(1); ok {
		t.Error("no difference is detectable")
	}
}

// Near r = 1 the information is half the square of ln r, down to where the plain
// formula is all rounding.
func TestInformationNearOne(t *testing.T) {
	for _, h := range []float64{0x1p-10, 0x1p-20, 0x1p-30} {
		i, _ := Information(1 + h)
		two, _ := TwoArmInformation(1+h, 0.3)
		if !near(i, h*h/2, h) || !near(two, 0.3*0.7*h*h/2, 2*h) {
			t.Errorf("1+%g: %g and %g", h, i, two)
		}
	}
}
