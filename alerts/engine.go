package alerts

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Options configures an Engine.
type Options struct {
	// Experiment is whose alerts these are; empty: those of the service itself.
	Experiment string
	Control    string // the arm that others are compared with
	Owner      string // told to receivers
	Rules      []Rule // all of them, as Merge returns them
	Budget     Budget
	// Baseline is the share of candidates that offline evaluation had each feature
	// family for.
	Baseline map[string]float64
}

// Engine judges the windows of one experiment, in order, and keeps its alerts.
// It is not safe for concurrent use.
type Engine struct {
	opts  Options
	rules []Rule
	state state
	index map[targetKey]*target // of state.Targets; nil: to be made
	// kept says by rule which slices it tests.
	kept map[string]map[string]bool
}

type targetKey struct{ rule, arm, key string }

// NewEngine returns an Engine that has seen nothing.
func NewEngine(o Options) *Engine {
	e := &Engine{state: newState()}
	e.Reconfigure(o)
	return e
}

// Reconfigure puts other rules in force. What is known about rules that stay,
// by name, metric and what they are compared with, stays: evidence, timers and
// firing alerts. An alert whose rule has gone is resolved with the next window.
func (e *Engine) Reconfigure(o Options) {
	if !(o.Budget.PerMonth > 0 && o.Budget.PerMonth < 1) {
		o.Budget = DefaultBudget()
	}
	e.opts = o
	e.rules = nil
	e.kept = map[string]map[string]bool{}
	for _, r := range o.Rules {
		r = r.withDefaults()
		if r.Disabled || len(r.Check()) > 0 {
			continue
		}
		e.rules = append(e.rules, r)
	}
}

func (e *Engine) rule(name string) *Rule {
	for i := range e.rules {
		if e.rules[i].Name == name {
			return &e.rules[i]
		}
	}
	return nil
}

// ThroughMs is the end of the last window taken, event time; 0 before the first.
func (e *Engine) ThroughMs() int64 { return e.state.ThroughMs }

// month is what a budget of false alarms is for.
const month = 30 * 24 * time.Hour

// Step takes the next window, and returns what has to be told now. A window that
// is not after the last one is ignored. now is the clock.
func (e *Engine) Step(w *Window, now time.Time) []Notification {
	if w.EndMs <= e.state.ThroughMs {
		return nil
	}
	before := len(e.state.Undelivered)
	e.state.PaneMs = w.EndMs - w.StartMs
	e.changes(w, now)
	e.units(w)
	e.rememberLatencies(w)
	for i := range e.rules {
		r := &e.rules[i]
		if info, _ := r.Metric.info(); info.kind == kindUnits || info.kind == kindThreshold {
			continue
		}
		if due := e.collect(r, w); due != nil {
			e.judge(r, due)
		}
	}
	e.state.ThroughMs = w.EndMs
	e.decide(w.EndMs, now)
	return e.since(before)
}

func (e *Engine) since(before int) []Notification {
	return slices.Clone(e.state.Undelivered[min(before, len(e.state.Undelivered)):])
}

// collect returns the window that a rule is to judge now: w itself, or one that
// is as long as the rule wants and ends with w; nil while it is not complete.
func (e *Engine) collect(r *Rule, w *Window) *Window {
	length := r.Window.Milliseconds()
	if length <= w.EndMs-w.StartMs {
		return w
	}
	c := e.state.Collected[r.Window.String()]
	if c == nil {
		c = &collected{}
		e.state.Collected[r.Window.String()] = c
	}
	if c.Window.EndMs < w.EndMs { // the first of the rules with this length
		if c.Done {
			*c = collected{}
		}
		c.Window.merge(w)
		c.Done = w.EndMs%length == 0 || w.EndMs-c.Window.StartMs >= length
	}
	if !c.Done {
		return nil
	}
	return &c.Window
}

