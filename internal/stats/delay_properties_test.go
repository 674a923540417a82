package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drawCohorts are the cohorts of an arm now: per impressions in each bucket of
// age, with rate·q conversions in the mean, of which those are seen whose delay,
// geometric with mean 1/stop, has passed.
func drawCohorts(r *rand.Rand, buckets int, perBucket, q, stop float64) Cohorts {
	c := Cohorts{make([]float64, buckets), NewDelayTriangle(buckets)}
	for age := range buckets {
		c.Expected[age] = perBucket
		for range poisson(r, perBucket*q) {
			delay := 0
			for r.Float64() > stop {
				delay++
			}
			c.Delays.AddConversions(age, min(delay, buckets-1), 1)
		}
	}
	return c
}

// truth is Pr(delay ≤ a) of drawCohorts.
func truth(stop float64, a, buckets int) float64 {
	if a >= buckets-1 {
		return 1
	}
	return 1 - math.Pow(1-stop, float64(a+1))
}

func TestDelayCurveIsUnbiased(t *testing.T) {
	const buckets, stop, runs = 12, 0.25, 300
	r := rand.New(rand.NewPCG(31, 32))
	mean, squares, variance := make([]float64, buckets), make([]float64, buckets), make([]float64, buckets)
	covered, naive := 0, 0
	for range runs {
		c := drawCohorts(r, buckets, 100, 1.2, stop)
		curve, ok := FitDelayCurve(c.Delays, 1)
		if !ok || curve.Status != OK {
			t.Fatalf("curve: %+v, %v", curve.Status, ok)
		}
		for a, f := range curve.F {
			mean[a] += f / runs
			squares[a] += f * f / runs
			v, _ := curve.Covariance(a, a)
			variance[a] += v / runs
		}
		m, ok := MaturityOf(c.Expected, curve)
		q, okQ := m.Ratio(curve.N, 1, 0.95)
		plain, okN := ObservedOverExpected(curve.N, m.Expected, 0.95)
		if !ok || !okQ || !okN {
			t.Fatal("not ok")
		}
		if q.Low <= 1.2 && 1.2 <= q.High {
			covered++
		}
		if plain.Low <= 1.2 && 1.2 <= plain.High {
			naive++
		}
	}
	for a := range mean {
		v := squares[a] - mean[a]*mean[a]
		if want := truth(stop, a, buckets); math.Abs(mean[a]-want) > 4*math.Sqrt(v/runs)+1e-12 {
			t.Errorf("F(%d) = %g in the mean, want %g", a, mean[a], want)
		}
		if a < buckets-1 && (variance[a] < 0.75*v || variance[a] > 1.33*v) {
			t.Errorf("variance of F(%d) = %g in the mean, want %g", a, variance[a], v)
		}
	}
	if covered < runs*92/100 || covered > runs*98/100 || naive > runs/10 {
		t.Errorf("of %d intervals %d adjusted and %d plain ones hold the truth", runs, covered, naive)
	}
}

// The variance of the matured predictions is the double sum of covariances.
func TestMaturityVariance(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	c := drawCohorts(r, 9, 30, 1, 0.3)
	curve, _ := FitDelayCurve(c.Delays, 0.9)
	for a := range c.Expected {
		c.Expected[a] = 10 * r.Float64()
	}
	m, ok := MaturityOf(c.Expected, curve)
	want, matured := 0.0, 0.0
	for a, ea := range c.Expected {
		matured += ea * curve.F[a]
		for b, eb := range c.Expected {
			v, okV := curve.Covariance(a, b)
			if !okV {
				t.Fatal("no covariance")
			}
			want += ea * eb * v
		}
	}
	if !ok || !near(m.Variance, want, 1e-12) || !near(m.Matured, matured, 1e-12) || want == 0 {
		t.Errorf("variance %g of %g, want %g of %g", m.Variance, m.Matured, want, matured)
	}
	if curve.F[8] != 0.9 {
		t.Errorf("F at the end = %g, want the tail's 0.9", curve.F[8])
	}
	share, ok := m.Share(0.95)
	if !ok || share.Status != OK || !near(share.Value, matured/m.Expected, 1e-12) || share.Low >= share.Value {
		t.Errorf("share %+v, %v", share, ok)
	}
}

