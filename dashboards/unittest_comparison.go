package dashboards

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// episode is when a trial of a comparison goes wrong and well again, in minutes.
type episode struct{ onset, breach, after int }

func (e episode) length() int { return e.onset + e.breach + e.after }

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// inMinutes rounds up.
func inMinutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

func (c comparison) episode() episode {
	e := episode{onset: 10, breach: inMinutes(c.alert.hold) + 10, after: inMinutes(c.alert.keep) + 10}
	if c.Against == alerts.Past {
		e.onset += inMinutes(pastLeast + 2*c.window)
	}
	return e
}

// base is a value with which nothing is wrong.
func (c comparison) base() float64 {
	if c.Against == alerts.Level {
		return c.bound(0, 0)
	}
	return c.gauge.typical
}

// bad is a value that is off by twice the effect, downwards with direction -1.
func (c comparison) bad(direction float64) float64 {
	if c.gauge.relative {
		return rounded(c.base() * math.Pow(1+2*c.Effect, direction))
	}
	return rounded(c.base() + 2*direction*c.Effect)
}

// effectOf is the value of the alert while the arm has v.
func (c comparison) effectOf(v float64) float64 {
	switch {
	case c.Against == alerts.Level:
		return v
	case c.gauge.relative:
		return v / c.base()
	default:
		return v - c.base()
	}
}

// harmful are the directions that do harm.
func (c comparison) harmful() []float64 {
	var d []float64
	up, down := c.directions()
	if up {
		d = append(d, 1)
	}
	if down {
		d = append(d, -1)
	}
	return d
}

// armSeries is what one arm shows over an episode.
type armSeries struct {
	experiment, arm string
	ramp            string
	instance        string
	extra           []pair // the dimension of a slice
	bad             float64
	width           float64 // of the interval to either side, as a share of the distance of bad
	notOK           bool
	events          float64 // 0: plenty
}

func (c comparison) keyValue() string {
	switch {
	case len(c.Keys) > 0:
		return c.Keys[0]
	case c.gauge.only != "":
		return c.gauge.only
	}
	return "k1"
}

// series are the gauges of an arm that has bad during the breach of e.
func (c comparison) series(e episode, a armSeries) []testSeries {
	if a.instance == "" {
		a.instance = "a:8080"
	}
	if a.ramp == "" {
		a.ramp = "20"
	}
	cell := append([]pair{{"job", "rampgauge"}, {"instance", a.instance}, {"experiment", a.experiment}, {"arm", a.arm}, {"ramp_percent", a.ramp}, {"window", duration(c.window)}}, a.extra...)
	labels := cell[:len(cell):len(cell)]
	if c.gauge.key != "" {
		labels = append(labels, pair{c.gauge.key, c.keyValue()})
	}
	half := a.width * math.Abs(a.bad-c.base())
	over := func(by float64) string {
		return then(steady(rounded(c.base()+by), e.onset), steady(rounded(a.bad+by), e.breach), steady(rounded(c.base()+by), e.after))
	}
	s := []testSeries{{c.gauge.name, labels, over(0)}, {c.gauge.name + "_low", labels, over(-half)}, {c.gauge.name + "_high", labels, over(half)}}
	if c.gauge.ok {
		ok := 1.0
		if a.notOK {
			ok = 0
		}
		s = append(s, testSeries{c.gauge.name + "_ok", labels, steady(ok, e.length())})
	}
	if c.gauge.floor != "" {
		if a.events == 0 {
			a.events = 100 * max(1, c.MinEvents)
		}
		s = append(s, testSeries{c.gauge.floor, cell, steady(a.events, e.length())})
	}
	return s
}

// labelsOf are those of the recorded series of an arm.
func (c comparison) labelsOf(experiment, arm string) []pair {
	l := []pair{{"job", "rampgauge"}, {"experiment", experiment}, {"arm", arm}, {"window", duration(c.window)}}
	if c.gauge.key != "" {
		l = append(l, pair{c.gauge.key, c.keyValue()})
	}
	return l
}

const (
	narrow = 0.05
	wide   = 1
)

func comparisonTests(o Options, comparisons []comparison) []unitTest {
	var tests []unitTest
	stepped := map[alerts.Against]bool{}
	for _, c := range comparisons {
		tests = append(tests, c.firesAndResolves(o), c.staysQuiet(o))
		if c.Against == alerts.Control {
			tests = append(tests, c.bothArms(o, comparisons))
		}
		// What it shows depends on what a rule compares with, and on no metric.
		if !stepped[c.Against] {
			stepped[c.Against] = true
			tests = append(tests, c.rampStep(o))
		}
	}
	return tests
}

// firesAndResolves has one arm go wrong in each harmful direction, and one that
// goes wrong in a slice only.
func (c comparison) firesAndResolves(o Options) unitTest {
	e := c.episode()
	t := unitTest{name: c.Name + ": fires while an arm is off, and resolves"}
	t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: o.Control, bad: c.base()})...)
	var firing []instance
	for i, d := range c.harmful() {
		arm := fmt.Sprintf("treatment%d", i+1)
		t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: arm, bad: c.bad(d), width: narrow})...)
		firing = append(firing, c.alert.fired(c.labelsOf("e1", arm), c.effectOf(c.bad(d))))
	}
	if len(o.Slices) > 0 {
		// Slices that are well do not hide a total that is not.
		t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "treatment1", bad: c.base(), extra: []pair{{o.Slices[0], "home"}}})...)
		for _, a := range []armSeries{{bad: c.base()}, {bad: c.bad(c.harmful()[0]), width: narrow, extra: []pair{{o.Slices[0], "home"}}}} {
			a.experiment, a.arm = "e1", "sliced"
			t.series = append(t.series, c.series(e, a)...)
		}
	}
	hold, keep, end := inMinutes(c.alert.hold), inMinutes(c.alert.keep), e.onset+e.breach
	t.check(c, e.onset-1, nil)
	if hold > 1 {
		t.check(c, e.onset+hold-1, nil)
	}
	t.check(c, e.onset+hold, firing)
	t.check(c, end-1, firing)
	if keep > 1 {
		t.check(c, end+keep-1, firing)
	}
	t.check(c, end+keep+1, nil)
	return t
}

