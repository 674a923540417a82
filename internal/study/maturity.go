package study

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Of the study of maturity-adjusted calibration.
const (
	maturitySeeds    = 200
	maturityExpected = 500 // predicted conversions of the hour that is watched
	historyExpected  = 50  // of each hour of the history
	historyHours     = 45 * 24
	windowHours      = 30 * 24 // the attribution window: no conversion comes later
)

// delayEdges are the upper edges of the buckets of age and delay, in hours: those
// of the product from an hour up, the last one the attribution window.
var delayEdges = [...]float64{1, 1.5, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 120, 168, 240, 336, 504, windowHours}

// workload says how long its conversions take: a share q is exponential with a
// mean in hours, and the others come after a day, exponential from there. Those
// beyond the attribution window do not count and are drawn again.
type workload struct {
	quick, mean, slowMean float64
}

// lateWorkload has half of its conversions after a day.
var lateWorkload = workload{quick: 0.5, mean: 1, slowMean: 72}

func (w workload) delay(g *rand.Rand) float64 {
	for {
		d := g.ExpFloat64() * w.mean
		if g.Float64() >= w.quick {
			d = 24 + g.ExpFloat64()*w.slowMean
		}
		if d <= windowHours {
			return d
		}
	}
}

// watched is what is known of an hour's impressions at several ages.
type watched struct {
	adjusted, naive []stats.Estimate // Q by age
	share           []float64        // label maturity
	final           float64          // O/E once all conversions are there
	truth           float64          // what Q would be of endless impressions
}

// watchedAges are whole numbers of hours that are edges of buckets.
var watchedAges = [...]float64{1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 120, 168, 240, 336, 504, windowHours}

func lateLabels(l *lab) *Section {
	s := &Section{
		ID: "late-labels", Title: "Calibration before the labels are there", Unit: Percent, Columns: []string{"age", "label maturity", "median C"},
		Text: []string{
			fmt.Sprintf("Half of the conversions come more than a day after the impression; the attribution window is 30 days. In each of %d seeds the model over-calibrates by a factor between 0.8 and 1.25. "+
				"The delay curve is `stats.FitDelayCurve` of the triangle of conversions by age and delay of the %d hours of impressions before, each with %d conversions predicted, of which the younger ones have not all come yet. "+
				"An hour of impressions with %d conversions predicted is looked at as it ages: `stats.MaturityOf` and `Maturity.Ratio`, and beside it the ratio without maturity, `stats.ObservedOverExpected`. "+
				"Claims: the adjusted interval at one hour holds the final value in at least 93 %% of seeds; without maturity it holds it in at most 5 %%.", maturitySeeds, historyHours, historyExpected, maturityExpected),
		},
	}
	n := maturitySeeds
	if l.Quick {
		n = leastQuick
	}
	all := replicate(l, "late labels", n, func(g *rand.Rand) watched { return watch(g, lateWorkload) })
	curveOf := func(label, class string, value func(w *watched, i int) float64) Curve {
		c := Curve{Label: label, Class: class}
		for i, age := range watchedAges {
			var values []float64
			for k := range all {
				values = append(values, value(&all[k], i))
			}
			slices.Sort(values)
			c.X = append(c.X, age)
			c.Y = append(c.Y, values[len(values)/2])
			c.Low = append(c.Low, values[len(values)/20])
			c.High = append(c.High, values[len(values)-1-len(values)/20])
		}
		return c
	}
	over := func(e stats.Estimate, final float64) float64 {
		if e.Value > 0 {
			return final / e.Value // C over its final value
		}
		return math.Inf(1)
	}
	adjusted := curveOf("adjusted", "a", func(w *watched, i int) float64 { return over(w.adjusted[i], w.final) })
	naive := curveOf("as seen", "b", func(w *watched, i int) float64 { return over(w.naive[i], w.final) })
	share := curveOf("", "a", func(w *watched, i int) float64 { return w.share[i] })
	for i, age := range watchedAges {
		if age != 1 && age != 6 && age != 24 && age != 72 && age != 168 {
			continue
		}
		claims := [3]Claim{}
		if age == 1 {
			claims = [3]Claim{{Kind: AtLeast, Bound: 0.93}, {Kind: AtLeast, Bound: 0.93}, {Kind: RateAtMost, Bound: 0.05}}
		}
		notes := func(c *Curve) []string {
			return []string{hours(age), fmt.Sprintf("%.0f %%", 100*share.Y[i]), fmt.Sprintf("%.2f × final", c.Y[i])}
		}
		final := countIf(all, func(w watched) bool { return holds(w.adjusted[i], w.final) })
		truth := countIf(all, func(w watched) bool { return holds(w.adjusted[i], w.truth) })
		seen := countIf(all, func(w watched) bool { return holds(w.naive[i], w.final) })
		s.add("adjusted, holds the final value", rate(final, len(all)), claims[0], notes(&adjusted)...)
		s.add("adjusted, holds the true calibration", rate(truth, len(all)), claims[1], notes(&adjusted)...)
		s.add("as seen, holds the final value", rate(seen, len(all)), claims[2], notes(&naive)...)
	}
	one := Curve{Label: "final", Class: "guide", X: []float64{1, windowHours}, Y: []float64{1, 1}}
	s.Plots = append(s.Plots, &LinePlot{
		Name: "late-labels", Title: "Calibration of an hour's impressions over its final value: median and 90 % of seeds", XAxis: "age of the impressions", YAxis: "C / final C",
		LogX: true, LogY: true, XLow: 1, XHigh: windowHours, YLow: 0.7, YHigh: 5, Curves: []Curve{one, naive, adjusted},
		XTicks: []Tick{{1, "1 h"}, {6, "6 h"}, {24, "1 d"}, {72, "3 d"}, {168, "7 d"}, {windowHours, "30 d"}},
		YTicks: []Tick{{0.7, "0.7"}, {1, "1"}, {1.5, "1.5"}, {2, "2"}, {3, "3"}, {5, "5"}},
	})
	return s
}