func TestMaturityStatus(t *testing.T) {
	for _, tc := range []struct {
		name     string
		m        Maturity
		observed int64
		want     Status
		wantOK   bool
	}{
		{"mature", Maturity{100, 90, 1}, 80, OK, true},
		{"a fifth", Maturity{100, 20, 1}, 15, OK, true},
		{"less than a fifth", Maturity{100, 19, 1}, 15, Immature, true},
		{"nothing has had time", Maturity{100, 0, 0}, 0, Immature, false},
		{"conversions although nothing has had time", Maturity{100, 0, 0}, 3, Immature, false},
		{"no conversions", Maturity{10, 9, 0}, 0, LowData, true},
		{"no predictions", Maturity{}, 0, Undefined, false},
		{"no predictions for conversions", Maturity{}, 2, PredictionMissing, false},
	} {
		got, ok := tc.m.Ratio(tc.observed, 1, 0.95)
		if got.Status != tc.want || ok != tc.wantOK {
			t.Errorf("%s: %v, %v; want %v, %v", tc.name, got.Status, ok, tc.want, tc.wantOK)
		}
	}
}

// A few conversions have the exact interval, and what the curve leaves open widens
// it.
func TestMaturityOfFewConversions(t *testing.T) {
	known, _ := Maturity{10, 8, 0}.Ratio(5, 1, 0.95)
	exact, _ := ObservedOverExpected(5, 8, 0.95)
	open, _ := Maturity{10, 8, 6}.Ratio(5, 1, 0.95)
	if diff := cmp.Diff(exact, known); diff != "" {
		t.Errorf("(-exact +matured):\n%s", diff)
	}
	if open.Low >= known.Low || open.High <= known.High || open.Value != known.Value {
		t.Errorf("%+v with a curve that is not known, %+v with one that is", open, known)
	}
}

func TestTriangles(t *testing.T) {
	c := NewDelayTriangle(4)
	for _, tc := range []struct {
		age, delay int
		want       bool
	}{{0, 0, true}, {3, 3, true}, {9, 3, true}, {1, 2, false}, {2, -1, false}, {-1, 0, false}, {3, 4, false}} {
		if got := c.AddConversions(tc.age, tc.delay, 2); got != tc.want {
			t.Errorf("age %d, delay %d: %v, want %v", tc.age, tc.delay, got, tc.want)
		}
	}
	if got := c.Counts[3][3]; got != 4 {
		t.Errorf("%d conversions at the last age, want 4", got)
	}
	// Parts add to the whole in any order.
	r := rand.New(rand.NewPCG(35, 36))
	whole, parts := NewDelayTriangle(6), [3]DelayTriangle{NewDelayTriangle(6), NewDelayTriangle(6), NewDelayTriangle(6)}
	for range 500 {
		a, u, n := r.IntN(8), r.IntN(6), r.Int64N(9)-1
		whole.AddConversions(a, u, n)
		parts[r.IntN(3)].AddConversions(a, u, n)
	}
	sum := NewDelayTriangle(6)
	for _, i := range r.Perm(3) {
		if !sum.Add(parts[i]) {
			t.Fatal("triangles of one size do not add")
		}
	}
	if diff := cmp.Diff(whole, sum); diff != "" {
		t.Errorf("(-whole +sum of parts):\n%s", diff)
	}
	if sum.Add(NewDelayTriangle(5)) {
		t.Error("triangles of different size add")
	}
}

