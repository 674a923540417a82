package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// meanOf is Σ Pr(k)·e(k) over k = 0…n, the mean of an e-value of a count.
func meanOf(t *testing.T, n int, logMass func(k int) float64, e func(k int) (LogE, bool)) float64 {
	t.Helper()
	sum := 0.0
	for k := range n + 1 {
		v, ok := e(k)
		if !ok {
			t.Fatalf("no evidence at %d of %d", k, n)
		}
		sum += math.Exp(logMass(k) + float64(v))
	}
	return sum
}

// Under the null the mean of each e-value is 1, by summing over every outcome.
func TestEvidenceMeansOne(t *testing.T) {
	poisson := func(lambda float64) func(int) float64 {
		return func(k int) float64 { return float64(k)*math.Log(lambda) - lambda - lgamma(float64(k)+1) }
	}
	binomial := func(n int, q float64) func(int) float64 {
		return func(k int) float64 { return binomialLogMass(float64(k), float64(n), q) }
	}
	const n, q = 400, 0.3
	arms := func(k int) Stratum {
		return Stratum{Arm{Observed: int64(k), Expected: 3}, Arm{Observed: int64(n - k), Expected: 7}}
	}
	for name, mean := range map[string]float64{
		"RatioE": meanOf(t, 4000, poisson(3), func(k int) (LogE, bool) { return RatioE(Arm{Observed: int64(k), Expected: 3}) }),
		"RatioEAbove at its edge": meanOf(t, 4000, poisson(36), func(k int) (LogE, bool) {
			return RatioEAbove(Arm{Observed: int64(k), Expected: 30}, 1.2)
		}),
		"RatioEBelow at its edge": meanOf(t, 4000, poisson(24), func(k int) (LogE, bool) {
			return RatioEBelow(Arm{Observed: int64(k), Expected: 30}, 0.8)
		}),
		"TwoArm": meanOf(t, n, binomial(n, q), func(k int) (LogE, bool) {
			p := NewTwoArm(DefaultGrid())
			p.Add(arms(k))
			return p.LogE(1)
		}),
		"ConditionalE": meanOf(t, n, binomial(n, q), func(k int) (LogE, bool) {
			return ConditionalE(arms(k).Treatment, arms(k).Control, 50)
		}),
		"SampleRatio": meanOf(t, n, binomial(n, q), func(k int) (LogE, bool) {
			return SampleRatio{Counts: []int64{int64(k), int64(n - k)}, Shares: []float64{3, 7}}.LogE()
		}),
		"QuantileMixture": meanOf(t, n, binomial(n, q), func(k int) (LogE, bool) {
			return QuantileMixture{q, 100, 0.05}.LogE(float64(k), n)
		}),
	} {
		if !near(mean, 1, 1e-9) {
			t.Errorf("%s has mean %.12g", name, mean)
		}
	}
	// Normal sums: by the trapezoid rule, which is exact to all digits here.
	for name, logE := range map[string]func(s, v float64) (LogE, bool){
		"normal": NormalMixtureAt(100, 0.05).LogE, "one-sided normal": OneSidedNormalMixtureAt(100, 0.05).LogE,
	} {
		const v, step = 40.0, 0.05
		sum := 0.0
		for i := -20000; i <= 20000; i++ {
			s := float64(i) * step
			e, _ := logE(s, v)
			sum += step * math.Exp(float64(e)-s*s/2/v-0.5*math.Log(2*math.Pi*v))
		}
		if !near(sum, 1, 1e-9) {
			t.Errorf("%s mixture has mean %.12g", name, sum)
		}
	}
}