func (t *unitTest) check(c comparison, minute int, firing []instance) {
	t.checks = append(t.checks, check{minutes(minute), c.alert.alert, firing})
}

// staysQuiet has arms that are off by as much, but with a reason not to say so.
func (c comparison) staysQuiet(o Options) unitTest {
	e := c.episode()
	bad := c.bad(c.harmful()[0])
	t := unitTest{name: c.Name + ": is quiet where limits overlap or numbers are missing, cannot be used or are from too few"}
	t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: o.Control, bad: c.base()})...)
	t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "vague", bad: bad, width: wide})...)
	if c.gauge.ok {
		t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "unusable", bad: bad, width: narrow, notOK: true})...)
	}
	if c.gauge.floor != "" && c.MinEvents > 0 {
		t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "few", bad: bad, width: narrow, events: c.MinEvents - 1})...)
	}
	if len(c.harmful()) == 1 {
		t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "better", bad: c.bad(-c.harmful()[0]), width: narrow})...)
	}
	// Between what is tolerated and the effect: beyond doubt, and too little.
	share := (c.tolerated() + c.Effect) / 2 / (2 * c.Effect)
	little := rounded(c.base() + share*(bad-c.base()))
	t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "slight", bad: little, width: narrow})...)
	// An arm whose limits are missing, and one that nothing can be compared with.
	limitless := c.series(e, armSeries{experiment: "e1", arm: "limitless", bad: bad, width: narrow})
	t.series = append(t.series, slices.Delete(limitless, 1, 3)...)
	switch c.Against {
	case alerts.Control:
		t.series = append(t.series, c.series(e, armSeries{experiment: "alone", arm: "treatment", bad: bad, width: narrow})...)
	case alerts.Past:
		young := episode{onset: inMinutes(2*c.window) + 2, breach: e.breach}
		t.series = append(t.series, c.series(young, armSeries{experiment: "new", arm: "treatment", bad: bad, width: narrow})...)
		t.check(c, young.onset+inMinutes(c.alert.hold)+3, nil)
	}
	for _, minute := range []int{inMinutes(c.alert.hold) + 5, e.onset + inMinutes(c.alert.hold) + 1, e.onset + e.breach - 1, e.length() - 1} {
		t.check(c, minute, nil)
	}
	return t
}

// bothArms has control go wrong as well: rules against the past and a level say
// so of both arms, and none says that the arm differs.
func (c comparison) bothArms(o Options, all []comparison) unitTest {
	t := unitTest{name: c.Name + ": is quiet where both arms are off, which is for the rules about each of them"}
	bad := c.bad(c.harmful()[0])
	e := c.episode()
	var levels []comparison
	for _, l := range all {
		if l.gauge.metric == c.gauge.metric && l.Against != alerts.Control && l.window == c.window && math.Abs(bad-c.base()) >= l.Effect && l.base() == c.base() {
			levels = append(levels, l)
			le := l.episode()
			e = episode{max(e.onset, le.onset), max(e.breach, le.breach), max(e.after, le.after)}
		}
	}
	arms := []string{o.Control, "treatment"}
	for _, arm := range arms {
		t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: arm, bad: bad, width: narrow})...)
	}
	for minute := e.onset - 1; minute < e.length(); minute += 10 {
		t.check(c, minute, nil)
	}
	for _, l := range levels {
		var firing []instance
		for _, arm := range arms {
			firing = append(firing, l.alert.fired(l.labelsOf("e1", arm), l.effectOf(bad)))
		}
		t.check(l, e.onset+inMinutes(l.alert.hold), firing)
	}
	return t
}

// rampStep has two steps of the ramp and two instances answer for each arm: one
// alert where all that is known of an arm agrees, none where it does not.
func (c comparison) rampStep(o Options) unitTest {
	t := unitTest{name: c.Name + ": is one alert over a step of the ramp and a move between instances"}
	e := c.episode()
	bad := c.bad(c.harmful()[0])
	for _, instance := range []string{"a:8080", "b:8080"} {
		for _, ramp := range []string{"20", "50"} {
			stepping := bad
			if ramp == "50" {
				stepping = c.base()
			}
			t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: o.Control, ramp: ramp, instance: instance, bad: c.base()})...)
			t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "stepping", ramp: ramp, instance: instance, bad: stepping, width: narrow})...)
			t.series = append(t.series, c.series(e, armSeries{experiment: "e1", arm: "treatment", ramp: ramp, instance: instance, bad: bad, width: narrow})...)
		}
	}
	t.check(c, e.onset-1, nil)
	t.check(c, e.onset+e.breach-1, []instance{c.alert.fired(c.labelsOf("e1", "treatment"), c.effectOf(bad))})
	return t
}
