package stats

import (
	"math"
	"slices"
)

// Detector watches for a change at an unknown time, forever: Shiryaev–Roberts
// and CUSUM e-detectors over windows in order, one of each for every log rate
// ratio g of a grid (Shin, Ramdas and Rinaldo 2024, arXiv:2203.03532). With L_g
// the log likelihood ratio of a window,
//
//	SR:    M_g ← (1 + M_g)·e^{L_g},   from 0
//	CUSUM: M_g ← max(M_g, 1)·e^{L_g}, from 1
//
// and M the mean over g. For SR, M_n − n is a supermartingale without change: the
// average run length to M ≥ c is at least c windows, and the probability of an
// alarm within T windows at most T/c. CUSUM is never above SR.
//
// It is sequential by nature: the state is that of a fold over windows, small
// and made of numbers only, so that it can be stored and read back. The zero
// value has no grid and never alarms.
type Detector struct {
	Grid    []float64 // g
	SR      []float64 // ln M_g; 0 and without meaning before the first window
	CUSUM   []float64 // ln M_g
	Zero    []int64   // the window before which M_g of CUSUM was last at most 1
	Windows int64     // windows since the start or the last Reset
	Total   int64     // all windows
}

// NewDetector is a detector without windows. The grid is as in NewTwoArm.
func NewDetector(grid []float64) *Detector {
	n := len(grid)
	return &Detector{
		Grid: NewTwoArm(grid).Grid, SR: make([]float64, n), CUSUM: make([]float64, n), Zero: make([]int64, n),
	}
}

// AddArm takes the next window of one arm, for a change of Q away from 1:
// L_g = (N·g − (e^g − 1)·Λ)/φ. φ is the arm's design effect. A window that
// cannot be used counts as one without evidence.
func (d *Detector) AddArm(arm Arm) {
	n, lambda, ok := arm.tempered()
	d.step(func(g float64) float64 {
		if !ok {
			return 0
		}
		return n*g - math.Expm1(g)*lambda
	})
}

// AddArms takes the next window of two arms, for a change of Q_T/Q_C away from
// 1: L_g = (o_T·g − (o_T+o_C)·ln(1 + θ(e^g − 1)))/φ, summed over the window's
// cells. φ is as in TwoArm.LogE.
func (d *Detector) AddArms(cells []Stratum, phi float64) {
	phi = Arm{DesignEffect: phi}.phi()
	d.step(func(g float64) float64 {
		sum := 0.0
		for _, c := range cells {
			theta, ok := share(c.Treatment, c.Control)
			if !ok {
				continue
			}
			o, n := float64(c.Treatment.Observed), float64(c.Treatment.Observed)+float64(c.Control.Observed)
			sum += o*g - n*conditional(theta, g)
		}
		return sum / phi
	})
}

// AddMean takes the next window of an estimate that is normal with variance v,
// for a change of its mean from 0 or below to one of the grid: L_g = (x·g −
// g²/2)/v. With the grid above 0 and x less what is tolerated, a mean of at most
// that much makes each e^{L_g} at most 1 in expectation; x negated, and the same
// grid, watch the other side. A window that cannot be used counts as one without
// evidence.
func (d *Detector) AddMean(x, v float64) {
	ok := finite(x) && v > 0 && finite(v)
	d.step(func(g float64) float64 {
		if !ok {
			return 0
		}
		return g * (x - g/2) / v
	})
}