// Away from the edge of a one-sided null, and for Bernoulli rows of unequal
// predictions, the mean is below 1.
func TestEvidenceOfBernoulliRows(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	p, expected := make([]float64, 60), 0.0
	for i := range p {
		p[i] = r.Float64()
		expected += p[i]
	}
	// The distribution of the sum of all rows, and of the rows of two arms.
	counts := func(rows []float64, factor float64) []float64 {
		mass := []float64{1}
		for _, q := range rows {
			next := make([]float64, len(mass)+1)
			for k, m := range mass {
				next[k] += m * (1 - q*factor)
				next[k+1] += m * q * factor
			}
			mass = next
		}
		return mass
	}
	sumOf := func(rows []float64) (s float64) {
		for _, q := range rows {
			s += q
		}
		return s
	}
	one := counts(p, 1)
	lower := counts(p, 0.8)
	means := map[string]float64{}
	for k := range one {
		arm := Arm{Observed: int64(k), Expected: expected}
		e, ok := RatioE(arm)
		up, okUp := RatioEAbove(arm, 1)
		margin, okM := RatioEOutside(arm, 0.75, 0.9)
		if !ok || !okUp || !okM {
			t.Fatal("not ok")
		}
		means["RatioE"] += one[k] * math.Exp(float64(e))
		means["RatioEAbove at 0.8"] += lower[k] * math.Exp(float64(up))
		means["RatioEOutside around 0.8"] += lower[k] * math.Exp(float64(margin))
	}
	a, b := p[:20], p[20:]
	for i, ma := range counts(a, 0.7) {
		for j, mb := range counts(b, 0.7) {
			process := NewTwoArm(DefaultGrid())
			process.Add(Stratum{Arm{Observed: int64(i), Expected: sumOf(a)}, Arm{Observed: int64(j), Expected: sumOf(b)}})
			e, _ := process.LogE(1)
			means["TwoArm under a common factor"] += ma * mb * math.Exp(float64(e))
		}
	}
	for name, m := range means {
		if !(m <= 1+1e-12) || m < 0.01 {
			t.Errorf("%s has mean %g, want at most 1", name, m)
		}
	}
}

// M_n of the Shiryaev–Roberts detector has mean n, and CUSUM is never above it.
func TestDetectorMeans(t *testing.T) {
	const paths, windows, lambda = 4000, 20, 5
	r := rand.New(rand.NewPCG(13, 14))
	sum, squares := 0.0, 0.0
	for range paths {
		d := NewDetector([]float64{-0.2, 0.1, 0.2})
		for range windows {
			d.AddArm(Arm{Observed: int64(poisson(r, lambda)), Expected: lambda})
		}
		m, _ := d.Rate()
		c, _ := d.CUSUMRate()
		if c > m {
			t.Fatalf("CUSUM %g is above SR %g", c, m)
		}
		v := math.Exp(float64(m))
		sum += v
		squares += v * v
	}
	mean := sum / paths
	se := math.Sqrt((squares/paths - mean*mean) / paths)
	if math.Abs(mean-windows) > 4*se || se > 1 {
		t.Errorf("mean of M_%d = %g ± %g", windows, mean, se)
	}
}

// poisson draws a Poisson count by counting exponential gaps.
func poisson(r *rand.Rand, mean float64) int {
	n := 0
	for sum := r.ExpFloat64(); sum < mean; sum += r.ExpFloat64() {
		n++
	}
	return n
}

// Looking at every window, the tempered two-arm test errs in fewer than 5 % of
// paths although conversions come in threes and both arms swing together; without
// tempering the clusters break it.
func TestTwoArmUnderPeeking(t *testing.T) {
	const paths, windows, size = 600, 150, 3
	r := rand.New(rand.NewPCG(15, 16))
	false3, false1, found := 0, 0, 0
	for range paths {
		null, changed := NewTwoArm(DefaultGrid()), NewTwoArm(DefaultGrid())
		hit3, hit1, hit := false, false, false
		for w := range windows {
			share := 0.2
			if w > windows/2 {
				share = 0.7 // a ramp step
			}
			swing := 0.7 + 0.6*float64(w/7%2)
			draw := func(mean float64) Arm {
				return Arm{Observed: int64(size * poisson(r, mean*swing/size)), Expected: mean}
			}
			control := draw(40 * (1 - share))
			null.Add(Stratum{draw(40 * share), control})
			more := draw(40 * share * 1.5)
			more.Expected = 40 * share
			changed.Add(Stratum{more, control})
			e3, _ := null.LogE(size)
			e1, _ := null.LogE(1)
			e, _ := changed.LogE(size)
			hit3, hit1, hit = hit3 || e3.Rejects(0.05), hit1 || e1.Rejects(0.05), hit || e.Rejects(0.05)
		}
		for _, h := range []struct {
			hit bool
			n   *int
		}{{hit3, &false3}, {hit1, &false1}, {hit, &found}} {
			if h.hit {
				*h.n++
			}
		}
	}
	if false3 > paths*5/100 {
		t.Errorf("%d of %d paths without a difference alarm", false3, paths)
	}
	if false1 < paths/5 {
		t.Errorf("only %d of %d paths alarm untempered: the simulation has no clusters", false1, paths)
	}
	if found < paths*99/100 {
		t.Errorf("only %d of %d paths with a ratio of 1.5 alarm", found, paths)
	}
}
