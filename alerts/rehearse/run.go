package rehearse

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Result is what became of a test.
type Result struct {
	Name     string                `json:"name"`
	OK       bool                  `json:"ok"`
	Failures []Failure             `json:"failures,omitempty"`
	Told     []alerts.Notification `json:"notifications"`
}

// Failure is an expectation that was not met, or an alert that none named.
type Failure struct {
	Line int    `json:"line,omitempty"` // of the file; 0: of no line
	At   string `json:"at"`             // from the start of the story
	Want string `json:"want"`
	// Got is how the alerts of the rule stood then.
	Got []alerts.Alert `json:"got"`
}

// Run steps the engine through the story.
func Run(t Test) Result {
	r := Result{Name: t.Name, Told: []alerts.Notification{}}
	e := engines{alerts.NewEngine(t.Options), alerts.NewEngine(alerts.Options{Rules: t.Options.Rules, Budget: t.Options.Budget})}
	b := newBuilder(&t)
	pending := slices.Clone(t.Expect)
	slices.SortStableFunc(pending, func(a, b Expectation) int { return cmp.Compare(a.At, b.At) })
	newest := int64(0)
	for i := range t.panes() {
		now := time.UnixMilli(startMs).Add(t.Pane * time.Duration(i+1)).UTC()
		var told []alerts.Notification
		if w := b.window(i); w != nil {
			newest = w.EndMs
			told = append(told, e.experiment.Step(w, now)...)
		}
		health := t.health(i, newest, now)
		told = append(told, e.experiment.Tick(now, health)...)
		told = append(told, e.service.Tick(now, health)...)
		e.delivered(told)
		r.Told = append(r.Told, told...)
		elapsed := t.Pane * time.Duration(i+1)
		if t.NoOthers {
			r.others(&t, told, e, elapsed)
		}
		for len(pending) > 0 && pending[0].At < elapsed+t.Pane {
			r.check(&t, pending[0], e.alerts())
			pending = pending[1:]
		}
	}
	r.OK = len(r.Failures) == 0
	return r
}

// engines are that of the story's experiment, and that of the service, whose
// experiment has no name.
type engines struct{ experiment, service *alerts.Engine }

func (e engines) alerts() []alerts.Alert { return append(e.experiment.Alerts(), e.service.Alerts()...) }

func (e engines) delivered(told []alerts.Notification) {
	for _, n := range told {
		if n.Experiment == "" {
			e.service.Delivered(n.Sequence)
		} else {
			e.experiment.Delivered(n.Sequence)
		}
	}
}

// health is what the service would say of itself at the end of pane i.
func (t *Test) health(i int, newest int64, now time.Time) alerts.Health {
	h := alerts.Health{NewestMs: newest, WatermarkMs: now.UnixMilli(), Progressing: true}
	if behind, ok := t.Service.Behind.at(i); ok {
		h.WatermarkMs -= int64(behind * 1000)
	}
	if lag, ok := t.Service.Lag.at(i); ok {
		h.LagRecords = int64(lag)
	}
	for _, topic := range slices.Sorted(maps.Keys(t.Service.Unmatched)) {
		if q, ok := t.Service.Unmatched[topic].at(i); ok {
			const n = 10_000
			h.Unmatched = append(h.Unmatched, alerts.Share{Metric: alerts.MetricUnmatched, Key: topic, K: q * n, N: n, Clusters: n})
		}
	}
	return h
}

// names says whether an expectation is about an alert. One that names no arm,
// as it is about the whole experiment, shows in control.
func (t *Test) names(x Expectation, rule, arm, subject string) bool {
	if arm == "" {
		arm = t.Options.Control
	}
	return x.Rule == rule && (x.Arm == "" || x.Arm == arm) && (x.Subject == "" || x.Subject == subject)
}

// check looks how the alerts that x names stand. One that is as x says is enough,
// but for inactive, which all of them have to be.
func (r *Result) check(t *Test, x Expectation, now []alerts.Alert) {
	var got []alerts.Alert
	met, active := false, false
	for _, a := range now {
		if a.Rule != x.Rule {
			continue
		}
		got = append(got, a)
		if !t.names(x, a.Rule, a.Arm, a.Subject) {
			continue
		}
		met = met || a.Phase == x.Phase
		active = active || a.Phase == alerts.Pending || a.Phase == alerts.Firing
	}
	if x.Phase == alerts.Inactive {
		met = !active
	}
	if !met {
		r.Failures = append(r.Failures, Failure{Line: x.Line, At: short(x.At), Want: x.String(), Got: got})
	}
}

// others reports what fires though no expectation names it.
func (r *Result) others(t *Test, told []alerts.Notification, e engines, elapsed time.Duration) {
	for _, n := range told {
		if n.Action != alerts.Trigger || slices.ContainsFunc(t.Expect, func(x Expectation) bool { return t.names(x, n.Rule, n.Arm, n.Subject) }) {
			continue
		}
		var got []alerts.Alert
		for _, a := range e.alerts() {
			if a.Key == n.Key {
				got = append(got, a)
			}
		}
		r.Failures = append(r.Failures, Failure{At: short(elapsed), Want: "no other alert", Got: got})
	}
}

// String is what x says, as a sentence has it.
func (x Expectation) String() string {
	s := x.Rule
	if x.Arm != "" {
		s += " of arm " + x.Arm
	}
	if x.Subject != "" {
		s += " about " + x.Subject
	}
	return s + " to be " + string(x.Phase)
}
