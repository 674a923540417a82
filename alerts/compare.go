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

// proportion is a share with the variance of its clusters, of which half a one is
// added so that none or all of a few is not taken for certain.
func proportion(s Share) (q, v float64) {
	c := math.Min(s.Clusters, s.N)
	q = s.K / s.N
	smooth := (q*c + 0.5) / (c + 1)
	return q, smooth * (1 - smooth) / c
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
		qa, va := proportion(a)
		qc, vc := proportion(c)
		return step{ok: true, d: qa - qc, v: va + vc, n: math.Min(a.Clusters, c.Clusters)}
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
		if !(a.Value > 0) || !(c.Value > 0) {
			return step{}
		}
		// By the logarithm of the ratio, whose variance is that of the relative errors.
		return step{ok: true, d: math.Log(a.Value / c.Value), v: a.Variance/(a.Value*a.Value) + c.Variance/(c.Value*c.Value), n: n}
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
			qa, va := proportion(Share{K: float64(a.Early), N: float64(a.All), Clusters: float64(a.All) / phi})
			qc, vc := proportion(Share{K: float64(c.Early), N: float64(c.All), Clusters: float64(c.All) / phi})
			num += (qa - qc) / (va + vc)
			den += 1 / (va + vc)
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
	switch i.kind {
	case kindShare:
		s, ok := shareOf(arm, i.metric, key)
		if !ok || s.Clusters < leastClusters {
			return step{}
		}
		x, v = proportion(s)
		n = s.Clusters
	default:
		m, ok := meanOf(arm, i.metric)
		if !ok {
			return step{}
		}
		x, v, n = m.Value, m.Variance, float64(m.N)
		if i.kind == kindMean {
			if !(x > 0) {
				return step{}
			}
			x, v = math.Log(x), v/(x*x)
		}
	}
	st := step{ok: past.Windows >= leastPast, d: x - past.Mean, v: v + past.Var, n: n}
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
		q, v := proportion(s)
		return step{ok: true, d: q - want, v: v, n: s.Clusters}
	}
	m, ok := meanOf(arm, i.metric)
	if !ok || !(want > 0) {
		return step{}
	}
	if i.kind == kindLogMean {
		return step{ok: true, d: m.Value - math.Log(want), v: m.Variance, n: float64(m.N)}
	}
	if !(m.Value > 0) {
		return step{}
	}
	return step{ok: true, d: math.Log(m.Value / want), v: m.Variance / (m.Value * m.Value), n: float64(m.N)}
}

// merge adds a window to one that is being collected.
func (w *Window) merge(o *Window) {
	if w.EndMs == 0 {
		w.StartMs = o.StartMs
	}
	w.EndMs = o.EndMs
	for i := range o.Cells {
		c := &o.Cells[i]
		into := w.cell(c.Arm, c.Slice)
		if into == nil {
			w.Cells = append(w.Cells, Cell{Arm: c.Arm, Slice: c.Slice})
			into = &w.Cells[len(w.Cells)-1]
		}
		into.RampPercent = c.RampPercent
		into.merge(c)
	}
}

func (c *Cell) merge(o *Cell) {
	for _, s := range o.Shares {
		if t := found(c.Shares, func(x *Share) bool { return x.Metric == s.Metric && x.Key == s.Key }); t != nil {
			t.K, t.N, t.Clusters = t.K+s.K, t.N+s.N, t.Clusters+s.Clusters
		} else {
			c.Shares = append(c.Shares, s)
		}
	}
	for _, m := range o.Means {
		t := found(c.Means, func(x *Mean) bool { return x.Metric == m.Metric })
		switch {
		case t == nil:
			c.Means = append(c.Means, m)
		case m.Variance > 0 && t.Variance > 0:
			a, b := 1/t.Variance, 1/m.Variance
			t.Value, t.Variance = (t.Value*a+m.Value*b)/(a+b), 1/(a+b)
			t.N += m.N
		case m.Variance > 0:
			*t = m
		}
	}
	for _, n := range o.Counts {
		t := found(c.Counts, func(x *Count) bool { return x.Metric == n.Metric && x.Key == n.Key && x.Stratum == n.Stratum })
		if t == nil {
			c.Counts = append(c.Counts, n)
			continue
		}
		t.DesignEffect = weighed(t.DesignEffect, t.Observed, n.DesignEffect, n.Observed)
		t.Observed += n.Observed
		t.Expected += n.Expected
		t.Matured += n.Matured
	}
	for _, d := range o.Delays {
		t := found(c.Delays, func(x *Delays) bool { return x.Stratum == d.Stratum })
		if t == nil {
			c.Delays = append(c.Delays, d)
			continue
		}
		t.DesignEffect = weighed(t.DesignEffect, t.All, d.DesignEffect, d.All)
		t.Early += d.Early
		t.All += d.All
	}
	for _, l := range o.Latencies {
		t := found(c.Latencies, func(x *Latency) bool { return x.Tower == l.Tower })
		if t == nil || len(t.Counts) != len(l.Counts) {
			c.Latencies = append(c.Latencies, Latency{l.Tower, slices.Clone(l.Counts), l.UpperUs})
			continue
		}
		for i, n := range l.Counts {
			t.Counts[i] += n
		}
	}
}

// weighed is the mean of two design effects, each for so many events.
func weighed(a float64, n int64, b float64, m int64) float64 {
	if n+m <= 0 {
		return math.Max(a, b)
	}
	return (math.Max(1, a)*float64(n) + math.Max(1, b)*float64(m)) / float64(n+m)
}

func found[T any](list []T, is func(*T) bool) *T {
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}
