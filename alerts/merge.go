package alerts

import (
	"math"
	"slices"
)

// pool collects what windows have of one comparison until there is enough of it
// on either side for an estimate, and then returns it. control is nil where the
// arm is compared with something else.
func (s *series) pool(i metricInfo, key string, arm, control *Cell) (a, c *Cell, ok bool) {
	if i.kind != kindShare && i.kind != kindMean && i.kind != kindLogMean || i.metric == MetricConversionDelay {
		return arm, control, true
	}
	enough := func(c *Cell) bool {
		if i.kind == kindShare {
			v, ok := shareOf(c, i.metric, key)
			return ok && v.Clusters >= leastClusters
		}
		_, ok := meanOf(c, i.metric)
		return ok
	}
	if s.PendArm == nil && enough(arm) && (control == nil || enough(control)) {
		return arm, control, true
	}
	if s.PendArm == nil {
		s.PendArm, s.PendControl = &Cell{}, &Cell{}
	}
	s.PendArm.merge(only(i.metric, key, arm))
	if control != nil {
		s.PendControl.merge(only(i.metric, key, control))
	}
	if !enough(s.PendArm) || control != nil && !enough(s.PendControl) {
		return nil, nil, false
	}
	a, c = s.PendArm, s.PendControl
	s.PendArm, s.PendControl = nil, nil
	if control == nil {
		c = nil
	}
	return a, c, true
}

// only is what a cell has of one metric and key.
func only(m Metric, key string, c *Cell) *Cell {
	out := &Cell{}
	for _, s := range c.Shares {
		if s.Metric == m && s.Key == key {
			out.Shares = append(out.Shares, s)
		}
	}
	for _, v := range c.Means {
		if v.Metric == m {
			out.Means = append(out.Means, v)
		}
	}
	return out
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
