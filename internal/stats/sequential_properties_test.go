package stats

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Any order and partition of the cells gives the same bits.
func TestTwoArmMergeOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	cells := make([]Stratum, 300)
	for i := range cells {
		cells[i] = Stratum{Arm{Observed: r.Int64N(50), Expected: 50 * r.Float64()}, Arm{Observed: r.Int64N(1 << 40), Expected: 90 * r.Float64()}}
	}
	want := NewTwoArm(DefaultGrid())
	for _, c := range cells {
		want.Add(c)
	}
	for range 20 {
		parts := make([]*TwoArm, 1+r.IntN(9))
		for i := range parts {
			parts[i] = NewTwoArm(DefaultGrid())
		}
		for _, i := range r.Perm(len(cells)) {
			parts[r.IntN(len(parts))].Add(cells[i])
		}
		got := NewTwoArm(DefaultGrid())
		for _, i := range r.Perm(len(parts)) {
			if !got.Merge(parts[i]) {
				t.Fatal("the parts do not merge")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%d parts (-at once +merged):\n%s", len(parts), diff)
		}
	}
	if NewTwoArm([]float64{1}).Merge(want) {
		t.Error("processes with different grids merge")
	}
	if want.Cells != 300 || want.events() < 1<<40 {
		t.Errorf("%d cells, %d conversions", want.Cells, want.events())
	}
}

// Evidence for one direction never weakens the case against the other.
func TestDirections(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	value := func(e LogE, ok bool) float64 {
		t.Helper()
		if !ok {
			t.Fatal("not ok")
		}
		return float64(e)
	}
	for range 2000 {
		a := Arm{Observed: r.Int64N(1000), Expected: math.Exp(6 * r.NormFloat64()), DesignEffect: 1 + 2*r.Float64()}
		more, later := a, a
		more.Observed += 1 + r.Int64N(5)
		later.Expected *= 1 + r.Float64()
		q0 := 0.5 + r.Float64()
		if value(RatioEAbove(more, q0)) < value(RatioEAbove(a, q0)) || value(RatioEBelow(more, q0)) > value(RatioEBelow(a, q0)) {
			t.Fatalf("a conversion more is evidence for fewer: %+v, q0 %g", a, q0)
		}
		if value(RatioEAbove(later, q0)) > value(RatioEAbove(a, q0)) || value(RatioEBelow(later, q0)) < value(RatioEBelow(a, q0)) {
			t.Fatalf("more predicted is evidence for more: %+v, q0 %g", a, q0)
		}
		control := Arm{Observed: r.Int64N(1000), Expected: math.Exp(3 * r.NormFloat64())}
		process := func(cells ...Stratum) *TwoArm {
			p := NewTwoArm(DefaultGrid())
			for _, c := range cells {
				p.Add(c)
			}
			return p
		}
		base, up := process(Stratum{a, control}), process(Stratum{a, control}, Stratum{Arm{Observed: 3, Expected: 1}, Arm{Expected: 1}})
		down := process(Stratum{a, control}, Stratum{Arm{Expected: 1}, Arm{Observed: 3, Expected: 1}})
		if value(up.LogEAbove(1)) < value(base.LogEAbove(1)) || value(up.LogEBelow(1)) > value(base.LogEBelow(1)) {
			t.Fatalf("conversions of the treatment speak against it: %+v, %+v", a, control)
		}
		if value(down.LogEBelow(1)) < value(base.LogEBelow(1)) || value(down.LogEAbove(1)) > value(base.LogEAbove(1)) {
			t.Fatalf("conversions of the control speak for the treatment: %+v, %+v", a, control)
		}
	}
}

// At the limits of a sequence the evidence is just what the level asks for, and a
// higher level has wider limits.
func TestSequencesEndAtTheirThreshold(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	for range 1000 {
		a := Arm{Observed: r.Int64N(1 << r.IntN(40)), Expected: math.Exp(10 * r.NormFloat64()), DesignEffect: 1 + r.Float64()}
		e, ok := RatioSequence(a, 0.95)
		wide, okW := RatioSequence(a, 0.999)
		if !ok || !okW || wide.Low > e.Low || wide.High < e.High {
			t.Fatalf("%+v: %+v, at 0.999 %+v", a, e, wide)
		}
		for _, limit := range []float64{e.Low, e.High} {
			if limit == 0 || !finite(limit) {
				continue
			}
			v, _ := RatioE(Arm{Observed: a.Observed, Expected: a.Expected * limit, DesignEffect: a.DesignEffect})
			// Near the limit a relative change of the float64 spacing moves the
			// evidence by as much as the count.
			if math.Abs(float64(v)-math.Log(20)) > 1e-9+1e-14*float64(a.Observed) {
				t.Fatalf("%+v: the evidence against Q = %g is %g", a, limit, v)
			}
		}
	}
	for range 300 {
		n := 1 + r.Int64N(1<<r.IntN(40))
		k := r.Int64N(n + 1)
		e, ok := ProportionSequence(k, n, 1, 0.95)
		w, _ := Wilson(float64(k), float64(n), 0.95)
		tuned, okT := TunedProportionSequence(k, n, 1, float64(n), 0.95)
		if !ok || !okT || e.Low > w.Low || e.High < w.High || tuned.Low > w.Low+1e-12 || tuned.High < w.High-1e-12 {
			t.Fatalf("%d of %d: %+v, tuned %+v, at a fixed time %+v", k, n, e, tuned, w)
		}
	}
}

