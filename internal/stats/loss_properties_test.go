package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLogLossEdges(t *testing.T) {
	for _, tc := range []struct{ p, y, want float64 }{
		{0.5, 1, math.Ln2}, {0.5, 0, math.Ln2}, {0.25, 1, 2 * math.Ln2},
		{0, 1, 7 * math.Ln10}, {1, 0, 7 * math.Ln10}, {math.NaN(), 1, 7 * math.Ln10},
		{1e-5, 0, 1.000005000033e-5}, {0.5, math.NaN(), math.Ln2}, {0.25, 7, 2 * math.Ln2},
	} {
		if got := LogLoss(tc.p, tc.y); !near(got, tc.want, 1e-9) {
			t.Errorf("LogLoss(%g, %g) = %.12g, want %.12g", tc.p, tc.y, got, tc.want)
		}
	}
}

func TestNormalizedEntropyOfTheBaseRate(t *testing.T) {
	var s LossSums
	for i := range 100 {
		s.AddRow(0.1, float64(i/90), 2)
	}
	if ne, ok := s.NormalizedEntropy(0.1); !ok || !near(ne, 1, 1e-12) {
		t.Errorf("predicting the base rate everywhere gets %g, %v, want 1", ne, ok)
	}
	for _, pi := range []float64{0, 1, -1, math.NaN()} {
		if _, ok := s.NormalizedEntropy(pi); ok {
			t.Errorf("ok at a base rate of %g", pi)
		}
	}
}

func TestNormalizedEntropyByClusters(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	cells := make([]LossSums, 64)
	var all LossSums
	for range 20_000 {
		p := 0.2 * r.Float64()
		y := 0.0
		if r.Float64() < p {
			y = 1
		}
		var row LossSums
		row.AddRow(p, y, 1)
		cells[r.IntN(64)].Add(row)
		all.Add(row)
	}
	pi, _ := all.BaseRate()
	own, ok1 := NormalizedEntropyByClusters(cells, 0, false, 0.95)
	shared, ok2 := NormalizedEntropyByClusters(cells, pi, true, 0.95)
	want, _ := all.NormalizedEntropy(pi)
	if !ok1 || !ok2 || !near(own.Value, want, 1e-12) || !near(shared.Value, want, 1e-12) || own.N != 20_000 {
		t.Fatalf("own %+v, shared %+v, want %g", own, shared, want)
	}
	// More conversions raise the loss and the entropy of their base rate: with
	// the own base rate most of that cancels.
	if own.High-own.Low > (shared.High-shared.Low)/2 {
		t.Errorf("own base rate: ± %g, shared: ± %g", own.High-own.Value, shared.High-shared.Value)
	}
}

// Of 10 conversions among rows at one p, nominal 95 % intervals of the log loss
// and of the normalized entropy hold the truth in 93 to 97 % of samples.
func TestLossesKeepTheirLevelWithFewConversions(t *testing.T) {
	const samples, conversions, p, buckets = 8000, 10, 0.01, 50
	const rows = conversions / p / buckets
	pi, loss := p, p*LogLoss(p, 1)+(1-p)*LogLoss(p, 0)
	h, _ := Entropy(pi)
	r := rand.New(rand.NewPCG(17, 0x105))
	held := map[string]int{}
	for range samples {
		cells, means := make([]LossSums, buckets), make([]MeanCell, buckets)
		for i := range cells {
			y := float64(poisson(r, rows*p))
			cells[i] = LossSums{N: rows, Weight: rows, Loss: y*LogLoss(p, 1) + (rows-y)*LogLoss(p, 0), Observed: y}
			means[i] = MeanCell{rows, cells[i].Loss}
		}
		mean, ok := ClusteredLoss(means, samples, 0.95, SmallSample)
		if ok && mean.Low <= loss && loss <= mean.High {
			held["log loss"]++
		}
		entropy, ok := NormalizedEntropyByClusters(cells, pi, true, 0.95)
		if ok && entropy.Low <= loss/h && loss/h <= entropy.High {
			held["normalized entropy"]++
		}
	}
	for _, name := range []string{"log loss", "normalized entropy"} {
		if n := held[name]; n < samples*93/100 || n > samples*97/100 {
			t.Errorf("%s: %d of %d intervals hold the truth", name, n, samples)
		}
	}
}

