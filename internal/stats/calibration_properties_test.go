package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The probability with which the exact interval holds the mean, summed over all
// counts, is never below its level.
func TestGarwoodCovers(t *testing.T) {
	for _, mean := range []float64{0.05, 0.7, 3, 3.69, 9.4, 30, 112} {
		held := 0.0
		for k := int64(0); k < 400; k++ {
			if low, high := PoissonInterval(k, 0.95); low <= mean && mean <= high {
				held += math.Exp(xlogy(float64(k), mean) - mean - lgamma(float64(k)+1))
			}
		}
		if held < 0.95-1e-12 || held > 0.9999 {
			t.Errorf("mean %g is held with probability %g, want at least 0.95", mean, held)
		}
	}
}

func TestPoissonIntervalGrows(t *testing.T) {
	before := [2]float64{-1, 0}
	for _, n := range []int64{0, 1, 2, 5, 10, 100, 9999, 10_000, 10_001, 1e6, 1e9, 1e15, 1 << 62} {
		low, high := PoissonInterval(n, 0.95)
		if !(low > before[0] && high > before[1]) {
			t.Errorf("count %d: [%g, %g] is not above %v", n, low, high, before)
		}
		if float64(n) < low || float64(n) > high {
			t.Errorf("count %d is outside [%g, %g]", n, low, high)
		}
		before = [2]float64{low, high}
		wideLow, wideHigh := PoissonInterval(n, 0.99)
		if wideLow > low || n > 0 && wideLow == low || wideHigh <= high {
			t.Errorf("count %d: [%g, %g] at 99 %% is not wider than [%g, %g]", n, wideLow, wideHigh, low, high)
		}
	}
	// The sizes that the specification names.
	if _, high := PoissonInterval(0, 0.95); math.Abs(high-3.69) > 0.005 {
		t.Errorf("upper limit without events = %g, want 3.69", high)
	}
	if _, high := PoissonInterval(0, 0.90); math.Abs(high-3.00) > 0.005 {
		t.Errorf("one-sided upper limit without events = %g, want 3.00", high)
	}
}

func TestRatioStatuses(t *testing.T) {
	for _, tc := range []struct {
		name     string
		observed int64
		expected float64
		status   Status
		known    Known // of the calibration
		ok       bool
	}{
		{"enough", 12, 9.7, OK, KnownAll, true},
		{"no conversions", 0, 2.5, LowData, KnownLow, true},
		{"no predictions", 3, 0, PredictionMissing, 0, false},
		{"nothing", 0, 0, Undefined, 0, false},
		{"negative", -1, 3, Undefined, 0, false},
		{"not a number", 1, math.NaN(), Undefined, 0, false},
		{"everything", 1 << 62, 1 << 62, OK, KnownAll, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, ok := Calibration(tc.observed, tc.expected, 0.95)
			if c.Status != tc.status || c.Known != tc.known || ok != tc.ok {
				t.Errorf("Calibration = %+v, %v", c, ok)
			}
		})
	}
}

// split a count over cells, with an effect of clusters.
func drawCells(r *rand.Rand, clusters int, rate float64) []Cell {
	cells := make([]Cell, clusters)
	for i := range cells {
		cells[i].Expected = 0.5 + r.Float64()
		for left := cells[i].Expected * rate; r.Float64() < left; left-- {
			cells[i].Observed++
		}
	}
	return cells
}

func TestClusteredRatio(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	cells := drawCells(r, 64, 1)
	sum, clusters := totals(cells)
	n := int64(sum.Observed)
	q, ok := ClusteredRatio(cells, n, 0.95, SmallSample)
	if !ok || q.Status != OK || clusters != 64 {
		t.Fatalf("ratio = %+v, %v of %d clusters", q, ok, clusters)
	}
	v, _ := LogRatioVariance(cells, SmallSample)
	d, ok := DesignEffectOf(cells)
	if !ok || !near(d.Value, v*sum.Observed, 1e-12) {
		t.Errorf("design effect %g, want %g", d.Value, v*sum.Observed)
	}
	if factor := d.Upper / d.Value; math.Abs(factor-1.38) > 0.005 {
		t.Errorf("upper bound = %g times the effect, want 1.38 at 64 clusters", factor)
	}
	// Rows that come twice in every cluster bear no more than once.
	twice := make([]Cell, len(cells))
	for i, c := range cells {
		twice[i] = Cell{2 * c.Observed, 2 * c.Expected}
	}
	q2, _ := ClusteredRatio(twice, 2*n, 0.95, SmallSample)
	if !near(q2.Low, q.Low, 1e-12) || !near(q2.High, q.High, 1e-12) {
		t.Errorf("each row twice: [%g, %g], want [%g, %g]", q2.Low, q2.High, q.Low, q.High)
	}
	// Cells without rows are no clusters.
	q3, _ := ClusteredRatio(append(make([]Cell, 100), cells...), n, 0.95, SmallSample)
	if q3 != q {
		t.Errorf("with empty cells: %+v, want %+v", q3, q)
	}
	// The jackknife is another way to the same variance.
	rows := make([][]float64, len(cells))
	for i, c := range cells {
		rows[i] = []float64{c.Observed, c.Expected}
	}
	j, ok := Jackknife(rows, func(s []float64) (float64, bool) { return math.Log(s[0] / s[1]), s[0] > 0 })
	if !ok || math.Abs(j.Variance/v-1) > 0.1 {
		t.Errorf("jackknife variance = %g, want about %g", j.Variance, v)
	}
}

