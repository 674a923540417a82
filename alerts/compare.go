package alerts

import (
	"math"
	"slices"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// leastClusters is how many clusters a window needs on either side for its
// estimates to be taken as normal.
const leastClusters = 30

// keysOf lists what a cell has of a metric, "" for one without keys.
func keysOf(c *Cell, m metricInfo, only []string) []string {
	var out []string
	add := func(key string) {
		if len(only) == 0 || slices.Contains(only, key) {
			out = append(out, key)
		}
	}
	switch m.metric {
	case MetricServingP99:
		for i := range c.Latencies {
			add(c.Latencies[i].Tower)
		}
	case MetricConversionDelay:
		if len(c.Delays) > 0 {
			add("")
		}
	default:
		for i := range c.Shares {
			if c.Shares[i].Metric == m.metric {
				add(c.Shares[i].Key)
			}
		}
		for i := range c.Means {
			if c.Means[i].Metric == m.metric {
				add("")
			}
		}
		for i := range c.Counts {
			if c.Counts[i].Metric == m.metric {
				add(c.Counts[i].Key)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func shareOf(c *Cell, m Metric, key string) (Share, bool) {
	if c != nil {
		for i := range c.Shares {
			if s := &c.Shares[i]; s.Metric == m && s.Key == key {
				return *s, s.N > 0
			}
		}
	}
	return Share{}, false
}

func meanOf(c *Cell, m Metric) (Mean, bool) {
	if c != nil {
		for i := range c.Means {
			if v := &c.Means[i]; v.Metric == m {
				return *v, v.N >= leastClusters && v.Variance > 0
			}
		}
	}
	return Mean{}, false
}

// proportion is a share by its clusters.
type proportion struct{ k, n float64 }

func proportionOf(s Share) proportion {
	c := math.Min(s.Clusters, s.N)
	return proportion{s.K / s.N * c, c}
}

func (p proportion) share() float64 { return p.k / p.n }

// smooth is the share with half a cluster on either side, so that none or all of
// a few is not taken for certain.
func (p proportion) smooth() float64 { return (p.k + 0.5) / (p.n + 1) }

// against compares p with a reference share that has a variance of its own. The
// variance of p is that under no difference, which does not depend on what
// happens to be in few clusters.
func (p proportion) against(ref, variance float64) step {
	pooled := (p.k + ref*p.n + 0.5) / (2*p.n + 1)
	own := pooled * (1 - pooled) / p.n
	return step{
		ok: true, d: p.share() - ref, v: own + variance, n: p.n,
		share: true, k: p.k, of: p.n, ref: ref, temper: 1 + variance/own,
	}
}

// againstControl compares an arm's cell with the control's in one window.
//
// slow is the latency beyond which calls count as slow, 0 where it is not known.
func againstControl(i metricInfo, key string, arm, control *Cell, slow float64) step {
	switch i.kind {
	case kindShare:
		if i.metric == MetricConversionDelay {
			return delays(arm, control)
		}
		a, okA := shareOf(arm, i.metric, key)
		c, okC := shareOf(control, i.metric, key)
		if !okA || !okC || math.Min(a.Clusters, c.Clusters) < leastClusters {
			return step{}
		}
		p, ref := proportionOf(a), proportionOf(c)
		both := proportion{p.k + ref.k, p.n + ref.n}.smooth()
		st := p.against(ref.smooth(), both*(1-both)/ref.n)
		st.n = math.Min(p.n, ref.n)
		return st
	case kindLogMean, kindMean:
		a, okA := meanOf(arm, i.metric)
		c, okC := meanOf(control, i.metric)
		if !okA || !okC {
			return step{}
		}
		n := float64(min(a.N, c.N))
		if i.kind == kindLogMean {
			return step{ok: true, d: a.Value - c.Value, v: a.Variance + c.Variance, n: n}
		}
		if !(c.Value > 0) {
			return step{}
		}
		// In units of the control's mean, and not by logarithms: means of few rare
		// events are too far from certain for those.
		return step{ok: true, d: a.Value/c.Value - 1, v: (a.Variance + c.Variance) / (c.Value * c.Value), n: n}
	case kindCount:
		return counts(i.metric, key, arm, control)
	case kindQuantile:
		return slowCalls(key, arm, control, slow)
	}
	return step{}
}

// counts pairs strata that both arms have.
func counts(m Metric, key string, arm, control *Cell) step {
	st := step{ok: true}
	var armN, controlN int64
	for i := range arm.Counts {
		a := &arm.Counts[i]
		if a.Metric != m || a.Key != key {
			continue
		}
		for k := range control.Counts {
			c := &control.Counts[k]
			if c.Metric != m || c.Key != key || c.Stratum != a.Stratum || !(a.Expected > 0) || !(c.Expected > 0) {
				continue
			}
			st.cells = append(st.cells, stats.Stratum{
				Treatment: stats.Arm{Observed: a.Observed, Expected: a.Expected, DesignEffect: a.DesignEffect},
				Control:   stats.Arm{Observed: c.Observed, Expected: c.Expected, DesignEffect: c.DesignEffect},
			})
			armN += a.Observed
			controlN += c.Observed
		}
	}
	st.ok = len(st.cells) > 0
	st.n = float64(min(armN, controlN))
	return st
}

// alone is one arm's counts against what was expected of them by now, times what
// the ratio ought to be.
func alone(m Metric, key string, arm *Cell, ratio float64) step {
	st := step{alone: true}
	var n int64
	for i := range arm.Counts {
		a := &arm.Counts[i]
		if a.Metric != m || a.Key != key || !(a.Matured > 0) {
			continue
		}
		st.cells = append(st.cells, stats.Stratum{Treatment: stats.Arm{Observed: a.Observed, Expected: a.Matured * ratio, DesignEffect: a.DesignEffect}})
		n += a.Observed
	}
	st.ok = len(st.cells) > 0
	st.n = float64(n)
	return st
}

// delays compares the shares of conversions that came early, stratum by stratum.
func delays(arm, control *Cell) step {
	var num, den, n float64
	for _, a := range arm.Delays {
		for _, c := range control.Delays {
			if a.Stratum != c.Stratum || a.All <= 0 || c.All <= 0 {
				continue
			}
			phi := math.Max(1, math.Max(a.DesignEffect, c.DesignEffect))
			p := proportion{float64(a.Early) / phi, float64(a.All) / phi}
			ref := proportion{float64(c.Early) / phi, float64(c.All) / phi}
			both := proportion{p.k + ref.k, p.n + ref.n}.smooth()
			v := both * (1 - both) * (1/p.n + 1/ref.n)
			num += (p.share() - ref.share()) / v
			den += 1 / v
			n += float64(min(a.All, c.All))
		}
	}
	if !(den > 0) || n < leastClusters {
		return step{}
	}
	return step{ok: true, d: num / den, v: 1 / den, n: n}
}

// slowCalls compares how many of an arm's and the control's calls took longer
// than the control's 0.99 quantile of late, times half the effect.
func slowCalls(tower string, arm, control *Cell, limit float64) step {
	a, c := latencyOf(arm, tower), latencyOf(control, tower)
	if a == nil || c == nil || !(limit > 0) {
		return step{}
	}
	slow := func(l *Latency) (over, all int64) {
		for i, n := range l.Counts {
			all += n
			if l.UpperUs[i] > limit {
				over += n
			}
		}
		return over, all
	}
	ak, an := slow(a)
	ck, cn := slow(c)
	if an == 0 || cn == 0 {
		return step{}
	}
	return step{ok: true, n: float64(min(an, cn)), cells: []stats.Stratum{{
		Treatment: stats.Arm{Observed: ak, Expected: float64(an)}, Control: stats.Arm{Observed: ck, Expected: float64(cn)},
	}}}
}

func latencyOf(c *Cell, tower string) *Latency {
	if c != nil {
		for i := range c.Latencies {
			if l := &c.Latencies[i]; l.Tower == tower && len(l.Counts) > 0 && len(l.Counts) == len(l.UpperUs) {
				return l
			}
		}
	}
	return nil
}

// memory is what an arm's number has been so far, windows weighing less as they
// age.
type memory struct {
	Mean    float64 `json:"mean"`
	Var     float64 `json:"var"` // of Mean, by the windows' own variances
	Weight  float64 `json:"weight"`
	Windows int64   `json:"windows"`
}

// againstPast compares an arm with what it has been, and then adds it to that
// unless it is frozen.
func againstPast(i metricInfo, key string, arm *Cell, past *memory, windows float64, frozen bool) step {
	var x, v, n float64
	var p proportion
	switch i.kind {
	case kindShare:
		s, ok := shareOf(arm, i.metric, key)
		if !ok || s.Clusters < leastClusters {
			return step{}
		}
		p = proportionOf(s)
		x, v, n = p.share(), p.smooth()*(1-p.smooth())/p.n, p.n
	default:
		m, ok := meanOf(arm, i.metric)
		if !ok {
			return step{}
		}
		x, v, n = m.Value, m.Variance, float64(m.N)
	}
	st := step{ok: past.Windows >= leastPast, d: x - past.Mean, v: v + past.Var, n: n}
	if i.kind == kindShare && st.ok {
		st = p.against(past.Mean, past.Var)
	}
	if i.kind == kindMean {
		if !(past.Mean > 0) {
			st.ok = false
		} else {
			st.d, st.v = st.d/past.Mean, st.v/(past.Mean*past.Mean)
		}
	}
	gain := 1 / math.Min(float64(past.Windows)+1, windows)
	if frozen {
		gain /= frozenSlowness
	}
	past.Mean += gain * (x - past.Mean)
	past.Var = (1-gain)*(1-gain)*past.Var + gain*gain*v
	past.Windows++
	return st
}

// Of a past: how many windows it needs before it is compared with, and by how
// much it learns more slowly while an alert is about it, so that a lasting new
// level is accepted in the end, but an incident is not.
const (
	leastPast      = 12
	frozenSlowness = 8
)

// againstValue compares an arm with a number.
func againstValue(i metricInfo, key string, arm *Cell, want float64) step {
	if i.kind == kindShare {
		s, ok := shareOf(arm, i.metric, key)
		if !ok || s.Clusters < leastClusters {
			return step{}
		}
		return proportionOf(s).against(want, 0)
	}
	m, ok := meanOf(arm, i.metric)
	if !ok || !(want > 0) {
		return step{}
	}
	if i.kind == kindLogMean {
		return step{ok: true, d: m.Value - math.Log(want), v: m.Variance, n: float64(m.N)}
	}
	return step{ok: true, d: m.Value/want - 1, v: m.Variance / (want * want), n: float64(m.N)}
}