func TestClusteredLoss(t *testing.T) {
	cells := []MeanCell{{2, 3}, {2, 1}, {2, 2.5}}
	mean, _ := ClusteredMean(cells, 6, 0.95, SmallSample)
	e, ok := ClusteredLoss(cells, 6, 0.95, SmallSample)
	factor := math.Exp((mean.High - mean.Value) / mean.Value)
	if !ok || e.Value != mean.Value || !near(e.High, mean.Value*factor, 1e-12) || !near(e.Low, mean.Value/factor, 1e-12) || e.Status != OK {
		t.Errorf("got %+v, want %g times and over %g", e, mean.Value, factor)
	}
	for _, tc := range []struct {
		name  string
		cells []MeanCell
		level float64
		want  Status
	}{
		{"nothing", nil, 0.95, Undefined},
		{"one cluster", []MeanCell{{1, 2}}, 0.95, LowData},
		{"no loss at all", []MeanCell{{1, 0}, {1, 0}}, 0.95, OK},
		{"two clusters at a level they cannot bear", []MeanCell{{1, 1}, {1, 0}}, 0.9999, Inconclusive},
	} {
		e, ok := ClusteredLoss(tc.cells, 2, tc.level, SmallSample)
		if e.Status != tc.want || ok != (tc.want != Undefined) {
			t.Errorf("%s: got %+v, %v", tc.name, e, ok)
		}
	}
}

func TestClusteredMean(t *testing.T) {
	// Single rows of weight 1: the textbook's standard error of a mean.
	xs := []float64{1, 4, 2, 8, 5, 7}
	var cells []MeanCell
	for _, x := range xs {
		cells = append(cells, MeanCell{1, x})
	}
	mean, variance := meanVariance(xs)
	half := studentQuantile(0.95, 5) * math.Sqrt(variance/6)
	e, ok := ClusteredMean(cells, 6, 0.95, SmallSample)
	if !ok || !near(e.Value, mean, 1e-14) || !near(e.High-e.Value, half, 1e-12) || !near(e.Value-e.Low, half, 1e-12) {
		t.Errorf("mean = %+v, %v; want %g ± %g", e, ok, mean, half)
	}
	if e, ok := ClusteredMean(cells[:1], 1, 0.95, SmallSample); !ok || e.Known != KnownValue || e.Status != LowData {
		t.Errorf("a single cluster: %+v, %v", e, ok)
	}
	if e, ok := ClusteredMean(nil, 0, 0.95, SmallSample); ok || e.Status != Undefined {
		t.Errorf("nothing: %+v, %v", e, ok)
	}
}

// Where both models score the same rows, the mean of their differences is known
// far better than the difference of their means.
func TestPairedDifference(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	var paired, a, b [64]MeanCell
	for range 20_000 {
		p := 0.2 * r.Float64()
		y := 0.0
		if r.Float64() < p {
			y = 1
		}
		la, lb := LogLoss(p, y), LogLoss(p*1.1, y)
		g := r.IntN(64)
		paired[g].Add(MeanCell{1, la - lb})
		a[g].Add(MeanCell{1, la})
		b[g].Add(MeanCell{1, lb})
	}
	p, ok1 := ClusteredMean(paired[:], 20_000, 0.95, SmallSample)
	ea, _ := ClusteredMean(a[:], 20_000, 0.95, SmallSample)
	eb, _ := ClusteredMean(b[:], 20_000, 0.95, SmallSample)
	d, ok2 := Difference(ea, eb)
	if !ok1 || !ok2 || !near(p.Value, d.Value, 1e-9) {
		t.Fatalf("paired %+v, difference %+v", p, d)
	}
	if p.High-p.Low > (d.High-d.Low)/5 {
		t.Errorf("paired ± %g, unpaired ± %g", p.High-p.Value, d.High-d.Value)
	}
	if !near(d.High-d.Value, math.Hypot(ea.High-ea.Value, eb.Value-eb.Low), 1e-12) || d.N != 40_000 {
		t.Errorf("difference = %+v", d)
	}
}

func TestDifferenceOfHalfOpen(t *testing.T) {
	a := Estimate{Value: 1, Low: 0.5, Known: KnownValue | KnownLow, Status: OK}
	b := Estimate{Value: 3, Low: 2, High: 4, Known: KnownAll, Status: LowData}
	d, ok := Difference(a, b)
	if !ok || d.HasHigh() || !d.HasLow() || !near(d.Low, -2-math.Hypot(0.5, 1), 1e-14) || d.Status != LowData {
		t.Errorf("difference = %+v, %v", d, ok)
	}
}

