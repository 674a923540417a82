package alerts

import (
	"math"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// step is what one window says of one comparison: an estimate that is about
// normal, or counts that are compared exactly.
type step struct {
	ok bool
	// d is how far the arm is off, in the units of the effect (logarithms, where it
	// is relative), and v its variance.
	d, v float64
	// cells are counts by stratum, in place of d and v; without a control the
	// Control of each is empty and Treatment.Expected what is expected of the arm.
	cells []stats.Stratum
	alone bool // cells are of one arm
	// Of shares: k of n have it, ref of the reference, whose variance tempers.
	share              bool
	k, of, ref, temper float64
	n                  float64 // clusters of the smaller arm
}

// series is the evidence about one comparison over time. It is plain numbers, so
// that it can be stored.
type series struct {
	Up   *stats.Detector `json:"up,omitempty"`   // against: at most half the effect upwards
	Down *stats.Detector `json:"down,omitempty"` // and downwards
	// Of what is lately, windows weighing less as they age: inverse variances and
	// means times them; of counts the sums of Mantel and Haenszel.
	Num  float64 `json:"num,omitempty"`
	Den  float64 `json:"den,omitempty"`
	Den2 float64 `json:"den2,omitempty"`
	R    float64 `json:"r,omitempty"`
	S    float64 `json:"s,omitempty"`
	Top  float64 `json:"top,omitempty"`
	N    float64 `json:"n"` // clusters, lately
	All  float64 `json:"all"`
	// Spread is by how much windows differ beyond what their variances say, from
	// differences of successive ones: a lasting effect does not raise it.
	Spread  float64 `json:"spread"`
	Last    float64 `json:"last,omitempty"` // the last standardized difference
	Windows int64   `json:"windows"`
	// Phi is the design effect of counts, lately.
	Phi float64 `json:"phi,omitempty"`
	// When a change that each grid point of a detector stands for would have begun,
	// event time.
	// What has come since the last estimate, where there was too little for one.
	PendArm     *Cell   `json:"pend_arm,omitempty"`
	PendControl *Cell   `json:"pend_control,omitempty"`
	UpSince     []int64 `json:"up_since,omitempty"`
	DownSince   []int64 `json:"down_since,omitempty"`
}

// Of the between-window spread: how many windows it remembers, how many the
// assumption of 1 weighs at first, and the most that one window adds, so that a
// jump is taken for a change and not for noise.
const (
	spreadMemory = 50
	spreadPrior  = 20
	spreadMost   = 12
)

// meanGrid are the shifts that a detector of means mixes, in effects.
var meanGrid = [...]float64{0.25, 0.5, 1, 2, 4, 8}

// countGrid are the log ratios that a detector of counts mixes.
var countGrid = [...]float64{0.05, 0.1, 0.2, 0.4, 0.7}

// scale is a rule's effect in the units in which it is tested.
type scale struct {
	effect    float64 // of d; of relative ones ln(1+effect)
	margin    float64 // what the null tolerates
	direction Direction
	decay     float64 // weight that a window keeps when the next one comes
}

func (s *series) take(st step, sc scale, startMs int64) {
	if !st.ok || st.cells == nil && !(st.v > 0 && !math.IsInf(st.d/st.v, 0) && !math.IsNaN(st.d)) {
		return
	}
	s.Windows++
	s.All += st.n
	s.N = s.N*sc.decay + st.n
	if st.cells != nil {
		s.takeCounts(st, sc)
	} else {
		s.takeMean(st, sc)
	}
	s.UpSince = since(s.Up, s.UpSince, startMs)
	s.DownSince = since(s.Down, s.DownSince, startMs)
}

// since notes for which grid points a change would begin with the window that d
// has just taken.
func since(d *stats.Detector, at []int64, startMs int64) []int64 {
	if d == nil {
		return nil
	}
	if len(at) != len(d.Zero) {
		at = make([]int64, len(d.Zero))
	}
	for i, zero := range d.Zero {
		if zero == d.Total-1 {
			at[i] = startMs
		}
	}
	return at
}

func (s *series) takeMean(st step, sc scale) {
	z := st.d / math.Sqrt(st.v)
	spread := s.spread() // of windows before: not of the one that is tested
	v := st.v * spread
	s.spreads(z)
	if sc.direction != Down {
		s.Up = detector(s.Up, meanGrid[:], sc.effect)
		if st.share {
			s.Up.AddShare(st.k, st.of, st.ref+sc.margin, st.temper*spread)
		} else {
			s.Up.AddMean(st.d-sc.margin, v)
		}
	}
	if sc.direction != Up {
		s.Down = detector(s.Down, meanGrid[:], sc.effect)
		if st.share {
			s.Down.AddShare(st.of-st.k, st.of, 1-st.ref+sc.margin, st.temper*spread)
		} else {
			s.Down.AddMean(-st.d-sc.margin, v)
		}
	}
	s.Num = s.Num*sc.decay + st.d/v
	s.Den = s.Den*sc.decay + 1/v
	s.Den2 = s.Den2*sc.decay*sc.decay + 1/v
}

func (s *series) takeCounts(st step, sc scale) {
	phi := math.Max(1, s.Phi) * s.spread()
	var r, o, expected, top float64
	var events int64
	phiHere := 0.0 // the mean design effect
	up, down := make([]stats.Stratum, len(st.cells)), make([]stats.Stratum, len(st.cells))
	shift := math.Exp(sc.margin)
	for i, c := range st.cells {
		up[i], down[i] = c, c
		up[i].Treatment.Expected *= shift
		down[i].Treatment.Expected /= shift
		for _, a := range []stats.Arm{c.Treatment, c.Control} {
			phiHere = weighed(phiHere, events, a.DesignEffect, a.Observed)
			events += a.Observed
		}
		t, k := float64(c.Treatment.Observed), float64(c.Control.Observed)
		if st.alone {
			r += t
			o += c.Treatment.Expected
			continue
		}
		all := c.Treatment.Expected + c.Control.Expected
		if !(all > 0) {
			continue
		}
		st, sk := c.Treatment.Expected/all, c.Control.Expected/all
		r += t * sk
		o += k * st
		top += (t + k) * st * sk
		expected += (t+k)*st - t
	}
	if !st.alone && top > 0 {
		s.spreads(-expected / math.Sqrt(top*math.Max(1, phiHere)))
	} else if st.alone && o > 0 {
		s.spreads((r - o) / math.Sqrt(o*math.Max(1, phiHere)))
	}
	if events > 0 {
		s.Phi = math.Max(1, phiHere)*phiGain + math.Max(1, s.Phi)*(1-phiGain)
	}
	if sc.direction != Down {
		s.Up = detector(s.Up, countGrid[:], 1)
		addCounts(s.Up, up, st.alone, phi)
	}
	if sc.direction != Up {
		s.Down = detector(s.Down, countGrid[:], -1)
		addCounts(s.Down, down, st.alone, phi)
	}
	s.R, s.S, s.Top = s.R*sc.decay+r, s.S*sc.decay+o, s.Top*sc.decay+top
}

// phiGain is how much a window's design effect counts for those to come.
const phiGain = 0.1

func addCounts(d *stats.Detector, cells []stats.Stratum, alone bool, phi float64) {
	if !alone {
		d.AddArms(cells, phi)
		return
	}
	var arm stats.Arm
	for _, c := range cells {
		arm.Observed += c.Treatment.Observed
		arm.Expected += c.Treatment.Expected
	}
	arm.DesignEffect = phi
	d.AddArm(arm)
}

// detector is d, or a new one whose grid is that given times a factor.
func detector(d *stats.Detector, grid []float64, factor float64) *stats.Detector {
	if d != nil && len(d.Grid) == len(grid) {
		return d
	}
	scaled := make([]float64, len(grid))
	for i, g := range grid {
		scaled[i] = g * factor
	}
	return stats.NewDetector(scaled)
}

func (s *series) spread() float64 { return math.Max(1, s.Spread) }

func (s *series) spreads(z float64) {
	if s.Windows > 1 {
		half := math.Min((z-s.Last)*(z-s.Last)/2, spreadMost)
		before := s.Spread
		if s.Windows == 2 {
			before = 1
		}
		weight := 1 / math.Min(spreadPrior+float64(s.Windows), spreadMemory)
		s.Spread = before*(1-weight) + half*weight
	}
	s.Last = z
}

// logE is the evidence in either direction that the rule watches, per windows in
// a month: at most 1 on average within one.
func (s *series) logE(windowsAMonth float64) float64 {
	up, down := rate(s.Up), rate(s.Down)
	switch {
	case s.Up == nil:
	case s.Down == nil:
		down = up
	default:
		top := math.Max(up, down)
		if !math.IsInf(top, 0) {
			down = top + math.Log((math.Exp(up-top)+math.Exp(down-top))/2)
		}
	}
	return down - math.Log(windowsAMonth)
}

func rate(d *stats.Detector) float64 {
	if d == nil {
		return math.Inf(-1)
	}
	m, ok := d.Rate()
	if !ok {
		return math.Inf(-1)
	}
	return float64(m)
}

// effect is how far the arm is off lately, with 95 % limits.
func (s *series) effect() (value, low, high float64, ok bool) {
	const z = 1.96
	switch {
	case s.Den > 0:
		value = s.Num / s.Den
		half := z * math.Sqrt(s.Den2) / s.Den
		return value, value - half, value + half, true
	case s.R > 0 && s.S > 0:
		value = math.Log(s.R / s.S)
		v := math.Max(1, s.Phi) * s.spread()
		if s.Top > 0 {
			v *= s.Top / s.R / s.S
		} else {
			v /= s.R
		}
		half := z * math.Sqrt(v)
		return value, value - half, value + half, true
	}
	return 0, 0, 0, false
}

// sinceMs is when the change is thought to have begun, event time.
func (s *series) sinceMs() int64 {
	d, at := s.Up, s.UpSince
	if d == nil || s.Down != nil && rate(s.Down) > rate(s.Up) {
		d, at = s.Down, s.DownSince
	}
	best := -1
	if d != nil && d.Windows > 0 && len(at) == len(d.SR) {
		for i := range d.SR {
			if best < 0 || d.SR[i] > d.SR[best] {
				best = i
			}
		}
	}
	if best < 0 {
		return 0
	}
	return at[best]
}

// reset begins the evidence anew after an alert.
func (s *series) reset() {
	if s.Up != nil {
		s.Up.Reset()
	}
	if s.Down != nil {
		s.Down.Reset()
	}
}