func TestClusteredRatioOfFewConversions(t *testing.T) {
	// Nine conversions in nine clusters: as many as independent ones, so that
	// the interval is the exact one.
	cells := make([]Cell, 20)
	for i := range cells {
		cells[i].Expected = 0.5
		if i < 9 {
			cells[i].Observed = 1
		}
	}
	exact, _ := ObservedOverExpected(9, 10, 0.95)
	got, ok := ClusteredRatio(cells, 9, 0.95, SmallSample)
	if !ok || got.Low != exact.Low || got.High != exact.High {
		t.Errorf("independent conversions: %+v, want %+v", got, exact)
	}
	// All in one cluster: as good as one.
	for i := range cells {
		cells[i].Observed = 0
	}
	cells[3].Observed = 9
	clumped, ok := ClusteredRatio(cells, 9, 0.95, SmallSample)
	if !ok || clumped.Low >= exact.Low/2 || clumped.High <= exact.High*1.5 || clumped.Effective > 2 {
		t.Errorf("conversions of one cluster: %+v, want an interval far wider than %+v", clumped, exact)
	}
	if got, ok := ClusteredRatio(cells[3:4], 9, 0.95, SmallSample); !ok || got.Status != LowData {
		t.Errorf("a single cluster: %+v, %v, want low_data", got, ok)
	}
}

// The interval holds the truth as often as it says, where conversions come in
// clumps of three: the exact one of independent rows would not.
func TestClusteredRatioCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const tries = 2000
	held, heldExact := 0, 0
	for range tries {
		cells := make([]Cell, 64)
		sum := 0.0
		for i := range cells {
			cells[i].Expected = 3
			for range 4 {
				if r.Float64() < 0.25 {
					cells[i].Observed += 3
				}
			}
			sum += cells[i].Observed
		}
		if q, ok := ClusteredRatio(cells, int64(sum), 0.95, SmallSample); ok && q.Low <= 1 && 1 <= q.High {
			held++
		}
		if q, ok := ObservedOverExpected(int64(sum), 3*64, 0.95); ok && q.Low <= 1 && 1 <= q.High {
			heldExact++
		}
	}
	if share := float64(held) / tries; share < 0.935 || share > 0.965 {
		t.Errorf("the truth is held in %g of the tries, want 0.95", share)
	}
	if share := float64(heldExact) / tries; share > 0.9 {
		t.Errorf("without clusters it is held in %g: the data have none", share)
	}
}

func TestFiellerUnbounded(t *testing.T) {
	m := Moments{A: 1, B: 0.1, VA: 0.01, VB: 0.01}
	if e, ok := FiellerRatio(m, 0.95, 0, 5); !ok || e.Status != Inconclusive || e.Known != KnownValue {
		t.Errorf("a denominator one standard error from 0: %+v, %v", e, ok)
	}
	m.B = 0.18 // not far enough
	if e, ok := FiellerRatio(m, 0.95, 0, 5); !ok || e.Status != Inconclusive || e.Known != KnownValue {
		t.Errorf("a denominator 1.8 standard errors from 0: %+v, %v", e, ok)
	}
	// Far from 0 it is the delta method.
	m = Moments{A: 2, B: 1, VA: 1e-6, VB: 4e-6, AB: 1e-6}
	e, ok := FiellerRatio(m, 0.95, 0, 5)
	half := twoSidedZ(0.95) * math.Sqrt(m.VA-2*2*m.AB+4*m.VB)
	if !ok || !near(e.High-e.Low, 2*half, 1e-3) {
		t.Errorf("width = %g, want %g", e.High-e.Low, 2*half)
	}
}