func TestKL(t *testing.T) {
	for _, p := range []float64{1e-6, 0.001, 0.3, 0.9} {
		if got := KL(p, p); got != 0 {
			t.Errorf("KL(%g, %g) = %g", p, p, got)
		}
		for _, q := range []float64{1e-7, 1e-5, 0.5, 0.99} {
			want := p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
			if got := KL(p, q); !near(got, want, 1e-9) || got < 0 {
				t.Errorf("KL(%g, %g) = %g, want %g", p, q, got, want)
			}
		}
	}
	// Close to the teacher it is t·δ²/2, of which the plain sum keeps no digit.
	p := 1e-5 * (1 + 1e-7)
	if got, want := KL(1e-5, p), 1e-5*1e-14/2; !near(got, want, 1e-4) {
		t.Errorf("KL near the teacher = %g, want %g", got, want)
	}
}

func TestLogRatioHistogram(t *testing.T) {
	for d, want := range map[float64]int{0: 800, 0.0099: 800, -0.0001: 799, 8: 1599, -8.01: 0, 100: 1599, -100: 0} {
		if got := LogRatioBin(d); got != want {
			t.Errorf("bin of %g = %d, want %d", d, got, want)
		}
	}
	if got := LogRatioBin(math.NaN()); got != 800 {
		t.Errorf("bin of NaN = %d", got)
	}
	if _, _, ok := new(LogRatioHistogram).Median(); ok {
		t.Error("ok without counts")
	}
}

// The AUC of the scores is within the half width that buckets leave open, and a
// perfect and an inverse ranking have 1 and 0.
func TestRankingBound(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	for _, buckets := range []int{2, 8, 64, 512} {
		s := ScoreBuckets{Low: 1e-5, N: buckets}
		rows := rows{}
		for range 500 {
			p := math.Exp(-10 * r.Float64())
			rows.p = append(rows.p, p)
			y := 0
			if r.Float64() < math.Sqrt(p)/2 {
				y = 1
			}
			rows.y = append(rows.y, y)
		}
		checkBound(t, rows, s)
	}
	for _, tc := range []struct {
		positive, negative []float64
		auc, ap            float64
	}{
		{[]float64{0, 0, 40}, []float64{5, 5, 0}, 1, 1},
		{[]float64{40, 0}, []float64{0, 10}, 0, 0.8},
		{[]float64{10}, []float64{10}, 0.5, 0.5},
		{[]float64{0, 1 << 62}, []float64{1 << 62, 0}, 1, 1},
	} {
		k, ok := RankingOf(tc.positive, tc.negative)
		if !ok || !near(k.AUC, tc.auc, 1e-12) || !near(k.AP, tc.ap, 1e-12) {
			t.Errorf("%v against %v: %+v, %v", tc.positive, tc.negative, k, ok)
		}
	}
	if k, _ := RankingOf([]float64{0, 29}, []float64{5, 5}); k.Status != LowData {
		t.Errorf("29 conversions: %v", k.Status)
	}
	if _, ok := RankingOf([]float64{0, 29}, []float64{0, 0}); ok {
		t.Error("ok with one class")
	}
}

func checkBound(t *testing.T, r rows, s ScoreBuckets) {
	t.Helper()
	one := func(int) float64 { return 1 }
	rank := ranks(r)
	positive, negative := buckets(r, len(r.p), func(i int) int { return rank[i] }, one)
	exact, ok := RankingOf(positive, negative)
	positive, negative = buckets(r, s.N, func(i int) int { return s.Bucket(r.p[i]) }, one)
	got, ok2 := RankingOf(positive, negative)
	if !ok || !ok2 || math.Abs(got.AUC-exact.AUC) > got.HalfWidth+1e-12 || got.HalfWidth > 0.5/float64(s.N)*20 {
		t.Errorf("%d buckets: %g ± %g, exactly %g", s.N, got.AUC, got.HalfWidth, exact.AUC)
	}
	if auc, _, ok := DeLongVariance(labelled(r)); !ok || !near(auc, exact.AUC, 1e-12) {
		t.Errorf("AUC by placements = %g, by buckets %g", auc, exact.AUC)
	}
}

