package stats

import "math"

// Paired are rows of which both sides are known: a feature family, present
// offline and online for the same (request, pin).
type Paired struct {
	Both, OfflineOnly, OnlineOnly, Neither int64
}

// Add adds the rows of o.
func (p *Paired) Add(o Paired) {
	p.Both += o.Both
	p.OfflineOnly += o.OfflineOnly
	p.OnlineOnly += o.OnlineOnly
	p.Neither += o.Neither
}

func (p Paired) total() (float64, bool) {
	if p.Both < 0 || p.OfflineOnly < 0 || p.OnlineOnly < 0 || p.Neither < 0 {
		return 0, false
	}
	n := float64(p.Both) + float64(p.OfflineOnly) + float64(p.OnlineOnly) + float64(p.Neither)
	return n, n > 0
}

// Variance is that of Difference, (b + c − (b−c)²/n)/n² with b and c the rows in
// which only one side has the family.
func (p Paired) Variance() (float64, bool) {
	n, ok := p.total()
	if !ok {
		return 0, false
	}
	b, c := float64(p.OfflineOnly)/n, float64(p.OnlineOnly)/n
	v := math.Max(0, b+c-(b-c)*(b-c)) / n
	return checked(v, v)
}

// Difference is the coverage offline less that online, (b−c)/n, with ± z·√(φ·V).
// φ is the design effect of pins. Below 10 rows that differ the status is
// low_data and McNemar the test.
func (p Paired) Difference(phi, level float64) (Estimate, bool) {
	n, ok := p.total()
	v, okV := p.Variance()
	if !ok || !okV {
		return undefined(0, Undefined)
	}
	b, c := float64(p.OfflineOnly), float64(p.OnlineOnly)
	d := b/n - c/n
	half := twoSidedZ(level) * math.Sqrt(v*Arm{DesignEffect: phi}.phi())
	status := OK
	if b+c < minLogDelta {
		status = LowData
	}
	return estimate(d, math.Max(-1, d-half), math.Min(1, d+half), int64(math.Min(n, maxCount)), status)
}

// McNemar is the exact two-sided p-value of equal coverage on both sides: the
// rows that differ fall to either side like coins (McNemar 1947, Psychometrika
// 12). It is 1 where no row differs, and not ok without rows.
func (p Paired) McNemar() (float64, bool) {
	if _, ok := p.total(); !ok {
		return 0, false
	}
	b, c := float64(p.OfflineOnly), float64(p.OnlineOnly)
	if b+c == 0 {
		return 1, true
	}
	v := math.Min(1, 2*betaInc(math.Max(b, c), math.Min(b, c)+1, 0.5))
	return checked(v, v)
}

// Parity is the share of rows with the family offline that have it online too,
// with Wilson's interval at the rows divided by φ.
func (p Paired) Parity(phi, level float64) (Estimate, bool) {
	if _, ok := p.total(); !ok {
		return undefined(0, Undefined)
	}
	phi = Arm{DesignEffect: phi}.phi()
	k, n := float64(p.Both), float64(p.Both)+float64(p.OfflineOnly)
	e, ok := Wilson(k/phi, n/phi, level)
	e.N = int64(math.Min(n, maxCount))
	return e, ok
}
