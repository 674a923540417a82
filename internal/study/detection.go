package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Of the studies of detection: how often, and the states of the chain that the
// optimum comes from.
const (
	delayTimes  = 10000
	chainLevels = 200
	// optimalRunLength is the mean number of windows between false alarms that the
	// optimum is tuned to: what the detector's threshold guarantees.
	optimalRunLength = stats.DefaultPatience
)

var detectionRatios = [...]float64{0.5, 0.8, 1.1, 1.2, 1.5, 2}

// optimum is the best there can be for one change.
type optimum struct {
	cusum
	delay, threshold float64
}

// optima are those for all changes, in order of conversions a window and ratio.
func optima(l *lab) []optimum {
	var cases []optimum
	for _, e := range []float64{5, 20} {
		for _, r := range detectionRatios {
			cases = append(cases, optimum{cusum: cusum{r, e}})
		}
	}
	// Nothing is drawn; this runs on all workers.
	next := make(chan int, len(cases))
	for i := range cases {
		next <- i
	}
	close(next)
	replicate(l, "optima", l.Workers, func(*rand.Rand) struct{} {
		for i := range next {
			cases[i].delay, cases[i].threshold = cases[i].optimum(optimalRunLength, chainLevels)
		}
		return struct{}{}
	})
	return cases
}

func detectionDelays(l *lab) *Section {
	s := &Section{
		ID: "detection-delays", Title: "How long a change takes to be found", Unit: Times,
		Columns: []string{"windows", "expected conversions", "least, in windows"},
		Text: []string{
			"The mean delay from the change to the alarm of `stats.Detector` with the default grid at c = 10⁴, the Shiryaev–Roberts mixture, as a multiple of the least that is possible at a mean time of 10⁴ windows between false alarms. " +
				"That is the delay of the CUSUM that knows the ratio r and has exactly this run length (Moustakides 1986), computed by a Markov chain (Brook and Evans 1972). " +
				"Where no threshold has it exactly, it is the least threshold that has at least that. ln(10⁴)/I is no lower bound for the delay. The detector starts with the change, which is its worst case. Claim: at most 1.5.",
			"The chain is held against draws: of the CUSUM with its threshold, the delay within 3 % of the chain's, and the run length without change at least 95 % of 10⁴; the delay depends on its logarithm.",
		},
	}
	all := optima(l)
	for _, o := range all {
		delays := replicate(l, fmt.Sprintf("delay: r %g, E %g", o.r, o.expected), l.times(delayTimes), func(g *rand.Rand) float64 {
			return delayOf(g, stats.NewDetector(stats.DefaultGrid()), o.cusum, 0, math.Log(stats.DefaultPatience), (*stats.Detector).Rate)
		})
		s.delay(fmt.Sprintf("r = %g, %g a window", o.r, o.expected), delays, o, Claim{Kind: AtMost, Bound: 1.5})
	}
	for _, o := range all {
		if o.expected == 20 {
			delays := replicate(l, fmt.Sprintf("delay: r %g, E %g, after 200", o.r, o.expected), l.times(delayTimes/2), func(g *rand.Rand) float64 {
				return delayOf(g, stats.NewDetector(stats.DefaultGrid()), o.cusum, 200, math.Log(stats.DefaultPatience), (*stats.Detector).Rate)
			})
			s.delay(fmt.Sprintf("r = %g, %g a window, change after 200 windows", o.r, o.expected), delays, o, Claim{})
			delays = replicate(l, fmt.Sprintf("CUSUM delay: r %g, E %g", o.r, o.expected), l.times(delayTimes/2), func(g *rand.Rand) float64 {
				return delayOf(g, stats.NewDetector(stats.DefaultGrid()), o.cusum, 0, math.Log(stats.DefaultPatience), (*stats.Detector).CUSUMRate)
			})
			s.delay(fmt.Sprintf("CUSUM mixture, r = %g, %g a window", o.r, o.expected), delays, o, Claim{})
		}
	}
	for _, o := range all {
		name := fmt.Sprintf("r = %g, %g a window", o.r, o.expected)
		known := []float64{math.Log(o.r)}
		delays := replicate(l, "chain: "+name, l.times(delayTimes), func(g *rand.Rand) float64 {
			return delayOf(g, stats.NewDetector(known), o.cusum, 0, o.threshold, (*stats.Detector).CUSUMRate)
		})
		s.delay("check of the chain's delay, "+name, delays, o, Claim{Kind: Between, Bound: 0.97, Upper: 1.03})
		quiet := cusum{1, o.expected}
		runs := replicate(l, "chain's run length: "+name, l.times(delayTimes), func(g *rand.Rand) float64 {
			return delayOf(g, stats.NewDetector(known), quiet, 0, o.threshold, (*stats.Detector).CUSUMRate)
		})
		f := average(runs, 1/float64(optimalRunLength))
		s.add("check of the chain's run length, "+name, f, Claim{Kind: AtLeast, Bound: 0.95}, fmt.Sprintf("%.0f", f.Value*optimalRunLength), "", "")
	}
	p := &DotPlot{
		Name: "detection-delays", Title: "Delay of the default detector over the least possible at 10⁴ windows between false alarms",
		Axis: "multiple of the optimum, and 99 % interval", Low: 0.9, High: 2.4, Guides: []Guide{{1.5, "1.5"}},
	}
	for _, r := range s.Rows[:len(all)+len(all)] {
		p.Dots = append(p.Dots, dotOf(r))
	}
	s.Plots = append(s.Plots, p)
	return s
}

