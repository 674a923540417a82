package stats

import "math"

// DelayTriangle counts conversions by the age of their impressions and by their
// delay: Counts[age][delay], in the same buckets of time. A delay is in bucket
// u if it is at most the bucket's upper edge, and an age is in bucket a if the
// buckets up to a have passed in full: an impression of age a shows all of its
// conversions with delays up to a, and those later ones that happen to be there
// already are not counted. It is a sum, so that triangles add.
type DelayTriangle struct {
	Counts [][]int64
}

// NewDelayTriangle is an empty triangle of n buckets.
func NewDelayTriangle(n int) DelayTriangle {
	t := DelayTriangle{Counts: make([][]int64, max(n, 0))}
	for a := range t.Counts {
		t.Counts[a] = make([]int64, a+1)
	}
	return t
}

// Buckets is the number of buckets of age and delay.
func (t DelayTriangle) Buckets() int { return len(t.Counts) }

// AddConversions counts n conversions, negative for retractions, and reports
// whether there is a place for them: not for a delay beyond the age. Ages beyond
// the last bucket belong to it.
func (t DelayTriangle) AddConversions(age, delay int, n int64) bool {
	age = min(age, len(t.Counts)-1)
	if age < 0 || delay < 0 || delay >= len(t.Counts[age]) {
		return false
	}
	t.Counts[age][delay] += n
	return true
}

// Add adds another triangle of the same size; otherwise it does nothing and
// reports false.
func (t DelayTriangle) Add(o DelayTriangle) bool {
	if len(t.Counts) != len(o.Counts) {
		return false
	}
	for a := range o.Counts {
		if len(o.Counts[a]) != len(t.Counts[a]) {
			return false
		}
	}
	for a := range o.Counts {
		for u, n := range o.Counts[a] {
			t.Counts[a][u] += n
		}
	}
	return true
}

// events are d_u, the conversions with delay u, and n_u, those that could have
// been among them had they had that delay: with a delay of at most u and an age
// of at least u.
func (t DelayTriangle) events() (d, n []float64) {
	d, n = make([]float64, len(t.Counts)), make([]float64, len(t.Counts))
	for a, row := range t.Counts {
		sum := 0.0
		for u := 0; u <= a && u < len(row); u++ {
			c := math.Max(0, float64(row[u]))
			sum += c
			d[u] += c
			n[u] += sum
		}
	}
	return d, n
}

// DelayCurve is the distribution of the delay of conversions.
type DelayCurve struct {
	F      []float64 // Pr(delay ≤ bucket), at its last the share that comes at all within the buckets
	Events []float64 // d_u, conversions with the delay
	AtRisk []float64 // n_u, conversions that could have had it
	N      int64     // conversions
	Status Status    // low_data where some hazard rests on nothing
	terms  []float64 // d_u/(n_u(n_u−d_u)), the variance of ln(1−hazard)
}

// FitDelayCurve is the product limit in reversed time for delays that are seen
// only once they have passed, which are right-truncated:
//
//	F(a) = Π_{u>a} (1 − d_u/n_u)
//
// (Lagakos, Barraj and De Gruttola 1988, Biometrika 75), the same as the chain
// ladder of insurers. Counting what has converted by now instead would take the
// quick conversions of young impressions for all. tail is the share of
// conversions that come within the buckets at all, from history; 1 where the last
// bucket is the attribution window's end.
//
// The curve is fitted by conversion type or optimisation type, with the arms
// pooled, of which DelayShift tells whether they may be. Not ok without
// conversions or unless 0 < tail ≤ 1. A bucket with n_u = 0, of which no
// impression is old enough to tell, counts as without conversions, and the
// status is low_data; so it is where n_u = d_u leaves nothing before u.
func FitDelayCurve(t DelayTriangle, tail float64) (DelayCurve, bool) {
	d, n := t.events()
	c := DelayCurve{F: make([]float64, len(d)), Events: d, AtRisk: n, Status: OK, terms: make([]float64, len(d))}
	total := 0.0
	for _, v := range d {
		total += v
	}
	c.N = int64(math.Min(total, maxCount))
	if !(total > 0) || !(tail > 0 && tail <= 1) {
		return DelayCurve{}, false
	}
	f := tail
	for a := len(d) - 1; a >= 0; a-- {
		c.F[a] = f
		switch {
		case n[a] == 0:
			c.Status = LowData
		case d[a] >= n[a]:
			f = 0
			if a > 0 {
				c.Status = LowData
			}
		default:
			f *= 1 - d[a]/n[a]
			c.terms[a] = d[a] / n[a] / (n[a] - d[a])
		}
	}
	return c, true
}

// Covariance is that of F at two buckets, F_a·F_b·Σ_{u>max(a,b)} d_u/(n_u(n_u−d_u)),
// Greenwood's in reversed time. The tail is taken as known. Not ok outside the
// buckets.
func (c DelayCurve) Covariance(a, b int) (float64, bool) {
	if a < 0 || b < 0 || a >= len(c.F) || b >= len(c.F) {
		return 0, false
	}
	sum := 0.0
	for u := max(a, b) + 1; u < len(c.terms); u++ {
		sum += c.terms[u]
	}
	v := c.F[a] * c.F[b] * sum
	return checked(v, v)
}

// Survival is the Kaplan–Meier curve of time to conversion over all impressions,
// converted or not, which does not come down to 0: most never convert. events
// and censored are the conversions, and the impressions without one that have
// been watched up to it, in each bucket of time; a conversion counts before a
// censoring in the same bucket. s[t] is the share that has not converted by t,
// with Greenwood's variance s²·Σ_{u≤t} d_u/(n_u(n_u−d_u)), 0 where s is (Kaplan
// and Meier 1958, JASA 53). Not ok without impressions, for negative counts and
// unequal lengths.
func Survival(events, censored []int64) (s, variance []float64, ok bool) {
	if len(events) != len(censored) {
		return nil, nil, false
	}
	atRisk := 0.0
	for i := range events {
		if events[i] < 0 || censored[i] < 0 {
			return nil, nil, false
		}
		atRisk += float64(events[i]) + float64(censored[i])
	}
	if atRisk == 0 {
		return nil, nil, false
	}
	s, variance = make([]float64, len(events)), make([]float64, len(events))
	share, sum := 1.0, 0.0
	for i := range events {
		d := float64(events[i])
		if atRisk > 0 {
			share *= math.Max(0, 1-d/atRisk)
			if rest := atRisk - d; rest > 0 {
				sum += d / atRisk / rest
			}
		}
		s[i], variance[i] = share, share*share*sum
		atRisk = math.Max(0, atRisk-d-float64(censored[i]))
	}
	return s, variance, true
}