// judge adds a window to the evidence of one rule.
func (e *Engine) judge(r *Rule, w *Window) {
	info, _ := r.Metric.info()
	sc := r.scale(w.EndMs - w.StartMs)
	control := w.cell(e.opts.Control, "")
	parts := e.parts(r, w)
	undecided := r.Against == Control && e.state.SampleRatio.Firing
	for i := range w.Cells {
		arm := &w.Cells[i]
		if arm.Slice != "" || r.Against == Control && (arm.Arm == e.opts.Control || control == nil) {
			continue
		}
		for _, key := range keysOf(arm, info, r.Keys) {
			t := e.target(r, arm.Arm, key)
			t.RampPercent = arm.RampPercent
			t.Undecided = undecided
			if undecided {
				continue
			}
			t.EndMs = w.EndMs
			t.Root.take(e.step(r, info, key, arm, control, &t.Root, &t.Past, t.Phase, w), sc, w.StartMs)
			if e.judgedElsewhere(t, r) {
				continue
			}
			for _, p := range parts[arm.Arm] {
				s := t.Slices[p.cell.Slice]
				if s == nil {
					s = &slice{}
					t.Slices[p.cell.Slice] = s
				}
				s.Series.take(e.step(r, info, key, p.cell, p.control, &s.Series, &s.Past, t.Phase, w), sc, w.StartMs)
			}
		}
	}
}

// part is a slice of an arm, and the same of control.
type part struct{ cell, control *Cell }

// parts are the slices that a rule tests, by arm.
func (e *Engine) parts(r *Rule, w *Window) map[string][]part {
	if len(r.Slices) == 0 {
		return nil
	}
	kept := e.kept[r.Name]
	if kept == nil {
		kept = map[string]bool{}
		e.kept[r.Name] = kept
	}
	out := map[string][]part{}
	controls := map[string]*Cell{}
	for i := range w.Cells {
		c := &w.Cells[i]
		if c.Slice == "" {
			continue
		}
		is, known := kept[c.Slice]
		if !known {
			is = matches(c.Slice, r.Slices)
			kept[c.Slice] = is
		}
		if !is {
			continue
		}
		out[c.Arm] = append(out[c.Arm], part{cell: c})
		if c.Arm == e.opts.Control {
			controls[c.Slice] = c
		}
	}
	for _, list := range out {
		for i := range list {
			list[i].control = controls[list[i].cell.Slice]
		}
	}
	return out
}

