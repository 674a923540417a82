package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Of the studies of sequences, which hold the truth at all times at once.
const (
	sequenceTimes = 4000
	sequenceLevel = 0.95
)

func sequences(l *lab) *Section {
	s := &Section{
		ID: "sequences", Title: "Sequences that may be watched: false alarms of the other tests", Unit: Percent, Columns: []string{"α"},
		Text: []string{
			"The share of experiments in which the sequence has left out the truth at any look, or the test has ever rejected. Claim: at most α. " +
				"Sample ratios: `stats.SampleRatioOf` after each of 500 windows of 200 units, with one epoch, and with the shares of a ramp, each step an epoch. " +
				"Coverage: `stats.ProportionSequence` and its tuned form after each of 300 windows of 50 rows, or of 25 items with two rows that agree, tempered by 2. " +
				"Means: `stats.AsymptoticSequence` of the log losses of hash buckets by windows, from 100 to 4000 of them; its level is promised for many units only. " +
				"Quantiles: `stats.QuantileLimits`, and `stats.QuantileDifference` for two arms alike, after each 100 of 5000 log-normal values in bins 1 % wide. " +
				"The ratio of arms: `stats.TwoArm.Sequence` around a true ratio of 1.2.",
			"Contrasts: the interval for a single look, looked at each time.",
		},
	}
	s.sampleRatios(l)
	s.proportions(l)
	s.means(l)
	s.quantiles(l)
	s.armSequence(l)
	p := &DotPlot{
		Name: "sequences", Title: "Sequences that have left out the truth at any look, at α = 5 %", Axis: "share of experiments, and 99 % interval",
		High: 0.12, Percent: true, Guides: []Guide{{0.05, "α"}},
	}
	for _, r := range s.Rows {
		if r.Notes[0] == "0.05" {
			p.Dots = append(p.Dots, dotOf(r))
		}
	}
	s.Plots = append(s.Plots, p)
	return s
}

func (s *Section) sampleRatios(l *lab) {
	const windows, units, times = 500, 200, 20000
	for _, c := range []struct {
		name  string
		share func(w int) float64
	}{{"one epoch, share 20 %", always(0.2)}, {"ramp 1→5→20→70 %", ramp(windows)}} {
		draws := map[float64]*counts{}
		for w := range windows {
			if q := c.share(w); draws[q] == nil {
				d := binomial(units, q)
				draws[q] = &d
			}
		}
		all := replicate(l, "sample ratio: "+c.name, l.times(times), func(g *rand.Rand) float64 {
			var epochs []stats.SampleRatio
			most, before, last := math.Inf(-1), 0.0, -1.0
			for w := range windows {
				q := c.share(w)
				if q != last {
					if len(epochs) > 0 { // what is past does not change any more
						e, _ := epochs[len(epochs)-1].LogE()
						before += float64(e)
					}
					epochs = append(epochs, stats.SampleRatio{Counts: []int64{0, 0}, Shares: []float64{q, 1 - q}})
					last = q
				}
				n := draws[q].draw(g)
				now := &epochs[len(epochs)-1]
				now.Counts[0] += n
				now.Counts[1] += units - n
				if e, ok := stats.SampleRatioOf(epochs[len(epochs)-1:]); ok {
					most = math.Max(most, before+float64(e))
				}
			}
			return most
		})
		for _, alpha := range []float64{0.05, stats.SampleRatioAlpha} {
			k := countIf(all, func(v float64) bool { return v >= logAlpha(alpha) })
			s.add("sample ratio, "+c.name, rate(k, len(all)), Claim{Kind: RateAtMost, Bound: alpha}, fmt.Sprint(alpha))
		}
	}
}

func (s *Section) proportions(l *lab) {
	const windows, rows = 300, 50
	for _, c := range []struct {
		q    float64
		size int64
	}{{0.5, 1}, {0.95, 1}, {0.999, 1}, {0.95, 2}} {
		items := binomial(float64(rows/c.size), c.q)
		type left struct{ uniform, tuned, single bool }
		name := fmt.Sprintf("coverage %g %%", 100*c.q)
		if c.size > 1 {
			name += ", items of two rows"
		}
		all := replicate(l, name, l.times(sequenceTimes), func(g *rand.Rand) left {
			var out left
			k, n, phi := int64(0), int64(0), float64(c.size)
			for range windows {
				k += items.draw(g) * c.size
				n += rows
				e, ok := stats.ProportionSequence(k, n, phi, sequenceLevel)
				out.uniform = out.uniform || ok && !holds(e, c.q)
				e, ok = stats.TunedProportionSequence(k, n, phi, 1000, sequenceLevel)
				out.tuned = out.tuned || ok && !holds(e, c.q)
				e, ok = stats.Wilson(float64(k)/phi, float64(n)/phi, sequenceLevel)
				out.single = out.single || ok && !holds(e, c.q)
			}
			return out
		})
		n := len(all)
		s.add(name+", uniform mixture", rate(countIf(all, func(v left) bool { return v.uniform }), n), Claim{Kind: RateAtMost, Bound: 0.05}, "0.05")
		s.add(name+", tuned mixture", rate(countIf(all, func(v left) bool { return v.tuned }), n), Claim{Kind: RateAtMost, Bound: 0.05}, "0.05")
		if c.q == 0.95 && c.size == 1 {
			s.add("contrast: Wilson's interval, "+name, rate(countIf(all, func(v left) bool { return v.single }), n), Claim{Kind: Contrast, Bound: 0.05}, "0.05")
		}
	}
}

