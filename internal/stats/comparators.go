package stats

import "math"

// PageHinkley is the test of Page 1954 (Biometrika 41) as others run it, for
// comparisons only: it says nothing about its false alarms. NewPageHinkley sets
// its parameters.
type PageHinkley struct {
	MinInstances             int64
	Delta, Threshold, Forget float64

	n                       int64
	mean                    float64
	up, down, least, mostly float64
}

// NewPageHinkley is a detector in both directions: it alarms when the sum of
// deviations from the running mean, less delta each and discounted by forget,
// has come further than threshold from its extreme.
func NewPageHinkley(minInstances int64, delta, threshold, forget float64) *PageHinkley {
	p := &PageHinkley{MinInstances: minInstances, Delta: delta, Threshold: threshold, Forget: forget}
	p.reset()
	return p
}

func (p *PageHinkley) reset() {
	p.n, p.mean, p.up, p.down, p.least, p.mostly = 0, 0, 0, 0, inf, -1
}

// Add takes the next value and reports an alarm, after which it begins anew.
// Values that are not finite are left out.
func (p *PageHinkley) Add(x float64) bool {
	if !finite(x) {
		return false
	}
	p.n++
	p.mean += (x - p.mean) / float64(p.n)
	d := x - p.mean
	p.up = p.Forget*p.up + d - p.Delta
	p.down = p.Forget*p.down + d + p.Delta
	p.least = math.Min(p.least, p.up)
	p.mostly = math.Max(p.mostly, p.down)
	if p.n < p.MinInstances || !(p.up-p.least > p.Threshold || p.mostly-p.down > p.Threshold) {
		return false
	}
	p.reset()
	return true
}

// Parameters of ADWIN that its authors and river share.
const (
	adwinBuckets = 5  // of each size
	adwinClock   = 32 // values between two looks
	adwinMin     = 5  // values in a part of the window
	adwinGrace   = 10
)

// ADWIN is the adaptive window of Bifet and Gavaldà 2007 (SIAM SDM), for
// comparisons only. It keeps a window of buckets of 2^i values and drops its
// older part whenever two parts of it differ by more than a Bernstein bound at
// Delta allows. As in river, it begins anew with the value after an alarm.
type ADWIN struct {
	Delta float64

	rows     [][]adwinBucket // by size, each with the oldest first
	width    float64
	total    float64
	variance float64 // times width
	seen     int64
	alarmed  bool
}

type adwinBucket struct{ total, variance float64 }

// Width is the number of values in the window.
func (a *ADWIN) Width() float64 { return a.width }

// Mean is the mean of the window, not ok when it is empty.
func (a *ADWIN) Mean() (float64, bool) { return Ratio(a.total, a.width) }

// Add takes the next value and reports whether the window has been cut. Values
// that are not finite are left out.
func (a *ADWIN) Add(x float64) bool {
	if !finite(x) || !finite(a.total+x) {
		return false
	}
	if a.alarmed {
		*a = ADWIN{Delta: a.Delta}
	}
	if a.width > 0 {
		d := x - a.total/a.width
		a.variance += a.width * d * d / (a.width + 1)
	}
	a.width++
	a.total += x
	if len(a.rows) == 0 {
		a.rows = append(a.rows, nil)
	}
	a.rows[0] = append(a.rows[0], adwinBucket{total: x})
	a.compress()
	a.seen++
	if a.seen%adwinClock == 0 && a.width > adwinGrace {
		for a.shrink() {
			a.alarmed = true
		}
	}
	return a.alarmed
}

// compress merges the two oldest buckets of a size of which there are too many.
func (a *ADWIN) compress() {
	for i := 0; i < len(a.rows) && len(a.rows[i]) > adwinBuckets; i++ {
		if i+1 == len(a.rows) {
			a.rows = append(a.rows, nil)
		}
		n := math.Ldexp(1, i)
		x, y := a.rows[i][0], a.rows[i][1]
		d := (x.total - y.total) / n
		merged := adwinBucket{x.total + y.total, x.variance + y.variance + n*d*d/2}
		a.rows[i] = append(a.rows[i][:0], a.rows[i][2:]...)
		a.rows[i+1] = append(a.rows[i+1], merged)
	}
}

// shrink drops the oldest bucket if some cut of the window separates parts that
// differ.
func (a *ADWIN) shrink() bool {
	n0, u0 := 0.0, 0.0
	for i := len(a.rows) - 1; i >= 0; i-- {
		n := math.Ldexp(1, i)
		for k, b := range a.rows[i] {
			n0 += n
			u0 += b.total
			if i == 0 && k == len(a.rows[0])-1 {
				return false // nothing is left for the younger part
			}
			n1, u1 := a.width-n0, a.total-u0
			if n0 >= adwinMin && n1 >= adwinMin && a.differ(n0, n1, u0/n0-u1/n1) {
				a.dropOldest()
				return true
			}
		}
	}
	return false
}

func (a *ADWIN) differ(n0, n1, d float64) bool {
	l := math.Log(2 * math.Log(a.width) / a.Delta)
	m := 1/(n0-adwinMin+1) + 1/(n1-adwinMin+1)
	return math.Abs(d) > math.Sqrt(2*m*(a.variance/a.width)*l)+2.0/3*l*m
}

func (a *ADWIN) dropOldest() {
	i := len(a.rows) - 1
	n, b := math.Ldexp(1, i), a.rows[i][0]
	a.width -= n
	a.total -= b.total
	d := b.total/n - a.total/a.width
	a.variance = math.Max(0, a.variance-b.variance-n*a.width*d*d/(n+a.width))
	a.rows[i] = a.rows[i][1:]
	for len(a.rows) > 0 && len(a.rows[len(a.rows)-1]) == 0 {
		a.rows = a.rows[:len(a.rows)-1]
	}
}