func TestInvert(t *testing.T) {
	e := Estimate{Value: 2, Low: 0, High: 4, Known: KnownAll, Status: OK}
	got, ok := e.Invert()
	if !ok || got.Value != 0.5 || got.Low != 0.25 || got.HasHigh() {
		t.Errorf("Invert = %+v, %v", got, ok)
	}
	if _, ok := (Estimate{Value: 1, Low: -1, High: 2, Known: KnownAll}).Invert(); ok {
		t.Error("an interval around 0 has no inverse")
	}
}

func TestStatusNames(t *testing.T) {
	for s, want := range map[Status]string{
		Undefined: "undefined", OK: "ok", LowData: "low_data", Immature: "immature",
		Inconclusive: "inconclusive", PredictionMissing: "prediction_missing", 99: "undefined",
	} {
		if b, err := s.MarshalText(); s.String() != want || string(b) != want || err != nil {
			t.Errorf("status %d is %q, %q, %v; want %q", s, s, b, err, want)
		}
	}
}

// Weights change neither what rows bear nor, if all are the same, the interval.
func TestWeightedRatio(t *testing.T) {
	plain, _ := ObservedOverExpected(40, 50, 0.95)
	same := WeightedSums{N: 40, Observed: 120, Squares: 360, Expected: 150, Largest: 3}
	e, ok := same.Ratio(0.95)
	if !ok || e.Status != OK || !near(e.Low, plain.Low, 1e-12) || !near(e.High, plain.High, 1e-12) || e.Effective != 40 {
		t.Errorf("40 conversions of weight 3: %+v, want %+v", e, plain)
	}
	for _, tc := range []struct {
		largest float64
		want    Status
	}{{5.9, OK}, {6.1, LowData}} {
		same.Largest = tc.largest
		if e, _ := same.Ratio(0.95); e.Status != tc.want {
			t.Errorf("one row with %g of 120: %v, want %v", tc.largest, e.Status, tc.want)
		}
	}
	// Five conversions of weight 20 are no hundred: too few for the logarithm.
	cells := make([]Cell, 20)
	for i := range cells {
		cells[i].Expected = 5
		if i < 5 {
			cells[i].Observed = 20
		}
	}
	five, _ := ObservedOverExpected(5, 5, 0.95)
	got, ok := ClusteredRatio(cells, 5, 0.95, SmallSample)
	if !ok || !near(got.Low, five.Low, 1e-12) || !near(got.High, five.High, 1e-12) {
		t.Errorf("five conversions of weight 20: %+v, want %+v", got, five)
	}
}

// Of a mean the jackknife has the textbook's variance, and rows of zeros are not
// there.
func TestJackknifeOfAMean(t *testing.T) {
	xs := []float64{1, 4, 2, 8, 5, 7}
	rows := [][]float64{{0, 0}}
	for _, x := range xs {
		rows = append(rows, []float64{x, 1}, []float64{0, 0})
	}
	mean := func(s []float64) (float64, bool) { return Ratio(s[0], s[1]) }
	m, v := meanVariance(xs)
	j, ok := Jackknife(rows, mean)
	if !ok || j.Clusters != 6 || !near(j.Value, m, 1e-14) || !near(j.Variance, v/6, 1e-12) {
		t.Errorf("jackknife = %+v, %v, want %g with %g", j, ok, m, v/6)
	}
	e, ok := j.Estimate(6, 0.95)
	if half := studentQuantile(0.95, 5) * math.Sqrt(v/6); !ok || !near(e.High-e.Value, half, 1e-12) || !near(e.Value-e.Low, half, 1e-12) {
		t.Errorf("interval = %+v, want ± %g", e, half)
	}
	geometric := func(s []float64) (float64, bool) { return math.Log(s[0] / s[1]), true }
	var dense [][]float64
	for _, row := range rows {
		if !empty(row) {
			dense = append(dense, row)
		}
	}
	sparse, _ := Jackknife(rows, geometric)
	if want, _ := Jackknife(dense, geometric); sparse != want {
		t.Errorf("with rows of zeros: %+v, want %+v", sparse, want)
	}
	for _, few := range [][][]float64{nil, rows[:2], {{0, 0}, {0, 0}}} {
		if j, ok := Jackknife(few, mean); ok {
			t.Errorf("ok with %v: %+v", few, j)
		}
	}
}
