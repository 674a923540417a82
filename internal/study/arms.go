package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// clusterBuckets is the number of hash buckets that clusters fall in, as in the
// product's cells.
const clusterBuckets = 64

// pastExpected is how many conversions a bucket of an earlier epoch expects.
const pastExpected = 10

// tempering is φ as an alert has it: the upper bound of the design effect in
// earlier data, at least 1. each is the larger one of the arms', pooled that of
// both arms' buckets together, of which there are twice as many.
func tempering(r *rand.Rand, bucket *source) (each, pooled float64) {
	cells := make([]stats.Cell, 2*clusterBuckets)
	for i := range cells {
		cells[i] = stats.Cell{Observed: float64(bucket.draw(r)), Expected: bucket.expected}
	}
	of := func(cells []stats.Cell) float64 {
		d, ok := stats.DesignEffectOf(cells)
		if !ok {
			return 1
		}
		return d.Tempering()
	}
	return max(of(cells[:clusterBuckets]), of(cells[clusterBuckets:])), of(cells)
}

// schedule says what share of the predictions a window's treatment has, and by
// what factor both arms' conversions are off.
type schedule struct {
	name  string
	share func(window int) float64
	shock func(window int) float64
}

// always does not depend on the window.
func always(v float64) func(int) float64 { return func(int) float64 { return v } }

// ramp goes from 1 to 5, 20 and 70 % in four epochs of the same length.
func ramp(windows int) func(int) float64 {
	steps := [...]float64{0.01, 0.05, 0.2, 0.7}
	return func(w int) float64 { return steps[min(w*len(steps)/windows, len(steps)-1)] }
}

// jump is a shock of +30 % in the second third of the windows, and of −30 % in
// the last.
func jump(windows int) func(int) float64 {
	factors := [...]float64{1, 1.3, 0.7}
	return func(w int) float64 { return factors[min(w*len(factors)/windows, len(factors)-1)] }
}

// wave is a shock of +30 % for 7 windows, then of −30 % for 7, and so on.
func wave(w int) float64 {
	if w/7%2 == 0 {
		return 1.3
	}
	return 0.7
}

// experiment draws windows of two arms, which convert as predicted times the
// shock, and the treatment ratio times that.
type experiment struct {
	rows      rowsOf
	expected  float64 // a window, both arms together
	windows   int
	schedule  schedule
	ratio     float64
	treatment []*source // by window; shared between windows that are alike
	control   []*source
	bucket    source // of earlier data
}

func newExperiment(rows rowsOf, expected float64, windows int, s schedule, ratio float64) *experiment {
	e := &experiment{rows: rows, expected: expected, windows: windows, schedule: s, ratio: ratio}
	e.bucket = rows.source(pastExpected, 1)
	made := map[[2]float64]*source{}
	get := func(mean, factor float64) *source {
		key := [2]float64{mean, factor}
		if made[key] == nil {
			s := rows.source(mean, factor)
			made[key] = &s
		}
		return made[key]
	}
	for w := range windows {
		share, factor := s.share(w), s.shock(w)
		e.treatment = append(e.treatment, get(expected*share, factor*ratio))
		e.control = append(e.control, get(expected*(1-share), factor))
	}
	return e
}

func (e *experiment) draw(r *rand.Rand, w int) stats.Stratum {
	t, c := e.treatment[w], e.control[w]
	return stats.Stratum{
		Treatment: stats.Arm{Observed: t.draw(r), Expected: t.expected},
		Control:   stats.Arm{Observed: c.draw(r), Expected: c.expected},
	}
}

// peeks is the most evidence that tests have had, looked at after every window.
type peeks struct {
	arms, armsPlain   float64 // two-arm, tempered and not
	armsPooled        float64 // tempered by the arms' common design effect
	alone, alonePlain float64 // the treatment alone
	fixed             float64 // the most |z| of the interval for one look, in units of its limit at 5 %
}

