package diagnosis

import (
	"slices"

	"github.com/rampgauge/rampgauge/alerts"
)

// Decision is the answer of a gate.
type Decision string

// Decisions.
const (
	// Go means that every guardrail is kept, each with its whole interval.
	Go Decision = "go"
	// Wait means that nothing speaks against it, and too little for it yet.
	Wait Decision = "wait"
	// Hold means that something is wrong, and not shown to be the arm's doing.
	Hold Decision = "hold"
	// Rollback means that a guardrail is broken beyond doubt, or an alert about the
	// arm fires that is to mean that.
	Rollback Decision = "rollback"
)

// decisions are in the order of their weight, the worst last.
var decisions = []Decision{Go, Wait, Hold, Rollback}

// Worse reports whether d weighs more than o. What is no Decision weighs most.
func (d Decision) Worse(o Decision) bool { return d.weight() > o.weight() }

func (d Decision) weight() int {
	if i := slices.Index(decisions, d); i >= 0 {
		return i
	}
	return len(decisions)
}

// Gate is a decision about one arm and what it rests on.
type Gate struct {
	Decision Decision `json:"decision"`
	// Reasons are those of the decision first, then whatever else is not as it
	// ought to be. There is always one.
	Reasons []string `json:"reasons"`
	Arm     string   `json:"arm"` // empty: there is none to decide about
	// RampPercent is the arm's share, 0..100, and SinceMs when it came to it.
	RampPercent float64 `json:"ramp_percent"`
	SinceMs     int64   `json:"since_ms"`
	Checks      []Check `json:"checks"`
}

// Decide answers for each arm of the evidence, in its order; about no arm at all
// where there is none.
func Decide(e Evidence, g Guardrails) []Gate {
	if len(e.Arms) == 0 {
		reason := "no auction of experiment " + e.Experiment + " has been seen"
		if e.ControlSeen {
			reason = "no arm beside control arm " + e.Control + " has been seen"
		}
		return []Gate{{Decision: Wait, Reasons: []string{reason}, Checks: []Check{}}}
	}
	out := make([]Gate, len(e.Arms))
	for i := range e.Arms {
		out[i] = decide(&e, &e.Arms[i], &g)
	}
	return out
}

// Worst is the gate whose decision weighs most, the first of several.
func Worst(gates []Gate) Gate {
	worst := gates[0]
	for _, g := range gates[1:] {
		if g.Decision.Worse(worst.Decision) {
			worst = g
		}
	}
	return worst
}

// findings are reasons by the decision that they ask for.
type findings struct {
	reasons map[Decision][]string
	notes   []string // what go has to say beside its reasons
	checks  []Check
}

func (f *findings) add(d Decision, reason string) { f.reasons[d] = append(f.reasons[d], reason) }

func (f *findings) check(c Check, reason string) {
	f.checks = append(f.checks, c)
	switch c.Verdict {
	case Fail:
		f.add(Rollback, reason)
	case Undecided:
		f.add(Wait, reason)
	case Pass:
		f.add(Go, reason)
	}
}

func decide(e *Evidence, a *Arm, g *Guardrails) Gate {
	f := &findings{reasons: map[Decision][]string{}}
	unequal := f.sampleRatio(e, a, g)
	f.share(e, a)
	f.service(e, a, g)
	f.alerts(e, a, g)
	f.amounts(a, g)
	f.guardrails(a, g)
	if unequal {
		// Arms that do not hold the same kind of units cannot be compared: nothing
		// that follows from comparing them counts.
		for _, r := range f.reasons[Rollback] {
			f.add(Hold, "undecided by the sample ratio: "+r)
		}
		delete(f.reasons, Rollback)
		for i := range f.checks {
			if v := &f.checks[i].Verdict; *v != Shown && f.checks[i].Name != sampleRatioName {
				*v = Undecided
			}
		}
	}
	out := Gate{Decision: Go, Reasons: []string{}, Arm: a.Name, RampPercent: a.RampPercent, SinceMs: a.SinceMs, Checks: f.checks}
	for _, d := range slices.Backward(decisions) {
		if len(f.reasons[d]) > 0 && d.Worse(out.Decision) {
			out.Decision = d
		}
		if d != Go || out.Decision == Go {
			out.Reasons = append(out.Reasons, f.reasons[d]...)
		}
	}
	if out.Decision != Go {
		return out
	}
	if len(f.reasons[Go]) == 0 {
		out.Decision, out.Reasons = Wait, []string{"every guardrail is switched off: there is nothing to say go by"}
	}
	out.Reasons = append(out.Reasons, f.notes...)
	return out
}