// The jackknife over clusters of single rows must agree with DeLong's variance.
func TestAUCByClusters(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	s := ScoreBuckets{Low: 1e-4, N: 512}
	cells := make([][]float64, 256)
	for i := range cells {
		cells[i] = make([]float64, 2*s.N)
	}
	var rows []Labelled
	for range 8000 {
		p := math.Exp(-7 * r.Float64())
		y := 0
		if r.Float64() < p/2 {
			y = 1
		}
		rows = append(rows, Labelled{p, float64(y)})
		cells[r.IntN(256)][s.Bucket(p)+(1-y)*s.N]++
	}
	e, ok := AUCByClusters(cells, 0.95)
	auc, v, okD := DeLongVariance(rows)
	if !ok || !okD || e.N != 8000 {
		t.Fatalf("%+v, %v, %v", e, ok, okD)
	}
	want := 1.97 * math.Sqrt(v)
	if math.Abs(e.Value-auc) > 0.002 || math.Abs((e.High-e.Low)/2/want-1) > 0.25 {
		t.Errorf("AUC %g in [%g, %g], want %g ± %g", e.Value, e.Low, e.High, auc, want)
	}
}

// Ties count half, by placements as by buckets.
func TestTiedScores(t *testing.T) {
	var rows []Labelled
	var positive, negative [3]float64
	for i := range 60 {
		k := i % 3
		y := float64(i * i % 7 % 2)
		rows = append(rows, Labelled{float64(k), y})
		positive[k] += y
		negative[k] += 1 - y
	}
	r, ok := RankingOf(positive[:], negative[:])
	auc, v, okD := DeLongVariance(rows)
	if !ok || !okD || !near(auc, r.AUC, 1e-12) || v <= 0 {
		t.Errorf("AUC by placements = %g ± √%g, by buckets %g", auc, v, r.AUC)
	}
	same := []Labelled{{0.1, 1}, {0.1, 1}, {0.1, 0}, {0.1, 0}}
	if auc, v, ok := DeLongVariance(same); !ok || auc != 0.5 || v != 0 {
		t.Errorf("one score: %g, %g, %v", auc, v, ok)
	}
}

// What the buckets leave open is part of the interval.
func TestAUCByClustersHasTheBound(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	cells := make([][]float64, 32)
	total := make([]float64, 4)
	for i := range cells {
		cells[i] = []float64{float64(r.IntN(3)), float64(1 + r.IntN(5)), float64(r.IntN(20)), float64(r.IntN(9))}
		for k, v := range cells[i] {
			total[k] += v
		}
	}
	j, _ := Jackknife(cells, func(s []float64) (float64, bool) {
		r, ok := RankingOf(s[:2], s[2:])
		return r.AUC, ok
	})
	inner, _ := j.Estimate(0, 0.95)
	whole, _ := RankingOf(total[:2], total[2:])
	e, ok := AUCByClusters(cells, 0.95)
	if !ok || !near(e.Low, inner.Low-whole.HalfWidth, 1e-12) || !near(e.High, math.Min(1, inner.High+whole.HalfWidth), 1e-12) || whole.HalfWidth < 0.05 {
		t.Errorf("interval %+v, want %+v widened by %g", e, inner, whole.HalfWidth)
	}
}

func TestRelativeChange(t *testing.T) {
	e, ok := RelativeChange(0.21, 0.3, 1e-6, 1e-6, 0, 0.95, 100)
	if !ok || !near(e.Value, 0.3, 1e-12) || e.Low >= 0.3 || e.High <= 0.3 || e.High-e.Low > 0.05 || e.N != 100 {
		t.Errorf("an error of 0.21 after one of 0.3: %+v, %v", e, ok)
	}
	if e, ok := RelativeChange(0.2, 0.3, 0.1, 0.1, 0, 0.95, 1); !ok || e.Status != Inconclusive {
		t.Errorf("errors of which nothing is known: %+v, %v", e, ok)
	}
}

// Where E_b and O_b agree but for chance, d is N(0, s²): the LogMAE has mean
// s·√(2/π), and the debiased one twice that less the mean of |N(0, 2s²)|, which
// leaves 2 − √2 of it.
func TestLogMAEOnLabelsOfARightModel(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	plain, debiased := 0.0, 0.0
	for range 300 {
		bins := make([]Bin, 20)
		for i := range bins {
			bins[i].N, bins[i].Prediction = 1000, 30
			for range 1000 {
				if r.Float64() < 0.03 {
					bins[i].Observed++
				}
			}
		}
		m, ok := LogMAEOnLabels(bins)
		if !ok || m.Debiased < 0 || m.Debiased > m.Weighted {
			t.Fatalf("%+v, %v", m, ok)
		}
		plain += m.Weighted / 300
		debiased += m.Debiased / 300
	}
	if want := plain * (2 - math.Sqrt2); !near(debiased, want, 0.03) {
		t.Errorf("LogMAE %g, debiased %g, want %g", plain, debiased, want)
	}
}