// peek runs one experiment without a difference between arms and keeps the
// largest e-values in logs.
func (e *experiment) peek(r *rand.Rand) peeks {
	phi, pooled := tempering(r, &e.bucket)
	process := stats.NewTwoArm(stats.DefaultGrid())
	var all stats.Stratum
	p := peeks{math.Inf(-1), math.Inf(-1), math.Inf(-1), math.Inf(-1), math.Inf(-1), 0}
	note := func(to *float64, v stats.LogE, ok bool) {
		if ok {
			*to = math.Max(*to, float64(v))
		}
	}
	for w := range e.windows {
		cell := e.draw(r, w)
		process.Add(cell)
		all.Treatment.Observed += cell.Treatment.Observed
		all.Treatment.Expected += cell.Treatment.Expected
		all.Control.Observed += cell.Control.Observed
		all.Control.Expected += cell.Control.Expected
		v, ok := process.LogE(phi)
		note(&p.arms, v, ok)
		v, ok = process.LogE(pooled)
		note(&p.armsPooled, v, ok)
		v, ok = process.LogE(1)
		note(&p.armsPlain, v, ok)
		v, ok = stats.RatioE(all.Treatment)
		note(&p.alonePlain, v, ok)
		one := all.Treatment
		one.DesignEffect = phi
		v, ok = stats.RatioE(one)
		note(&p.alone, v, ok)
		if d, ok := stats.LogArmRatio(all.Treatment, all.Control, 0.95); ok && d.Status == stats.OK {
			p.fixed = math.Max(p.fixed, math.Abs(d.Value)/(d.High-d.Value))
		}
	}
	return p
}

// alphas are the error probabilities that tests are run at.
var alphas = [...]float64{0.05, 0.01}

// alarms adds the shares of experiments whose largest evidence has reached 1/α.
func (s *Section) alarms(condition string, all []peeks, kind Kind, of func(peeks) float64) {
	for _, alpha := range alphas {
		k := countIf(all, func(p peeks) bool { return of(p) >= logAlpha(alpha) })
		s.add(condition, rate(k, len(all)), Claim{Kind: kind, Bound: alpha}, fmt.Sprint(alpha))
	}
}

func tempered(p peeks) float64      { return p.arms }
func pooledPhi(p peeks) float64     { return p.armsPooled }
func plain(p peeks) float64         { return p.armsPlain }
func aloneTempered(p peeks) float64 { return p.alone }
func alonePlain(p peeks) float64    { return p.alonePlain }

// Of the studies of false alarms: how often, how long and how many conversions a
// window both arms expect.
const (
	alarmTimes    = 4000
	alarmWindows  = 1000
	alarmExpected = 20
)

// clusterKind is a kind of clusters with its name.
type clusterKind struct {
	name string
	rows rowsOf
}

// clustered are the kinds of clusters besides independent rows.
var clustered = []clusterKind{
	{"design effect 2, negative binomial", rowsOf{family: logarithmic, phi: 2}},
	{"design effect 2, sizes 1 and 3", rowsOf{family: twoSizes, phi: 2}},
	{"design effect 3, negative binomial", rowsOf{family: logarithmic, phi: 3}},
	{"design effect 3, sizes 1 and 5", rowsOf{family: twoSizes, phi: 3}},
}

