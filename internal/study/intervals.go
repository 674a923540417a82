package study

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Of the studies of intervals.
const (
	intervalTimes = 20000
	intervalLevel = 0.95
	// enoughLabels is from how many expected labels on an interval is claimed to
	// be near its level. Fewer, it may be longer than needed.
	enoughLabels = 10
)

// near is what is claimed of an interval where this many effective labels are
// expected, of rows as they are.
func near(expected float64, rows rowsOf) Claim {
	switch {
	case expected >= enoughLabels:
		return Claim{Kind: Between, Bound: 0.93, Upper: 0.97}
	case rows.family == independent:
		return Claim{Kind: AtLeast, Bound: intervalLevel}
	}
	return Claim{}
}

// effect is the design effect, 1 where it is not set.
func (m rowsOf) effect() float64 { return max(1, m.phi) }

// hit is whether an interval held the truth.
type hit uint8

const (
	missed hit = iota
	held
	none // there was no interval, and none was shown
)

func hitOf(e stats.Estimate, ok bool, truth float64) hit {
	switch {
	case !ok:
		return none
	case holds(e, truth):
		return held
	}
	return missed
}

// covers adds how often intervals held the truth, of those that there were.
func (s *Section) covers(name string, expected float64, all []hit, c Claim) {
	shown := countIf(all, func(h hit) bool { return h != none })
	note := ""
	if shown < len(all) {
		note = fmt.Sprintf("%.1f %%", 100*(1-float64(shown)/float64(len(all))))
	}
	if shown == 0 {
		return
	}
	s.add(name, rate(countIf(all, func(h hit) bool { return h == held }), shown), c, fmt.Sprintf("%.0f", expected), note)
}

func intervals(l *lab) *Section {
	s := &Section{
		ID: "intervals", Title: "Intervals at one look", Unit: Percent, Columns: []string{"effective labels", "no interval"},
		Text: []string{
			"The share of nominal 95 % intervals that hold the truth. Labels are effective ones, conversions over the design effect, which of independent rows are the conversions; of arms, those of the smaller one. " +
				"Claim: 93 to 97 % where at least 10 are expected, and at least 95 % of independent rows where fewer are, for which the exact intervals are too long by their nature. " +
				"Samples without an interval, whose status says why, do not count and are listed.",
			"With clusters and fewer than 10 effective labels nothing is claimed, and the product says `low_data`. Both claims cannot be had there at once. Let half of the conversions come in fives and 10 be expected: " +
				"in 37 % of samples no five is among them, and in 27 % of those at most 3 conversions are, which makes 10 %. Such a sample looks like 3 of independent rows. " +
				"Its interval must hold 10, or the clusters' coverage is below 93 %; but independent rows of which 10 are expected give as few as 3 in 1 %, and if even these hold 10, more than 97 % do.",
			"The calibration is `stats.ClusteredRatio` over 64 hash buckets, which falls back to Garwood's interval (`stats.Calibration`, the first lines) below 10 effective conversions; the design effects of `stats.LogArmRatio` are estimated from the same sample, as the product does.",
		},
	}
	s.ratios(l)
	s.armRatios(l)
	s.losses(l)
	s.shares(l)
	s.rankings(l)
	p := &DotPlot{
		Name: "intervals", Title: "How often nominal 95 % intervals hold the truth", Axis: "share of samples, and 99 % interval; the number of effective labels stands beside the name",
		Low: 0.88, High: 1, Percent: true, Guides: []Guide{{0.93, "93 %"}, {0.97, "97 %"}},
	}
	for _, r := range s.Rows {
		d := dotOf(r)
		d.Label += ", " + r.Notes[0]
		p.Dots = append(p.Dots, d)
	}
	s.Plots = append(s.Plots, p)
	return s
}

// buckets draws conversions by hash bucket, each bucket's as the rows say.
type buckets struct{ one source }

// bucketed has so many predicted conversions in all, which come q times as often.
func bucketed(rows rowsOf, expected, q float64) buckets {
	return buckets{rows.source(expected/clusterBuckets, q)}
}

func (b *buckets) expected() float64 { return b.one.expected * clusterBuckets }

func (b *buckets) draw(g *rand.Rand) (cells []stats.Cell, n int64) {
	cells = make([]stats.Cell, clusterBuckets)
	for i := range cells {
		o := b.one.draw(g)
		cells[i] = stats.Cell{Observed: float64(o), Expected: b.one.expected}
		n += o
	}
	return cells, n
}

// phiOf is the design effect as the product estimates it for an interval.
func phiOf(cells []stats.Cell) float64 {
	if d, ok := stats.DesignEffectOf(cells); ok {
		return max(1, d.Value)
	}
	return 1
}

// fewAndMany are numbers of labels, on either side of enoughLabels.
var fewAndMany = [...]float64{1, 3, 6, 10, 15, 40, 200, 2000}

