package alerts

import "math"

// latencies is a tower's latencies in one arm, windows weighing less as they age.
type latencies struct {
	Counts  []float64 `json:"counts"`
	UpperUs []float64 `json:"upper_us"`
}

// latencyDecay is what a window's latencies weigh when the next one comes.
const latencyDecay = 0.9

// leastSlow is how many calls beyond a quantile are needed to tell it.
const leastSlow = 10

func latencyKey(arm, tower string) string { return tower + "\x00" + arm }

func (e *Engine) rememberLatencies(w *Window) {
	for i := range w.Cells {
		c := &w.Cells[i]
		if c.Slice != "" {
			continue
		}
		for k := range c.Latencies {
			l := &c.Latencies[k]
			key := latencyKey(c.Arm, l.Tower)
			m := e.state.Latencies[key]
			if m == nil || len(m.Counts) != len(l.Counts) {
				m = &latencies{Counts: make([]float64, len(l.Counts)), UpperUs: l.UpperUs}
				e.state.Latencies[key] = m
			}
			for b, n := range l.Counts {
				if m.Counts[b] = m.Counts[b]*latencyDecay + float64(n); m.Counts[b] < 1e-9 {
					m.Counts[b] = 0
				}
			}
		}
	}
}

// slowLimit is the latency beyond which a call to a tower counts as slow: the
// control's 0.99 quantile with half of an effect on top, 0 where it is not known.
func (e *Engine) slowLimit(tower string, effect float64) float64 {
	q, _, ok := e.state.Latencies[latencyKey(e.opts.Control, tower)].p99()
	if !ok {
		return 0
	}
	return q * (1 + effect/2)
}

// p99 is the 0.99 quantile, within its bin, and how many calls are beyond it.
func (l *latencies) p99() (us, beyond float64, ok bool) {
	if l == nil {
		return 0, 0, false
	}
	all := 0.0
	for _, n := range l.Counts {
		all += n
	}
	if beyond = all / 100; beyond < leastSlow {
		return 0, 0, false
	}
	over := 0.0
	for b := len(l.Counts) - 1; b > 0; b-- {
		n := l.Counts[b]
		if over+n < beyond {
			over += n
			continue
		}
		low, high := l.UpperUs[b-1], l.UpperUs[b]
		part := (beyond - over) / n // of the bin, from above
		return high * math.Pow(low/high, part), beyond, low > 0
	}
	return 0, 0, false
}

// slowRatio is an arm's 0.99 quantile over the control's, less 1. Its limits are
// those of the ranks, by the density between the 0.99 and 0.98 quantiles.
func (e *Engine) slowRatio(arm, tower string) (value, low, high float64, ok bool) {
	a, na, okA := e.state.Latencies[latencyKey(arm, tower)].p99()
	c, nc, okC := e.state.Latencies[latencyKey(e.opts.Control, tower)].p99()
	if !okA || !okC {
		return 0, 0, 0, false
	}
	// Of a tail that falls by half over about 15 %, as those of services do, a
	// relative error of the rank is one of a fifth of it of the quantile.
	half := 1.96 * 0.2 * math.Sqrt(1/na+1/nc)
	r := math.Log(a / c)
	return math.Expm1(r), math.Expm1(r - half), math.Expm1(r + half), true
}
