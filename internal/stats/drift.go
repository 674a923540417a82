package stats

import "math"

// Drift compares two histograms of the same bins: a reference's and the current
// one's.
type Drift struct {
	Reference, Current []int64
}

// shares are the bins of both with their totals, those with a negative count
// taken as empty. Not ok where either has none.
func (d Drift) shares() (a, b []float64, n, m float64, ok bool) {
	k := min(len(d.Reference), len(d.Current))
	a, b = make([]float64, k), make([]float64, k)
	for i := range k {
		a[i], b[i] = float64(max(d.Reference[i], 0)), float64(max(d.Current[i], 0))
		n += a[i]
		m += b[i]
	}
	if n == 0 || m == 0 {
		return nil, nil, 0, 0, false
	}
	for i := range k {
		a[i] /= n
		b[i] /= m
	}
	return a, b, n, m, true
}

// PSI is a population stability index with what chance makes of it.
type PSI struct {
	Value     float64
	NullMean  float64 // what it is expected to be without drift
	Critical  float64 // what 1 % of it exceeds without drift
	Threshold float64 // max(0.1, Critical): fixed thresholds alone know no sample size
	Drifted   bool    // Value ≥ Threshold
}

// PSI is Σ(a − b)·ln(a/b) over the shares a and b of the bins, with kappa rows,
// usually ½, added to each so that an empty bin has a logarithm. Without drift
// it is about (1/n + 1/m)·χ² at B−1 degrees of freedom (Yurdakul and Naranjo
// 2020, Journal of Risk Model Validation 14). designEffect divides both numbers
// of rows where they are clustered; 1 otherwise. Not ok where either histogram
// is empty, or for a kappa that is not positive and finite.
func (d Drift) PSI(kappa, designEffect float64) (PSI, bool) {
	a, b, n, m, ok := d.shares()
	if !ok || !(kappa > 0) || !finite(kappa) {
		return PSI{}, false
	}
	if !(designEffect > 1) || !finite(designEffect) {
		designEffect = 1
	}
	k := float64(len(a))
	p := PSI{}
	for i := range a {
		x := (a[i]*n + kappa) / (n + kappa*k)
		y := (b[i]*m + kappa) / (m + kappa*k)
		p.Value += (x - y) * math.Log(x/y)
	}
	noise := (1/n + 1/m) * designEffect
	p.NullMean = (k - 1) * noise
	if k > 1 {
		p.Critical = chiSquaredQuantile(0.99, k-1) * noise
	}
	p.Threshold = max(0.1, p.Critical)
	p.Drifted = p.Value >= p.Threshold
	return checked(p, p.Value, p.Critical)
}

// JS is the Jensen–Shannon divergence, in nats, and the distance that is its
// root.
type JS struct {
	Divergence float64 // ½KL(a‖m) + ½KL(b‖m), m the mean of both: at most ln 2
	Distance   float64
	Debiased   float64 // the divergence less its bias without drift, at least 0
}

// JS compares the shares of the bins (Lin 1991, IEEE Transactions on Information
// Theory 37). Empty bins need no filling. The bias is that of Miller and Madow,
// (B−1)/8·(1/n + 1/m). Not ok where either histogram is empty.
func (d Drift) JS() (JS, bool) {
	a, b, n, m, ok := d.shares()
	if !ok {
		return JS{}, false
	}
	v := 0.0
	for i := range a {
		if mean := (a[i] + b[i]) / 2; mean > 0 {
			// As deviances of each share from the mean: their first-order terms
			// cancel, so that a small divergence keeps its digits.
			v += (deviance(a[i], mean) + deviance(b[i], mean)) / 2
		}
	}
	v = clamp(v, 0, math.Ln2)
	bias := (float64(len(a)) - 1) / 8 * (1/n + 1/m)
	return JS{v, math.Sqrt(v), math.Max(0, v-bias)}, true
}

// KS is the largest difference of both distribution functions at the edges of
// the bins. Between edges it can be larger by at most the mass of the largest
// bin, which is within.
func (d Drift) KS() (value, within float64, ok bool) {
	a, b, _, _, ok := d.shares()
	if !ok {
		return 0, 0, false
	}
	f, g := 0.0, 0.0
	for i := range a {
		f += a[i]
		g += b[i]
		value = math.Max(value, math.Abs(f-g))
		within = math.Max(within, math.Max(a[i], b[i]))
	}
	return math.Min(value, 1), within, true
}

// Wasserstein is W1 = Σ|F − G|·Δ with the bins at positions, ascending: for
// predictions the logarithms of the bins' middles. Scaled is W1 over the
// reference's standard deviation, 0 where that is 0; an effect of 0.1 is small.
type Wasserstein struct {
	Value, Scaled float64
}

// Wasserstein compares the histograms. Not ok where either is empty, or the
// positions are too few, do not ascend or are not finite.
func (d Drift) Wasserstein(positions []float64) (Wasserstein, bool) {
	a, b, _, _, ok := d.shares()
	if !ok || len(positions) < len(a) {
		return Wasserstein{}, false
	}
	w := Wasserstein{}
	f, g, mean := 0.0, 0.0, 0.0
	for i := range a {
		if !finite(positions[i]) || i > 0 && positions[i] < positions[i-1] {
			return Wasserstein{}, false
		}
		if i > 0 {
			w.Value += math.Abs(f-g) * (positions[i] - positions[i-1])
		}
		f += a[i]
		g += b[i]
		mean += a[i] * positions[i]
	}
	variance := 0.0
	for i := range a {
		variance += a[i] * (positions[i] - mean) * (positions[i] - mean)
	}
	w.Scaled, _ = Ratio(w.Value, math.Sqrt(variance))
	return checked(w, w.Value)
}

// FilledPSI is Σ(a − b)·ln(a/b) with empty bins filled by a share of 1e-4, or by
// a millionth of the smallest other share where that is not above 1e-4: as
// evidently 0.7.23 has it, to compare with. PSI above depends less on the
// filling. Each bin counts that is not empty in both. Not ok where either
// histogram is empty.
func (d Drift) FilledPSI() (float64, bool) {
	a, b, _, _, ok := d.shares()
	if !ok {
		return 0, false
	}
	fill := func(s []float64) {
		least := inf
		for i := range s {
			if s[i] > 0 {
				least = min(least, s[i])
			}
		}
		filling := 1e-4
		if least <= 1e-4 {
			filling = least / 1e6
		}
		for i := range s {
			if s[i] == 0 {
				s[i] = filling
			}
		}
	}
	fill(a)
	fill(b)
	v := 0.0
	for i := range a {
		if d.Reference[i] > 0 || d.Current[i] > 0 {
			v += (a[i] - b[i]) * math.Log(a[i]/b[i])
		}
	}
	return checked(v, v)
}

// DistanceBase2 is the distance in bits, which is at most 1: the unit of some
// tools.
func (j JS) DistanceBase2() float64 { return math.Sqrt(j.Divergence / math.Ln2) }