func (s *Section) ratios(l *lab) {
	for _, labels := range fewAndMany {
		const q = 0.8
		// Whole numbers of rows at p = 1e-3 in all.
		x := rowsOf{p: 1e-3}.source(labels/q, q)
		all := replicate(l, fmt.Sprintf("interval: calibration, exact, %g", labels), l.times(intervalTimes), func(g *rand.Rand) hit {
			e, ok := stats.Calibration(x.draw(g), x.expected, intervalLevel)
			return hitOf(e, ok, 1/q)
		})
		c := near(labels, rowsOf{})
		if labels >= enoughLabels {
			c = Claim{} // the product has the clustered one there
		}
		s.covers("calibration, exact", labels, all, c)
	}
	for _, c := range slices.Concat([]clusterKind{{"independent rows", rowsOf{}}}, clustered) {
		for _, labels := range fewAndMany {
			const q = 0.8
			x := bucketed(c.rows, labels*c.rows.effect()/q, q)
			all := replicate(l, fmt.Sprintf("interval: calibration, clusters, %s, %g", c.name, labels), l.times(intervalTimes), func(g *rand.Rand) hit {
				cells, n := x.draw(g)
				e, ok := stats.ClusteredRatio(cells, n, intervalLevel, stats.SmallSample)
				return hitOf(e, ok, q)
			})
			s.covers("calibration by clusters, "+c.name, labels, all, near(labels, c.rows))
		}
	}
}

func (s *Section) armRatios(l *lab) {
	for _, c := range []clusterKind{{"independent rows", rowsOf{}}, clustered[0], clustered[2]} {
		for _, labels := range fewAndMany {
			const r = 1.3
			n := labels * c.rows.effect()
			t, x := bucketed(c.rows, n/r, r), bucketed(c.rows, 4*n, 1)
			all := replicate(l, fmt.Sprintf("interval: arms, %s, %g", c.name, labels), l.times(intervalTimes), func(g *rand.Rand) hit {
				a, na := t.draw(g)
				b, nb := x.draw(g)
				e, ok := stats.LogArmRatio(stats.Arm{Observed: na, Expected: t.expected(), DesignEffect: phiOf(a)}, stats.Arm{Observed: nb, Expected: x.expected(), DesignEffect: phiOf(b)}, intervalLevel)
				return hitOf(e, ok, math.Log(r))
			})
			s.covers("ratio of arms, "+c.name, labels, all, near(labels, c.rows))
		}
	}
	// Eight strata between which the model errs by factors from 0.5 to 2, and in
	// which the arms' shares differ.
	for _, labels := range []float64{10, 15, 40, 200, 2000} {
		const r, strata = 1.3, 8
		var t, c [strata]source
		for k := range strata {
			factor := math.Exp2(2*float64(k)/(strata-1) - 1)
			share := float64(k+1) / (strata * (strata + 1) / 2)
			t[k] = rowsOf{}.source(labels/r*share, factor*r)
			c[k] = rowsOf{}.source(2*labels/strata, factor)
		}
		all := replicate(l, fmt.Sprintf("interval: strata, %g", labels), l.times(intervalTimes), func(g *rand.Rand) hit {
			cells := make([]stats.Stratum, strata)
			for k := range cells {
				cells[k] = stats.Stratum{
					Treatment: stats.Arm{Observed: t[k].draw(g), Expected: t[k].expected}, Control: stats.Arm{Observed: c[k].draw(g), Expected: c[k].expected},
				}
			}
			e, ok := stats.StratifiedArmRatio(cells, intervalLevel)
			return hitOf(e, ok, math.Log(r))
		})
		s.covers("stratified ratio of arms, 8 strata", labels, all, near(labels, rowsOf{}))
	}
}

func (s *Section) shares(l *lab) {
	for _, c := range []struct{ k, q float64 }{{10, 0.5}, {10, 0.02}, {15, 0.5}, {15, 0.02}, {40, 0.1}, {200, 0.02}, {2000, 0.5}} {
		n := math.Round(c.k / c.q)
		x, y := binomial(n, c.q), binomial(2*n, c.q/2)
		all := replicate(l, fmt.Sprintf("interval: Wilson, %g of %g", c.k, n), l.times(intervalTimes), func(g *rand.Rand) [2]hit {
			k, m := float64(x.draw(g)), float64(y.draw(g))
			e, ok := stats.Wilson(k, n, intervalLevel)
			d, okD := stats.ProportionDifference(stats.Proportion{K: k, N: n}, stats.Proportion{K: m, N: 2 * n}, intervalLevel)
			return [2]hit{hitOf(e, ok, c.q), hitOf(d, okD, c.q/2)}
		})
		of := func(i int) []hit {
			out := make([]hit, len(all))
			for k := range all {
				out[k] = all[k][i]
			}
			return out
		}
		s.covers(fmt.Sprintf("share of %g %%, Wilson", 100*c.q), c.k, of(0), near(c.k, rowsOf{}))
		s.covers(fmt.Sprintf("difference of shares, %g %% − %g %%, Newcombe", 100*c.q, 50*c.q), c.k, of(1), near(c.k, rowsOf{}))
	}
}