// matches reports whether a slice is of one of the breakdowns.
func matches(of string, breakdowns [][]string) bool {
	var names []string
	for _, pair := range strings.Split(of, ",") {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	for _, b := range breakdowns {
		b = slices.Clone(b)
		slices.Sort(b)
		if slices.Equal(names, b) {
			return true
		}
	}
	return false
}

// step is what one window says of one comparison of one rule.
func (e *Engine) step(r *Rule, info metricInfo, key string, arm, control *Cell, s *series, past *memory, phase Phase, w *Window) step {
	if r.Against != Control {
		control = nil
	} else if control == nil {
		return step{}
	}
	arm, control, ok := s.pool(info, key, arm, control)
	if !ok {
		return step{}
	}
	switch r.Against {
	case Control:
		return againstControl(info, key, arm, control, e.slowLimit(key, r.Effect))
	case Past:
		frozen := phase == Pending || phase == Firing
		return againstPast(info, key, arm, past, math.Max(leastPast, float64(pastMemory.Milliseconds())/float64(w.EndMs-w.StartMs)), frozen)
	case Baseline:
		want, ok := e.opts.Baseline[key]
		if !ok {
			return step{}
		}
		return againstValue(info, key, arm, want)
	case Level:
		if info.kind == kindCount {
			return alone(r.Metric, key, arm, 1/r.Level) // of Q, where the level is of C
		}
		return againstValue(info, key, arm, r.Level)
	}
	return step{}
}

// pastMemory is how long the past is that an arm is compared with.
const pastMemory = time.Hour

// scale is a rule's effect as its test has it, for windows of a length.
func (r *Rule) scale(windowMs int64) scale {
	info, _ := r.Metric.info()
	s := scale{effect: r.Effect, margin: r.tolerated(), direction: r.Direction}
	if info.relative && info.kind != kindMean {
		s.effect, s.margin = math.Log1p(r.Effect), math.Log1p(r.tolerated())
	}
	if r.Metric == MetricCalibration {
		s.direction = r.Direction.reversed() // it is Q that is tested
	}
	half := math.Max(float64(r.KeepFiring.Milliseconds())/4, float64(windowMs))
	s.decay = math.Exp2(-float64(windowMs) / half)
	return s
}

func (d Direction) reversed() Direction {
	switch d {
	case Up:
		return Down
	case Down:
		return Up
	}
	return d
}

// windowsAMonth is how many steps a rule's test has in a month.
func (e *Engine) windowsAMonth(r *Rule) float64 {
	return float64(month.Milliseconds()) / math.Max(1, math.Max(float64(r.Window.Milliseconds()), float64(e.state.PaneMs)))
}

// target finds what is known of a rule about an arm and a key.
func (e *Engine) target(r *Rule, arm, key string) *target {
	if e.index == nil {
		e.index = map[targetKey]*target{}
		for _, t := range e.state.Targets {
			e.index[targetKey{t.Rule, t.Arm, t.Key}] = t
		}
	}
	if t := e.index[targetKey{r.Name, arm, key}]; t != nil {
		if t.Metric != r.Metric || t.Against != r.Against || t.Effect != r.Effect {
			t.Metric, t.Against, t.Effect = r.Metric, r.Against, r.Effect
			t.Root, t.Slices = series{}, map[string]*slice{} // of another test
		}
		return t
	}
	t := &target{Rule: r.Name, Metric: r.Metric, Against: r.Against, Effect: r.Effect, Arm: arm, Key: key, Slices: map[string]*slice{}}
	t.Phase = Waiting
	e.state.Targets = append(e.state.Targets, t)
	e.index[targetKey{r.Name, arm, key}] = t
	return t
}

// decide judges all evidence under the one budget of the experiment, and moves
// the alerts on.
func (e *Engine) decide(endMs int64, now time.Time) {
	var nodes []stats.Node
	type place struct {
		t     *target
		slice string
	}
	var places []place
	for _, t := range e.state.Targets {
		r := e.rule(t.Rule)
		if r == nil || e.judgedElsewhere(t, r) || t.Undecided || t.Root.All < r.MinEvents || t.Root.Windows == 0 {
			continue
		}
		months := e.windowsAMonth(r)
		root := len(nodes)
		own := t.Root.logE(months)
		nodes, places = append(nodes, stats.Node{Parent: -1}), append(places, place{t, ""})
		var below []float64
		for _, name := range sortedKeys(t.Slices) {
			v := t.Slices[name].Series.logE(months)
			below = append(below, v)
			nodes, places = append(nodes, stats.Node{Parent: root, LogE: stats.LogE(v)}), append(places, place{t, name})
		}
		nodes[root].LogE = stats.LogE(mixed(own, below))
	}
	selected := stats.OpenTopDown(nodes, e.opts.Budget.PerMonth)
	for _, t := range e.state.Targets {
		t.rejected, t.Found = false, nil
	}
	for i, p := range places {
		t, r := p.t, e.rule(p.t.Rule)
		if p.slice == "" {
			t.rejected = selected.Rejected[i]
			t.LogE = math.Max(-1e6, float64(nodes[i].LogE))
			continue
		}
		if s := &t.Slices[p.slice].Series; selected.Rejected[i] && r.reached(e.value(t, s)) {
			v, _, _, _ := e.value(t, s)
			t.Found = append(t.Found, SliceEffect{p.slice, v, float64(nodes[i].LogE)})
		}
	}
	e.needed(len(nodes))
	e.move(endMs, now)
}

// needed notes how much evidence a single alert needs: what is told, not what
// decides.
func (e *Engine) needed(nodes int) {
	e.state.Needed = math.Log(math.Max(1, float64(nodes))) - math.Log(e.opts.Budget.PerMonth)
}

// mixed is the evidence that something is wrong in all or in a part: the mean of
// one half of the whole's and one half spread over the slices.
func mixed(own float64, below []float64) float64 {
	if len(below) == 0 {
		return own
	}
	terms := []float64{own - math.Ln2}
	for _, v := range below {
		terms = append(terms, v-math.Ln2-math.Log(float64(len(below))))
	}
	top := slices.Max(terms)
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	for _, v := range terms {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}