// At the same age arms compare without a delay curve; a later treatment is
// found by CompareDelays, and by a difference that goes with age.
func TestSameAgeAndDelayShift(t *testing.T) {
	const buckets, runs = 10, 300
	r := rand.New(rand.NewPCG(37, 38))
	covered, false5, found, missedSlow := 0, 0, 0, 0
	for range runs {
		control := drawCohorts(r, buckets, 60, 1, 0.3)
		same := drawCohorts(r, buckets, 20, 1.25, 0.3)
		slow := drawCohorts(r, buckets, 60, 1, 0.15)
		e, ok := SameAgeRatio(same, control, 2, 1, 0.95)
		s, okS := CompareDelays(same.Delays, control.Delays, 1)
		l, okL := CompareDelays(slow.Delays, control.Delays, 1)
		young, okY := SameAgeRatio(slow, control, 1, 1, 0.95)
		if !ok || !okS || !okL || !okY {
			t.Fatal("not ok")
		}
		if e.Low <= math.Log(1.25) && math.Log(1.25) <= e.High {
			covered++
		}
		if s.P < 0.05 {
			false5++
		}
		if l.Z > 1.96 {
			found++
		}
		if young.High < 0 {
			missedSlow++
		}
	}
	if covered < runs*92/100 || covered > runs*98/100 {
		t.Errorf("%d of %d intervals hold the truth", covered, runs)
	}
	if false5 > runs*9/100 || false5 < runs/100 {
		t.Errorf("%d of %d equal arms differ in delay at 5 %%", false5, runs)
	}
	if found < runs*99/100 || missedSlow < runs*95/100 {
		t.Errorf("of %d slow arms %d are found, and %d have fewer conversions young", runs, found, missedSlow)
	}
}

// The cells of one age by delay, as windows of the two-arm test, give what their
// sum gives.
func TestSameAgeCells(t *testing.T) {
	r := rand.New(rand.NewPCG(39, 40))
	a, b := drawCohorts(r, 8, 20, 1, 0.4), drawCohorts(r, 8, 30, 1, 0.4)
	const limit = 3
	cells, ok := SameAge(a, b, limit)
	if !ok || len(cells) != 8-limit {
		t.Fatalf("%d cells, %v", len(cells), ok)
	}
	summed, single := NewTwoArm(DefaultGrid()), NewTwoArm(DefaultGrid())
	for _, c := range cells {
		summed.Add(c)
	}
	for age := limit; age < 8; age++ {
		for u := range limit + 1 {
			single.Add(Stratum{
				Arm{Observed: a.Delays.Counts[age][u], Expected: a.Expected[age] / 7},
				Arm{Observed: b.Delays.Counts[age][u], Expected: b.Expected[age] / 7},
			})
		}
	}
	if diff := cmp.Diff(summed.Sums, single.Sums); diff != "" {
		t.Errorf("(-by age +by age and delay):\n%s", diff)
	}
}

func TestDelayCurveStatus(t *testing.T) {
	curve := func(counts ...[3]int64) (DelayCurve, bool) {
		c := NewDelayTriangle(3)
		for _, n := range counts {
			c.AddConversions(int(n[0]), int(n[1]), n[2])
		}
		return FitDelayCurve(c, 1)
	}
	for _, tc := range []struct {
		name   string
		counts [][3]int64
		want   Status
		wantF  []float64
	}{
		{"known throughout", [][3]int64{{0, 0, 4}, {2, 0, 4}, {2, 1, 4}, {2, 2, 4}}, OK, []float64{1.0 / 3, 2.0 / 3, 1}},
		{"no impression is old enough for the last bucket", [][3]int64{{0, 0, 4}, {1, 0, 5}, {1, 1, 5}}, LowData, []float64{0.5, 1, 1}},
		{"all of the old ones are late", [][3]int64{{0, 0, 4}, {2, 2, 4}}, LowData, []float64{0, 0, 1}},
	} {
		c, ok := curve(tc.counts...)
		if !ok || c.Status != tc.want || !cmp.Equal(c.F, tc.wantF, cmp.Comparer(func(a, b float64) bool { return near(a, b, 1e-12) })) {
			t.Errorf("%s: %v %v, %v; want %v %v", tc.name, c.F, c.Status, ok, tc.wantF, tc.want)
		}
	}
	if c, ok := curve(); ok || c.N != 0 {
		t.Errorf("without conversions: %+v", c)
	}
}