// Counts at which the plain formula has no digits left.
func TestEvidenceOfLargeCounts(t *testing.T) {
	for _, tc := range []struct {
		n    int64
		want float64 // by mpmath at 60 digits, for Λ = N − 3√N
	}{
		{1e6, -0.87783146088293067},
		{1e12, -7.7942215449580467},
		{1e15, -11.248107904712168},
	} {
		lambda := float64(tc.n) - 3*math.Sqrt(float64(tc.n))
		if e, ok := RatioE(Arm{Observed: tc.n, Expected: lambda}); !ok || !near(float64(e), tc.want, 1e-6) {
			t.Errorf("ln e at %d = %.16g, %v; want %.16g", tc.n, e, ok, tc.want)
		}
	}
}

func TestTwoArmSequence(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	const paths, logR = 200, 0.37
	missed, width := 0, 0.0
	for range paths {
		p := NewTwoArm(SequenceGrid())
		miss := false
		for range 30 {
			p.Add(Stratum{Arm{Observed: int64(poisson(r, 40*math.Exp(logR))), Expected: 40}, Arm{Observed: int64(poisson(r, 60)), Expected: 60}})
			e, ok := p.Sequence(0.95, 1)
			miss = miss || !ok || e.HasLow() && e.Low > logR || e.HasHigh() && e.High < logR
		}
		e, _ := p.Sequence(0.95, 1)
		width += (e.High - e.Low) / paths
		if miss {
			missed++
		}
	}
	if missed > paths*5/100 || width > 0.4 || width < 0.15 {
		t.Errorf("%d of %d sequences miss, mean width %g", missed, paths, width)
	}
	// The limits are the first points of the grid that are rejected.
	p := NewTwoArm(SequenceGrid())
	p.Add(Stratum{Arm{Observed: 300, Expected: 200}, Arm{Observed: 700, Expected: 800}})
	for _, phi := range []float64{1, 2.5} {
		e, ok := p.Sequence(0.95, phi)
		f := make([]float64, len(p.Sums))
		for i := range f {
			f[i] = p.Sums[i].float(gridPlaces) / phi
		}
		at := func(u float64) float64 { return around(f, sequenceSide+int(math.Round(u/sequenceStep))) }
		if !ok || at(e.Low) < math.Log(20) || at(e.Low+sequenceStep) >= math.Log(20) || at(e.High) < math.Log(20) || at(e.High-sequenceStep) >= math.Log(20) {
			t.Errorf("φ = %g: %+v", phi, e)
		}
		// The test of equal arms is the default one.
		null := NewTwoArm(DefaultGrid())
		null.Add(Stratum{Arm{Observed: 300, Expected: 200}, Arm{Observed: 700, Expected: 800}})
		if d, _ := null.LogE(phi); !near(float64(d), at(0), 1e-9) {
			t.Errorf("φ = %g: evidence %g, by the grid %g", phi, d, at(0))
		}
	}
	one := NewTwoArm(SequenceGrid())
	one.Add(Stratum{Arm{Observed: 80, Expected: 5}, Arm{Expected: 5}})
	if e, ok := one.Sequence(0.95, 1); !ok || e.HasValue() || e.HasHigh() || !e.HasLow() || e.Status != LowData {
		t.Errorf("without conversions in the control: %+v, %v", e, ok)
	}
}

// A detector that is stored and read back goes on as if nothing had happened, and
// says what changed when.
func TestDetectorState(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	d := NewDetector(DefaultGrid())
	alarm := int64(-1)
	for w := range int64(400) {
		rate := 20.0
		if w >= 300 {
			rate = 30
		}
		arm := Arm{Observed: int64(poisson(r, rate)), Expected: 20}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		read := new(Detector)
		if err := json.Unmarshal(b, read); err != nil {
			t.Fatal(err)
		}
		clone := d.Clone()
		d.AddArm(arm)
		read.AddArm(arm)
		if diff := cmp.Diff(d, read); diff != "" {
			t.Fatalf("window %d (-kept +read back):\n%s", w, diff)
		}
		if clone.Windows == d.Windows || d.Windows > 1 && cmp.Equal(clone.SR, d.SR) {
			t.Fatal("a clone has changed with its original")
		}
		if alarm < 0 && d.Alarm(DefaultPatience) {
			alarm = w
			break
		}
	}
	c, ok := d.Change()
	if !ok || alarm < 300 || alarm > 320 || c.LogRatio != 0.4 || c.Since < 295 || c.Since > 305 {
		t.Errorf("alarm at window %d, change %+v", alarm, c)
	}
	d.Reset()
	if _, ok := d.Rate(); ok || d.Alarm(1e-300) || d.Total != alarm+1 || d.Zero[0] != alarm+1 {
		t.Errorf("after a reset: %+v", d)
	}
}
