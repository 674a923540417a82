package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Of the studies of stopping times: how often, and how many windows at most. No
// experiment has been seen to need as many.
const (
	stopTimes      = 10000
	stopWindows    = 40000
	windowsOfBound = 100
)

// stopped is how many expected conversions a test has needed, by α.
type stopped struct {
	needed [len(alphas)]float64
	never  bool // has not stopped within stopWindows
}

func stoppingTimes(l *lab) *Section {
	s := &Section{
		ID: "stopping-times", Title: "How long a difference takes to be found", Unit: Times,
		Columns: []string{"α", "ln(1/α)/I", "needed"},
		Text: []string{
			"The mean number of expected conversions until the test stops, as a multiple of ln(1/α)/I, which no test of level α that surely stops can be below in the mean (Wald 1945). " +
				"Q is r times what is predicted from the first window on; I is the Kullback–Leibler divergence of an expected conversion, and windows have 2 of them (0.5 where r is 0.5 or 1.5) with one arm and 5 with two, so that what a window overshoots counts as little as it can. " +
				"The tests are `stats.RatioE`, and `stats.TwoArm` under a ±30 % wave in both arms. Rows are independent and φ is 1. Claims: one arm at most 1.8 at α = 0.05 and 1.55 at 0.01; two arms at most 1.75 at 0.05.",
			"The lines with φ say what it costs not to know the design effect, which is 1 here, but to take its upper bound from earlier data: for one estimate from G buckets about the factor (G−1)/χ²₀.₀₅, 1.38 with 64 of them and 1.25 with 128, and more for the larger of two. Alerts pay this.",
		},
	}
	bounds := map[float64]float64{0.05: 1.8, 0.01: 1.55}
	for _, r := range []float64{0.5, 0.8, 1.1, 1.2, 1.5} {
		e := stoppingBound(information(r), 0.05) / windowsOfBound
		all := replicate(l, fmt.Sprintf("stopping: one arm, r %g", r), l.times(stopTimes), func(g *rand.Rand) stopped { return stopAlone(g, r, e) })
		s.stops(fmt.Sprintf("one arm, r = %g", r), all, information(r), func(alpha float64) Claim { return Claim{Kind: AtMost, Bound: bounds[alpha]} })
	}
	for _, share := range []float64{0.2, 0.7} {
		for _, r := range []float64{0.5, 0.8, 1.1, 1.2, 1.5} {
			x := newExperiment(rowsOf{}, stoppingBound(armsInformation(r, share), 0.05)/windowsOfBound, 14, schedule{"", always(share), wave}, r)
			name := fmt.Sprintf("two arms, r = %g, share %g %%", r, 100*share)
			all := replicate(l, "stopping: "+name, l.times(stopTimes/2), func(g *rand.Rand) stopped { return x.stop(g, knownPhi) })
			s.stops(name, all, armsInformation(r, share), func(alpha float64) Claim {
				if alpha == 0.05 {
					return Claim{Kind: AtMost, Bound: 1.75}
				}
				return Claim{}
			})
			if r != 1.2 {
				continue
			}
			for _, c := range []struct {
				name string
				of   func(g *rand.Rand, bucket *source) float64
			}{{"the larger φ of the arms' 64 buckets", largerPhi}, {"one φ of both arms' 128 buckets", commonPhi}} {
				all := replicate(l, "stopping: "+c.name+", "+name, l.times(stopTimes/2), func(g *rand.Rand) stopped { return x.stop(g, c.of) })
				s.stops(name+", "+c.name, all, armsInformation(r, share), func(float64) Claim { return Claim{} })
			}
		}
	}
	p := &DotPlot{
		Name: "stopping-times", Title: "Expected conversions to the end of the test, over ln(1/α)/I, at α = 5 %", Axis: "multiple of the bound, and 99 % interval",
		Low: 1, High: 2.4, Guides: []Guide{{1.8, "1.8"}, {1.75, ""}},
	}
	for _, r := range s.Rows {
		if r.Notes[0] == "0.05" {
			p.Dots = append(p.Dots, dotOf(r))
		}
	}
	s.Plots = append(s.Plots, p)
	return s
}

// stops adds the mean needed at each α.
func (s *Section) stops(name string, all []stopped, info float64, claim func(alpha float64) Claim) {
	for i, alpha := range alphas {
		bound := stoppingBound(info, alpha)
		values := make([]float64, len(all))
		for k := range all {
			values[k] = all[k].needed[i]
		}
		f := average(values, 1/bound)
		if never := countIf(all, func(v stopped) bool { return v.never }); never > 0 {
			// Their times are not known: the mean has no upper end.
			name = fmt.Sprintf("%s (%d have not stopped)", name, never)
			f.Value, f.High = math.Inf(1), math.Inf(1)
		}
		s.add(name, f, claim(alpha), fmt.Sprint(alpha), fmt.Sprintf("%.1f", bound), fmt.Sprintf("%.1f", f.Value*bound))
	}
}

func knownPhi(*rand.Rand, *source) float64 { return 1 }

func largerPhi(g *rand.Rand, bucket *source) float64 {
	phi, _ := tempering(g, bucket)
	return phi
}

func commonPhi(g *rand.Rand, bucket *source) float64 {
	_, phi := tempering(g, bucket)
	return phi
}

func stopAlone(g *rand.Rand, r, expected float64) stopped {
	windows := poisson(expected * r)
	var arm stats.Arm
	var s stopped
	for range stopWindows {
		arm.Observed += windows.draw(g)
		arm.Expected += expected
		e, ok := stats.RatioE(arm)
		if s.note(e, ok, arm.Expected) {
			return s
		}
	}
	s.never = true
	return s
}

// note keeps what has been needed for the levels that are rejected for the first
// time, and reports whether all are.
func (s *stopped) note(e stats.LogE, ok bool, expected float64) bool {
	for i, alpha := range alphas {
		if s.needed[i] == 0 && ok && e.Rejects(alpha) {
			s.needed[i] = expected
		}
	}
	return s.needed[len(alphas)-1] > 0
}

// stop runs the experiment's windows over and over. What it counts as expected
// has the shock in it, as the information has that comes in.
func (e *experiment) stop(g *rand.Rand, phiOf func(g *rand.Rand, bucket *source) float64) stopped {
	phi := phiOf(g, &e.bucket)
	process := stats.NewTwoArm(stats.DefaultGrid())
	expected := 0.0
	var s stopped
	for w := range stopWindows {
		process.Add(e.draw(g, w%e.windows))
		expected += e.expected * e.schedule.shock(w%e.windows)
		v, ok := process.LogE(phi)
		if s.note(v, ok, expected) {
			return s
		}
	}
	s.never = true
	return s
}