func (s *Section) means(l *lab) {
	const units, first = 4000, 100
	// A unit has the rows of one hash bucket in one window: how many convert is
	// Poisson, and so is how far its mean loss is from the truth.
	for _, c := range []struct {
		name string
		unit func() func(g *rand.Rand) float64
	}{
		{"normal units", func() func(g *rand.Rand) float64 { return (*rand.Rand).NormFloat64 }},
		{"log loss, 5 conversions a unit", func() func(g *rand.Rand) float64 { return lossUnits(250, 0.02) }},
		{"log loss, 1 conversion a unit", func() func(g *rand.Rand) float64 { return lossUnits(100, 0.01) }},
	} {
		unit := c.unit()
		type left struct {
			at     [len(alphas)]bool
			single bool
		}
		all := replicate(l, "mean: "+c.name, l.times(sequenceTimes), func(g *rand.Rand) left {
			var out left
			var sums stats.MeanSums
			for i := range units {
				x := unit(g)
				sums.Add(stats.MeanSums{N: 1, Sum: x, Squares: x * x})
				if i+1 < first {
					continue
				}
				for k, alpha := range alphas {
					e, ok := stats.AsymptoticSequence(sums, 1000, 1-alpha)
					out.at[k] = out.at[k] || ok && !holds(e, 0)
				}
				mean := sums.Sum / float64(sums.N)
				out.single = out.single || math.Abs(mean) > 1.96*math.Sqrt(sums.Squares)/float64(sums.N)
			}
			return out
		})
		for k, alpha := range alphas {
			s.add("mean, "+c.name, rate(countIf(all, func(v left) bool { return v.at[k] }), len(all)), Claim{Kind: RateAtMost, Bound: alpha}, fmt.Sprint(alpha))
		}
		if c.name == "normal units" {
			s.add("contrast: mean ± 1.96 standard errors", rate(countIf(all, func(v left) bool { return v.single }), len(all)), Claim{Kind: Contrast, Bound: 0.05}, "0.05")
		}
	}
}

// lossUnits are mean log losses of rows with prediction p, which is right, less
// their mean.
func lossUnits(rows, p float64) func(g *rand.Rand) float64 {
	conversions := binomial(rows, p)
	one, none := stats.LogLoss(p, 1), stats.LogLoss(p, 0)
	mean := p*one + (1-p)*none
	return func(g *rand.Rand) float64 {
		y := float64(conversions.draw(g))
		return (y*one+(rows-y)*none)/rows - mean
	}
}

// holds reports whether an interval has v inside.
func holds(e stats.Estimate, v float64) bool {
	return (!e.HasLow() || e.Low <= v) && (!e.HasHigh() || v <= e.High)
}

func (s *Section) quantiles(l *lab) {
	const values, every, bins, width = 5000, 100, 401, 0.01
	// Log-normal with σ = 0.5: bin k has the values of which the logarithm is
	// within ±width/2 of (k−200)·width.
	bin := func(g *rand.Rand) int {
		return min(max(int(math.Round(g.NormFloat64()*0.5/width))+bins/2, 0), bins-1)
	}
	for _, q := range []float64{0.5, 0.9, 0.99} {
		z := map[float64]float64{0.5: 0, 0.9: 1.2815515655446004, 0.99: 2.3263478740408408}[q]
		truth := int(math.Round(z*0.5/width)) + bins/2
		type left struct {
			limits bool
			most   float64
		}
		all := replicate(l, fmt.Sprintf("quantile %g", q), l.times(sequenceTimes/4), func(g *rand.Rand) left {
			a, b := make([]int64, bins), make([]int64, bins)
			out := left{most: math.Inf(-1)}
			for i := range values {
				a[bin(g)]++
				b[bin(g)]++
				if (i+1)%every != 0 {
					continue
				}
				if lim, ok := stats.QuantileLimits(a, q, 1000, sequenceLevel); ok {
					out.limits = out.limits || !lim.OpenLow && truth < lim.Low || !lim.OpenHigh && truth > lim.High
				}
				if (i+1)%(5*every) == 0 {
					if e, ok := stats.QuantileDifference(a, b, stats.QuantileMixture{Q: q, TOpt: 1000, Alpha: 0.05}); ok {
						out.most = math.Max(out.most, float64(e))
					}
				}
			}
			return out
		})
		name := fmt.Sprintf("p%g", 100*q)
		s.add("limits of the "+name, rate(countIf(all, func(v left) bool { return v.limits }), len(all)), Claim{Kind: RateAtMost, Bound: 0.05}, "0.05")
		s.add("two arms' "+name, rate(countIf(all, func(v left) bool { return v.most >= logAlpha(0.05) }), len(all)), Claim{Kind: RateAtMost, Bound: 0.05}, "0.05")
	}
}

func (s *Section) armSequence(l *lab) {
	const windows, every = 500, 5
	x := newExperiment(rowsOf{}, 20, windows, schedule{"", ramp(windows), wave}, 1.2)
	all := replicate(l, "sequence of the arms' ratio", l.times(sequenceTimes/4), func(g *rand.Rand) bool {
		process := stats.NewTwoArm(stats.SequenceGrid())
		for w := range windows {
			process.Add(x.draw(g, w))
			if (w+1)%every != 0 {
				continue
			}
			// Limits are rounded outwards to the grid.
			if e, ok := process.Sequence(sequenceLevel, 1); ok && !holds(e, math.Log(1.2)) {
				return true
			}
		}
		return false
	})
	s.add("ratio of arms, ramp and ±30 % wave", rate(countIf(all, func(v bool) bool { return v }), len(all)), Claim{Kind: RateAtMost, Bound: 0.05}, "0.05")
}