func falseAlarms(l *lab) *Section {
	s := &Section{
		ID: "false-alarms", Title: "False alarms when every window is looked at", Unit: Percent, Columns: []string{"α"},
		Text: []string{
			fmt.Sprintf("Two arms without a difference, %d windows with %d predicted conversions each, looked at after every one. "+
				"The two-arm test is `stats.TwoArm` with the default grid, the one-arm test `stats.RatioE` on the treatment alone. "+
				"Both are tempered by a design effect that is estimated, in every replication anew, from %d hash buckets an arm of earlier data with %d predicted conversions each "+
				"(`stats.DesignEffectOf`, the larger upper bound of the two arms, at least 1), unless the line says otherwise. Claim: at most α.", alarmWindows, alarmExpected, clusterBuckets, pastExpected),
			"A contrast is claimed to be *above* α: what is promised does not hold without the remedy, and the study can see it.",
		},
	}
	half := schedule{"", always(0.5), always(1)}
	run := func(name string, rows rowsOf, sched schedule) []peeks {
		e := newExperiment(rows, alarmExpected, alarmWindows, sched, 1)
		return replicate(l, "false alarms: "+name, l.times(alarmTimes), e.peek)
	}
	for _, p := range []float64{1e-1, 1e-2, 1e-3, 1e-4, 1e-5} {
		all := run(fmt.Sprintf("p %g", p), rowsOf{p: p}, half)
		s.alarms(fmt.Sprintf("two-arm, p = %.0e", p), all, RateAtMost, tempered)
		s.alarms(fmt.Sprintf("two-arm untempered, p = %.0e", p), all, RateAtMost, plain)
		s.alarms(fmt.Sprintf("one-arm, p = %.0e", p), all, RateAtMost, aloneTempered)
		s.alarms(fmt.Sprintf("one-arm untempered, p = %.0e", p), all, RateAtMost, alonePlain)
		if p == 1e-3 {
			k := countIf(all, func(v peeks) bool { return v.fixed > 1 })
			s.add("contrast: 95 % interval for a single look", rate(k, len(all)), Claim{Kind: Contrast, Bound: 0.05}, "0.05")
		}
	}
	for _, c := range clustered {
		all := run(c.name, c.rows, half)
		s.alarms("two-arm, "+c.name, all, RateAtMost, tempered)
		s.alarms("two-arm, one φ for both arms, "+c.name, all, RateAtMost, pooledPhi)
		s.alarms("one-arm, "+c.name, all, RateAtMost, aloneTempered)
		s.alarms("contrast: two-arm untempered, "+c.name, all, Contrast, plain)
		s.alarms("contrast: one-arm untempered, "+c.name, all, Contrast, alonePlain)
	}
	for _, sched := range []schedule{
		{"ramp 1→5→20→70 %", ramp(alarmWindows), always(1)},
		{"±30 % shock to both arms", always(0.5), jump(alarmWindows)},
		{"±30 % wave in both arms, share 20 %", always(0.2), wave},
		{"ramp and ±30 % wave", ramp(alarmWindows), wave},
	} {
		for _, c := range []clusterKind{{"p = 1e-03", rowsOf{p: 1e-3}}, clustered[0], clustered[2]} {
			all := run(sched.name+", "+c.name, c.rows, sched)
			s.alarms("two-arm, "+sched.name+", "+c.name, all, RateAtMost, tempered)
			if sched.shock(alarmWindows/2) != 1 && c.rows.p > 0 && sched.share(0) == 0.5 {
				k := countIf(all, func(v peeks) bool { return v.alone >= logAlpha(0.05) })
				s.add("contrast: one-arm, "+sched.name, rate(k, len(all)), Claim{Kind: Contrast, Bound: 0.95}, "0.05")
			}
		}
	}
	s.Plots = append(s.Plots, s.dotsOf("false-alarms", "False alarms at α = 5 %, looking after every window", 0.05, 0.12))
	return s
}

// dotsOf draws the rows at one α.
func (s *Section) dotsOf(name, title string, alpha, high float64) *DotPlot {
	p := &DotPlot{
		Name: name, Title: title, Axis: "share of experiments with an alarm, and 99 % interval", High: high, Percent: true,
		Guides: []Guide{{alpha, "α"}},
	}
	for _, r := range s.Rows {
		if len(r.Notes) > 0 && r.Notes[0] == fmt.Sprint(alpha) {
			p.Dots = append(p.Dots, dotOf(r))
		}
	}
	return p
}

func dotOf(r Row) Dot {
	return Dot{r.Condition, r.Figure, r.Claim.Kind == Contrast || r.Claim.Kind == Information, !r.Claim.Holds(r.Figure)}
}