// sampleRatioName is the check of the units' shares.
const sampleRatioName = "sample_ratio"

// sampleRatio looks for the rule about it, and reports whether it says that the
// arms cannot be compared.
func (f *findings) sampleRatio(e *Evidence, a *Arm, g *Guardrails) (unequal bool) {
	c := Check{Name: sampleRatioName, Verdict: Undecided, Status: "undefined"}
	why := "no alert rule about it is in force here; where records carry no units, set gate.require_sample_ratio to false"
	for i := range e.Alerts {
		l := &e.Alerts[i]
		if !isSampleRatio(l) || !about(e, a, l) || l.Experiment != e.Experiment {
			continue
		}
		switch l.Phase {
		case alerts.Firing, alerts.Pending:
			f.add(Hold, "sample ratio: "+alertText(l)+"; units do not come in the shares of the ramp, so that no comparison of the arms means anything")
			unequal = true
		case alerts.Inactive, alerts.Resolved:
			if c.Verdict == Undecided {
				c.Verdict, c.Status = Pass, "ok"
			}
		default:
			if l.Why != "" {
				why = l.Why
			}
		}
	}
	switch {
	case unequal:
		c.Verdict, c.Status = Fail, "ok"
	case c.Verdict == Undecided && !g.RequireSampleRatio:
		c.Verdict = Shown
	case c.Verdict == Undecided:
		f.add(Wait, "sample ratio: not judged yet: "+why)
	}
	f.checks = append(f.checks, c)
	return unequal
}

// isSampleRatio says whether an alert is of a rule about the sample ratio.
func isSampleRatio(l *alerts.Alert) bool { return l.Metric == alerts.MetricSampleRatio }

// about says whether an alert has to do with an arm: it is about the arm, about
// the control arm that it is compared with, or about the whole.
func about(e *Evidence, a *Arm, l *alerts.Alert) bool {
	return (l.Experiment == e.Experiment || l.Experiment == "") && (l.Arm == a.Name || l.Arm == e.Control || l.Arm == "")
}

// alerts takes in what fires, and on go what is not known.
func (f *findings) alerts(e *Evidence, a *Arm, g *Guardrails) {
	waiting := 0
	for i := range e.Alerts {
		l := &e.Alerts[i]
		if isSampleRatio(l) || !about(e, a, l) {
			continue
		}
		switch l.Phase {
		case alerts.Pending:
			f.add(Hold, "alert "+alertText(l)+"; pending, it may be about to fire")
		case alerts.Firing:
			own := l.Arm == a.Name && l.Experiment == e.Experiment
			switch {
			case own && slices.Contains(g.RollbackOn, l.Severity) && !inControl(e, l):
				f.add(Rollback, "alert "+alertText(l))
			case own && slices.Contains(g.RollbackOn, l.Severity):
				f.add(Hold, "alert "+alertText(l)+"; it fires in control arm "+e.Control+" as well")
			default:
				f.add(Hold, "alert "+alertText(l))
			}
		case alerts.Waiting:
			waiting++
		}
	}
	if waiting > 0 {
		f.notes = append(f.notes, count(waiting, "alert waits", "alerts wait")+" for data")
	}
}

// inControl says whether the same alert fires in the control arm: whatever it
// is, the arm is not what did it.
func inControl(e *Evidence, l *alerts.Alert) bool {
	return slices.ContainsFunc(e.Alerts, func(o alerts.Alert) bool {
		return o.Phase == alerts.Firing && o.Experiment == l.Experiment && o.Rule == l.Rule && o.Subject == l.Subject && o.Arm == e.Control
	})
}
