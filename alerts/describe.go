package alerts

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errHashes = errors.New("not a list of hashes")

// tell adds a notification about an alert. All keys of one rule and arm are one
// alert to receivers, so that a feature server that takes ten families with it
// pages once: a further key is told under the same Key, and the last one that ends
// resolves it.
func (e *Engine) tell(a Action, t *target, r *Rule, endMs int64, now time.Time, why string) {
	e.tellWith(a, t, r, endMs, now, why, e.describe(t))
}

func (e *Engine) tellWith(a Action, t *target, r *Rule, endMs int64, now time.Time, why, effect string) {
	others := e.openBeside(t)
	if a == Resolve && len(others) > 0 {
		return
	}
	n := Notification{
		Action: a, Key: Key(e.opts.Experiment, e.armName(t), t.Rule, ""), Arm: e.armName(t), Rule: t.Rule, Subject: t.Key,
		RampPercent: t.RampPercent, SinceMs: t.SinceMs, AtMs: endMs, DecidedAt: now,
	}
	what := t.Rule
	if r != nil {
		n.Severity, n.Runbook = r.Severity, r.Runbook
		if r.Summary != "" {
			what = r.Summary
		}
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%s: ", e.title())
	if n.Arm != "" {
		fmt.Fprintf(&s, "%s ", n.Arm)
		if t.RampPercent > 0 {
			fmt.Fprintf(&s, "at %s %% ", Percent(t.RampPercent))
		}
		s.WriteString("— ")
	}
	if t.Key != "" {
		fmt.Fprintf(&s, "%s: ", t.Key)
	}
	s.WriteString(what)
	if effect != "" {
		fmt.Fprintf(&s, ": %s", effect)
	}
	if len(others) > 0 {
		fmt.Fprintf(&s, "; as well as %s", strings.Join(others, ", "))
	}
	if a == Resolve {
		s.WriteString(": resolved")
		if why != "" {
			fmt.Fprintf(&s, " (%s)", why)
		}
	}
	n.Summary = s.String()
	n.Details = e.details(t, r, endMs)
	e.add(n)
}

func (e *Engine) title() string {
	if e.opts.Experiment == "" {
		return "rampgauge"
	}
	return e.opts.Experiment
}

// armName is whom an alert names: nobody, where what is told of control is told
// of all arms.
func (e *Engine) armName(t *target) string {
	if t.Arm == e.opts.Control && t.Against != Control && len(e.state.Arms) > 1 {
		return ""
	}
	return t.Arm
}

// openBeside lists the keys of other firing alerts of the same rule and arm.
func (e *Engine) openBeside(t *target) []string {
	var out []string
	for _, o := range e.state.Targets {
		if o != t && o.Rule == t.Rule && o.Arm == t.Arm && o.Key != t.Key && o.Phase == Firing {
			out = append(out, o.Key)
		}
	}
	slices.Sort(out)
	return out
}

func (e *Engine) details(t *target, r *Rule, endMs int64) []Detail {
	out := []Detail{{"experiment", e.opts.Experiment}, {"rule", t.Rule}}
	add := func(name, value string) {
		if value != "" {
			out = append(out, Detail{name, value})
		}
	}
	if t.Arm != "" {
		add("arm", t.Arm)
	}
	add(keyName(t.Metric), t.Key)
	if value, low, high, ok := e.value(t, &t.Root); ok {
		add("effect", e.effectText(t, value, low, high))
		add("clusters", strconv.FormatFloat(math.Round(t.Root.N), 'f', -1, 64))
	}
	if r != nil && r.Effect > 0 {
		add("least effect", strconv.FormatFloat(r.Effect, 'g', 4, 64))
	}
	if t.LogE > -1e6 && t.LogE != 0 {
		add("evidence", fmt.Sprintf("%.1f nats, %.1f needed for one alert alone", t.LogE, e.state.Needed))
	}
	if t.RampPercent > 0 {
		add("ramp", Percent(t.RampPercent)+" %")
	}
	if t.SinceMs > 0 {
		add("since", timeText(t.SinceMs))
	}
	add("data to", timeText(endMs))
	for i, s := range t.Found {
		if i == 3 {
			add("slices", fmt.Sprintf("and %d more", len(t.Found)-i))
			break
		}
		add("slice "+s.Slice, effectText(t.Metric, s.Value))
	}
	if arms := e.alsoIn(t); len(arms) > 0 {
		add("also in", strings.Join(arms, ", "))
	}
	return out
}

// alsoIn lists the other arms that the same rule has found the same in.
func (e *Engine) alsoIn(t *target) []string {
	var out []string
	for _, o := range e.state.Targets {
		r := e.rule(o.Rule)
		if o == t || o.Rule != t.Rule || o.Key != t.Key || r == nil {
			continue
		}
		if v, low, high, ok := e.value(o, &o.Root); r.reached(v, low, high, ok) {
			out = append(out, fmt.Sprintf("%s (%s)", o.Arm, e.effectText(o, v, low, high)))
		}
	}
	return out
}

func keyName(m Metric) string {
	info, _ := m.info()
	if info.keyed == "" {
		return "subject"
	}
	return info.keyed
}

func timeText(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05Z") }

// describe says how far an alert's number is off.
func (e *Engine) describe(t *target) string {
	value, low, high, ok := e.value(t, &t.Root)
	if !ok {
		return ""
	}
	text := e.effectText(t, value, low, high)
	if len(t.Found) > 0 {
		text += fmt.Sprintf("; worst in %s (%s)", t.Found[0].Slice, effectText(t.Metric, t.Found[0].Value))
	}
	return text
}

func (e *Engine) effectText(t *target, value, low, high float64) string {
	info, _ := t.Metric.info()
	than := map[Against]string{Control: "control", Past: "before", Baseline: "offline", Level: "it ought to be"}[t.Against]
	if than != "" {
		than = " against " + than
	}
	if info.relative {
		return ratioText(value, low, high) + than
	}
	return fmt.Sprintf("%+.2f points [%+.2f, %+.2f]%s", 100*value, 100*low, 100*high, than)
}

func effectText(m Metric, value float64) string {
	if info, _ := m.info(); info.relative {
		return fmt.Sprintf("%.3f times", 1+value)
	}
	return fmt.Sprintf("%+.2f points", 100*value)
}

func ratioText(value, low, high float64) string {
	return fmt.Sprintf("%.3f times [%.3f, %.3f]", 1+value, 1+low, 1+high)
}

// Alerts are all alerts that are not inactive, the most urgent first.
func (e *Engine) Alerts() []Alert {
	var out []Alert
	if r := e.sampleRule(); r != nil {
		s := &e.state.SampleRatio
		_, off, low, high := s.worst()
		out = append(out, e.alert(&target{Rule: r.Name, Metric: r.Metric, LogE: s.LogE, machine: s.machine}, r, off, low, high, s.counted() > 0, s.counted()))
	}
	for _, t := range e.state.Targets {
		r := e.rule(t.Rule)
		if r == nil {
			continue
		}
		v, low, high, ok := e.value(t, &t.Root)
		out = append(out, e.alert(t, r, v, low, high, ok, t.Root.N))
	}
	out = append(out, e.serviceAlerts()...)
	rank := []Phase{Firing, Pending, Resolved, Waiting, Inactive}
	slices.SortStableFunc(out, func(a, b Alert) int { return slices.Index(rank, a.Phase) - slices.Index(rank, b.Phase) })
	return out
}

func (e *Engine) alert(t *target, r *Rule, value, low, high float64, known bool, n float64) Alert {
	a := Alert{
		Key: Key(e.opts.Experiment, e.armName(t), t.Rule, ""), Rule: t.Rule, Metric: r.Metric, Experiment: e.opts.Experiment, Arm: e.armName(t), Subject: t.Key,
		Phase: t.Phase, Severity: r.Severity, Summary: r.Summary, Value: value, Low: low, High: high, Known: known, N: math.Round(n),
		LogE: math.Max(t.LogE, -1e6), Needed: e.state.Needed, SinceMs: t.SinceMs, ActiveMs: t.ActiveMs, FiredMs: t.FiredMs, ResolvedMs: t.ResolvedMs,
		Slices: t.Found, Runbook: r.Runbook,
	}
	if a.Phase == "" {
		a.Phase = Waiting
	}
	if t.Undecided {
		a.Phase, a.Why = Waiting, "the sample ratio is wrong: no arm can be compared"
		if t.Phase == Firing {
			a.Phase = Firing
		}
	} else if a.Phase == Waiting {
		a.Why = fmt.Sprintf("%.0f of at least %.0f independent events in each arm", t.Root.All, r.MinEvents)
	}
	return a
}