func hours(h float64) string {
	if h >= 24 {
		return fmt.Sprintf("%g d", h/24)
	}
	return fmt.Sprintf("%g h", h)
}

// passed is how many buckets of delay have gone by at an age.
func passed(age float64) int {
	n, found := slices.BinarySearch(delayEdges[:], age)
	if found {
		n++
	}
	return n
}

func watch(g *rand.Rand, load workload) watched {
	w := watched{truth: math.Exp((2*g.Float64() - 1) * math.Log(1.25))}
	bucket := func(delay float64) int {
		u, _ := slices.BinarySearch(delayEdges[:], delay)
		return min(u, len(delayEdges)-1)
	}
	var own []int // buckets of the watched hour's conversions
	for range poissonDraw(g, maturityExpected*w.truth) {
		own = append(own, bucket(load.delay(g)))
	}
	w.final = float64(len(own)) / maturityExpected
	// The history goes on while the hour ages. What the triangle gains from that is
	// left out: the curve is that of the time at which the hour is an hour old.
	triangle := stats.NewDelayTriangle(len(delayEdges))
	for h := range historyHours {
		age := passed(float64(h + 2)) // the hour before the watched one is two hours old
		for range poissonDraw(g, historyExpected*w.truth) {
			if u := bucket(load.delay(g)); u < age {
				triangle.AddConversions(age-1, u, 1)
			}
		}
	}
	curve, ok := stats.FitDelayCurve(triangle, 1)
	for _, age := range watchedAges {
		var adjusted, naive stats.Estimate
		n := passed(age)
		seen := int64(countIf(own, func(u int) bool { return u < n }))
		share := 0.0
		if ok {
			expected := make([]float64, n)
			expected[n-1] = maturityExpected
			if m, ok := stats.MaturityOf(expected, curve); ok {
				adjusted, _ = m.Ratio(seen, 1, 0.95)
				e, _ := m.Share(0.95)
				share = e.Value
			}
		}
		naive, _ = stats.ObservedOverExpected(seen, maturityExpected, 0.95)
		w.adjusted = append(w.adjusted, adjusted)
		w.naive = append(w.naive, naive)
		w.share = append(w.share, share)
	}
	return w
}
