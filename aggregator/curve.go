package aggregator

import (
	"cmp"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// Curves say how long conversions take in one experiment: a curve for each
// optimization type, with all arms together, and for each conversion type below
// it. They are a function of the panes that are kept, and of the newest event.
type Curves struct {
	// EdgesMs are the upper edges of the buckets of delay; the last one is the
	// attribution window.
	EdgesMs []int64
	Types   []TypeCurve // sorted by optimization type
}

// TypeCurve is about one optimization type.
type TypeCurve struct {
	OptimizationType string
	Delay            stats.DelayCurve
	// Known says that some conversions are of impressions whose attribution window
	// has closed. Before that, how many are still to come can only be guessed.
	Known bool
	// Conversions splits it by the type of the conversion.
	Conversions []ConversionCurve
	// Differs compares each arm's delays with those of all others; an arm that
	// converts later than the rest looks worse than it is while its labels are young.
	Differs []ArmShift
}

// ConversionCurve is the delay of one type of conversions.
type ConversionCurve struct {
	ConversionType string
	Delay          stats.DelayCurve
	Known          bool
}

// ArmShift compares the delays of one arm with those of the others.
type ArmShift struct {
	Arm   string
	Shift stats.DelayShift
}

// edgesOf are the edges of delays below an attribution window, and its own.
func edgesOf(attribution time.Duration) []int64 {
	last := attribution.Milliseconds()
	i, _ := slices.BinarySearch(delayEdgesMs[:], last)
	return append(slices.Clone(delayEdgesMs[:i]), last)
}

// curves learns the delay curves of an experiment. The caller holds the lock.
func (m *Merged) curves(experiment string) *Curves {
	c := &Curves{EdgesMs: edgesOf(m.opts.AttributionWindow)}
	l := learner{buckets: len(c.EdgesMs)}
	for k, t := range m.tracks {
		if k.Experiment != experiment || k.Labels != "" {
			continue
		}
		panes := m.retained(t)
		for i := range panes {
			e := &panes[i]
			if passed := m.passed(e.pane); passed > 0 {
				for _, p := range e.parts {
					l.take(k.Arm, p.packed.types, passed)
				}
			}
		}
	}
	for _, t := range l.types {
		c.Types = append(c.Types, t.fit())
	}
	return c
}

// learner collects the triangles of delays by age that curves are fitted to.
type learner struct {
	buckets int
	types   []*typeTriangles // sorted by optimization type
}

type typeTriangles struct {
	name        string
	all         stats.DelayTriangle
	arms, kinds []namedTriangle // by arm; by conversion type
}

type namedTriangle struct {
	name     string
	triangle stats.DelayTriangle
}

// take adds the labels of winners of one age, of which the delays of passed
// buckets, at least one, have gone by.
func (l *learner) take(arm string, types []TypeSums, passed int) {
	age := min(passed, l.buckets) - 1
	for i := range types {
		for k := range types[i].Delays {
			d := &types[i].Delays[k]
			t := l.at(types[i].OptimizationType)
			to := [...]stats.DelayTriangle{t.all, triangleOf(&t.arms, arm, l.buckets), triangleOf(&t.kinds, d.ConversionType, l.buckets)}
			for u, n := range d.Counts[:min(passed, delayBuckets)] {
				if n == 0 {
					continue
				}
				for _, triangle := range to {
					triangle.AddConversions(age, min(u, l.buckets-1), n)
				}
			}
		}
	}
}

func (l *learner) at(name string) *typeTriangles {
	i, found := slices.BinarySearchFunc(l.types, name, func(t *typeTriangles, s string) int { return cmp.Compare(t.name, s) })
	if !found {
		l.types = slices.Insert(l.types, i, &typeTriangles{name: name, all: stats.NewDelayTriangle(l.buckets)})
	}
	return l.types[i]
}

func triangleOf(list *[]namedTriangle, name string, buckets int) stats.DelayTriangle {
	i, found := slices.BinarySearchFunc(*list, name, func(t namedTriangle, s string) int { return cmp.Compare(t.name, s) })
	if !found {
		*list = slices.Insert(*list, i, namedTriangle{name, stats.NewDelayTriangle(buckets)})
	}
	return (*list)[i].triangle
}

func (t *typeTriangles) fit() TypeCurve {
	c := TypeCurve{OptimizationType: t.name}
	c.Delay, c.Known = fitDelays(t.all)
	for _, k := range t.kinds {
		curve := ConversionCurve{ConversionType: k.name}
		curve.Delay, curve.Known = fitDelays(k.triangle)
		c.Conversions = append(c.Conversions, curve)
	}
	for i, a := range t.arms {
		others := stats.NewDelayTriangle(t.all.Buckets())
		for k, o := range t.arms {
			if k != i {
				others.Add(o.triangle)
			}
		}
		if shift, ok := stats.CompareDelays(a.triangle, others, 1); ok {
			c.Differs = append(c.Differs, ArmShift{a.name, shift})
		}
	}
	return c
}

// fitDelays fits a curve. It is known once conversions of impressions whose
// window has closed are among those it rests on: none can come later.
func fitDelays(t stats.DelayTriangle) (stats.DelayCurve, bool) {
	c, ok := stats.FitDelayCurve(t, 1)
	return c, ok && len(c.AtRisk) > 0 && c.AtRisk[len(c.AtRisk)-1] > 0
}

// of returns the curve of an optimization type.
func (c *Curves) of(name string) (stats.DelayCurve, bool) {
	if c == nil {
		return stats.DelayCurve{}, false
	}
	i, found := slices.BinarySearchFunc(c.Types, name, func(t TypeCurve, s string) int { return cmp.Compare(t.OptimizationType, s) })
	if !found || !c.Types[i].Known {
		return stats.DelayCurve{}, false
	}
	return c.Types[i].Delay, true
}

// maturity is how much of the predicted conversions has had time to come, and
// how many of those that have are there. Where no curve is known, what counts as
// matured are the winners whose attribution window has closed, which needs none.
func (c *Curves) maturity(ages []AgeSums) (m stats.Maturity, seen int64) {
	for i := range ages {
		a := &ages[i]
		curve, known := c.of(a.OptimizationType)
		if !known {
			last := len(a.Expected) - 1
			for _, e := range a.Expected {
				m.Expected += e.Float(fixed.ProbBits)
			}
			m.Matured += a.Expected[last].Float(fixed.ProbBits)
			seen += a.Seen[last]
			continue
		}
		expected := make([]float64, len(curve.F))
		for passed, e := range a.Expected {
			seen += a.Seen[passed]
			if passed > 0 {
				expected[min(passed, len(expected))-1] += e.Float(fixed.ProbBits)
			}
		}
		part, _ := stats.MaturityOf(expected, curve)
		m.Expected += part.Expected + a.Expected[0].Float(fixed.ProbBits)
		m.Matured += part.Matured
		m.Variance += part.Variance
	}
	return m, seen
}