// AddShare takes the next window of k of n that have something, for a change of
// their share from q0 or below to q0 + g: the binomial likelihood ratio
//
//	L_g = (k·ln(q1/q0) + (n−k)·ln((1−q1)/(1−q0)))/φ,  q1 = q0 + g,
//
// which for the grid above 0 is at most 1 in expectation at every share up to q0.
// For the other side, count those that do not have it. φ ≥ 1 tempers it, by how
// much clusters, or that q0 is an estimate, add to the variance of k. A window
// that cannot be used counts as one without evidence.
func (d *Detector) AddShare(k, n, q0, phi float64) {
	phi = Arm{DesignEffect: phi}.phi()
	ok := finite(k, n, q0) && k >= 0 && k <= n && n > 0
	q0 = clamp(q0, shareEdge, 1-shareEdge)
	d.step(func(g float64) float64 {
		if !ok {
			return 0
		}
		q1 := clamp(q0+g, shareEdge, 1-shareEdge)
		return (k*math.Log(q1/q0) + (n-k)*math.Log((1-q1)/(1-q0))) / phi
	})
}

// shareEdge keeps shares away from 0 and 1, where a single event would be proof.
const shareEdge = 1e-6

func (d *Detector) step(increment func(g float64) float64) {
	for i, g := range d.Grid {
		inc := clamp(increment(g), -math.MaxFloat64/4, math.MaxFloat64/4)
		if math.IsNaN(inc) {
			inc = 0
		}
		if d.Windows == 0 {
			d.SR[i] = inc
		} else {
			d.SR[i] = bounded(logAddExp(0, d.SR[i]) + inc)
		}
		if d.CUSUM[i] <= 0 {
			d.Zero[i] = d.Total
		}
		d.CUSUM[i] = bounded(math.Max(d.CUSUM[i], 0) + inc)
	}
	d.Windows++
	d.Total++
}

// bounded keeps the state finite after windows that no stream has.
func bounded(v float64) float64 { return clamp(v, -math.MaxFloat64/4, math.MaxFloat64/4) }

// Rate is ln M of the SR detector. Not ok before the first window and without a
// grid.
func (d *Detector) Rate() (LogE, bool) { return d.mean(d.SR) }

// CUSUMRate is ln M of the CUSUM detector, which has fewer false alarms at the
// same threshold and is later where the change is small.
func (d *Detector) CUSUMRate() (LogE, bool) { return d.mean(d.CUSUM) }

func (d *Detector) mean(logs []float64) (LogE, bool) {
	if d.Windows == 0 || len(logs) == 0 {
		return 0, false
	}
	return checkedE(logSumExp(logs) - math.Log(float64(len(logs))))
}

// DefaultPatience is c of an alert's detector, in windows: at hourly windows at
// least 417 days to a false alarm on average.
const DefaultPatience = 1e4

// Alarm reports whether the SR detector has reached c. To have at most α false
// alarms in an experiment of T windows, c is T/α.
func (d *Detector) Alarm(c float64) bool {
	m, ok := d.Rate()
	return ok && c > 0 && float64(m) >= math.Log(c)
}

// Change is what a detector believes to have changed.
type Change struct {
	LogRatio float64 // the g with the largest M_g of SR
	Since    int64   // the first window after the change, counted from 0 over all windows
}

// Change is the estimate of the change: the log ratio that fits best, and the
// window after which its CUSUM has not been at 1 again. Not ok before the first
// window.
func (d *Detector) Change() (Change, bool) {
	if d.Windows == 0 || len(d.SR) == 0 {
		return Change{}, false
	}
	best := 0
	for i := range d.SR {
		if d.SR[i] > d.SR[best] {
			best = i
		}
	}
	return Change{d.Grid[best], d.Zero[best]}, true
}

// Reset begins anew after an alarm. Windows go on being counted in Total.
func (d *Detector) Reset() {
	clear(d.SR)
	clear(d.CUSUM)
	for i := range d.Zero {
		d.Zero[i] = d.Total
	}
	d.Windows = 0
}

// Clone is a copy that shares nothing.
func (d *Detector) Clone() *Detector {
	c := *d
	c.Grid, c.SR, c.CUSUM, c.Zero = slices.Clone(d.Grid), slices.Clone(d.SR), slices.Clone(d.CUSUM), slices.Clone(d.Zero)
	return &c
}