func (s *Section) delay(name string, windows []float64, o optimum, c Claim) {
	f := average(windows, 1/o.delay)
	s.add(name, f, c, fmt.Sprintf("%.2f", f.Value*o.delay), fmt.Sprintf("%.1f", f.Value*o.delay*o.expected), fmt.Sprintf("%.2f", o.delay))
}

// delayOf is how many windows after the change a detector's rate has reached the
// threshold. Alarms before the change reset it.
func delayOf(g *rand.Rand, d *stats.Detector, c cusum, before int, threshold float64, rate func(*stats.Detector) (stats.LogE, bool)) float64 {
	after := poisson(c.expected * c.r)
	var quiet counts
	if before > 0 {
		quiet = poisson(c.expected)
	}
	for w := 1; ; w++ {
		arm := stats.Arm{Expected: c.expected}
		if w <= before {
			arm.Observed = quiet.draw(g)
		} else {
			arm.Observed = after.draw(g)
		}
		d.AddArm(arm)
		if e, ok := rate(d); !ok || float64(e) < threshold {
			continue
		}
		if w > before {
			return float64(w - before)
		}
		d.Reset()
	}
}

// Of the study of alarms without change.
const (
	quietTimes   = 4000
	quietWindows = 2000
)

// quietAlarms is the first window with an alarm, and quietWindows + 1 where there
// is none.
type quietAlarms struct {
	sr, cusum, alpha int
}

func alarmsWithoutChange(l *lab) *Section {
	s := &Section{
		ID: "alarms-without-change", Title: "Alarms of the change detector without a change", Unit: Percent, Columns: []string{"c"},
		Text: []string{fmt.Sprintf("The share of experiments in which `stats.Detector` with the default grid alarms within T = %d windows although nothing changes. "+
			"Claim: at most T/c. Two arms have 20 conversions a window, a treatment share of 20 %% and a ±30 %% wave; with a design effect, they are tempered as alerts are.", quietWindows)},
	}
	arms := func(rows rowsOf) func(g *rand.Rand) quietAlarms {
		x := newExperiment(rows, 20, 14, schedule{"", always(0.2), wave}, 1)
		return func(g *rand.Rand) quietAlarms {
			phi := 1.0
			if rows.phi > 1 {
				phi, _ = tempering(g, &x.bucket)
			}
			cells := make([]stats.Stratum, 1)
			return quietRun(func(d *stats.Detector, w int) {
				cells[0] = x.draw(g, w%x.windows)
				d.AddArms(cells, phi)
			})
		}
	}
	alone := func(expected float64) func(g *rand.Rand) quietAlarms {
		windows := poisson(expected)
		return func(g *rand.Rand) quietAlarms {
			return quietRun(func(d *stats.Detector, _ int) {
				d.AddArm(stats.Arm{Observed: windows.draw(g), Expected: expected})
			})
		}
	}
	var curves []Curve
	for i, c := range []struct {
		name string
		one  func(g *rand.Rand) quietAlarms
	}{
		{"one arm, 5 a window", alone(5)},
		{"one arm, 20 a window", alone(20)},
		{"two arms under a wave", arms(rowsOf{})},
		{"two arms, p = 1e-03", arms(rowsOf{p: 1e-3})},
		{"two arms, " + clustered[0].name, arms(clustered[0].rows)},
	} {
		all := replicate(l, "alarms without change: "+c.name, l.times(quietTimes), c.one)
		within := func(of func(quietAlarms) int, t int) int {
			return countIf(all, func(q quietAlarms) bool { return of(q) <= t })
		}
		sr := func(q quietAlarms) int { return q.sr }
		cusum := func(q quietAlarms) int { return q.cusum }
		s.add("SR, "+c.name, rate(within(sr, quietWindows), len(all)), Claim{Kind: RateAtMost, Bound: quietWindows / stats.DefaultPatience}, "10⁴")
		s.add("CUSUM, "+c.name, rate(within(cusum, quietWindows), len(all)), Claim{Kind: RateAtMost, Bound: quietWindows / stats.DefaultPatience}, "10⁴")
		s.add("SR for α = 5 % in T, "+c.name, rate(within(func(q quietAlarms) int { return q.alpha }, quietWindows), len(all)), Claim{Kind: RateAtMost, Bound: 0.05}, "T/α")
		if i > 2 {
			continue
		}
		for k, of := range []func(quietAlarms) int{sr, cusum} {
			curve := Curve{Label: []string{"SR, ", "CUSUM, "}[k] + []string{"one arm, 5", "one arm, 20", "two arms"}[i], Class: []string{"a", "b", "c"}[i]}
			for t := 0; t <= quietWindows; t += 50 {
				curve.X = append(curve.X, float64(t))
				curve.Y = append(curve.Y, float64(within(of, t))/float64(len(all)))
			}
			curves = append(curves, curve)
		}
	}
	bound := Curve{Label: "T/c", Class: "guide", X: []float64{0, quietWindows}, Y: []float64{0, quietWindows / stats.DefaultPatience}}
	s.Plots = append(s.Plots, &LinePlot{
		Name: "alarms-without-change", Title: "Share of detectors with an alarm, without a change, at c = 10⁴", XAxis: "windows T", YAxis: "share with an alarm",
		XHigh: quietWindows, YHigh: 0.2, Curves: append([]Curve{bound}, curves...),
		XTicks: []Tick{{0, "0"}, {500, "500"}, {1000, "1000"}, {1500, "1500"}, {2000, "2000"}},
		YTicks: []Tick{{0, "0"}, {0.05, "5 %"}, {0.1, "10 %"}, {0.15, "15 %"}, {0.2, "20 %"}},
	})
	return s
}

func quietRun(add func(d *stats.Detector, w int)) quietAlarms {
	d := stats.NewDetector(stats.DefaultGrid())
	q := quietAlarms{quietWindows + 1, quietWindows + 1, quietWindows + 1}
	for w := range quietWindows {
		add(d, w)
		if d.Alarm(stats.DefaultPatience) {
			q.sr = min(q.sr, w+1)
		}
		if d.Alarm(quietWindows / 0.05) {
			q.alpha = min(q.alpha, w+1)
		}
		if e, ok := d.CUSUMRate(); ok && float64(e) >= math.Log(stats.DefaultPatience) {
			q.cusum = min(q.cusum, w+1)
		}
	}
	return q
}
