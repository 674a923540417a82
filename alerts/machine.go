package alerts

import (
	"math"
	"slices"
	"time"
)

// machine is where one alert stands. All times are event time, in Unix
// milliseconds, or for rules about the service the clock's; 0: not.
type machine struct {
	Phase      Phase `json:"phase"`
	SinceMs    int64 `json:"since_ms,omitempty"`  // when it is thought to have begun
	ActiveMs   int64 `json:"active_ms,omitempty"` // pending since
	FiredMs    int64 `json:"fired_ms,omitempty"`
	ClearMs    int64 `json:"clear_ms,omitempty"` // the effect has been gone since
	ResolvedMs int64 `json:"resolved_ms,omitempty"`
}

// event is what a step of a machine says to others.
type event uint8

const (
	nothing event = iota
	fired
	resolved
)

// sight is what a machine is told.
type sight struct {
	atMs    int64
	known   bool // there is enough to judge by
	crossed bool // evidence and effect are there
	gone    bool // the effect is so small that an alert can end
	sinceMs int64
}

// shownResolved is how long a resolved alert is shown as such.
const shownResolved = time.Hour

// step moves a machine on. It fires once the condition has held for hold, and
// ends once the effect has been gone for keep.
func (m *machine) step(s sight, hold, keep time.Duration) event {
	if m.Phase == "" {
		m.Phase = Waiting
	}
	switch m.Phase {
	case Firing:
		switch {
		case !s.gone:
			m.ClearMs = 0
		case m.ClearMs == 0:
			m.ClearMs = s.atMs
		}
		if m.ClearMs != 0 && s.atMs-m.ClearMs >= keep.Milliseconds() {
			return m.resolve(s.atMs)
		}
		return nothing
	case Pending:
		if !s.crossed {
			m.Phase, m.ActiveMs = Inactive, 0
			break
		}
	default:
		if m.Phase == Resolved && s.atMs-m.ResolvedMs >= shownResolved.Milliseconds() {
			m.Phase = Inactive
		}
		if !s.crossed {
			if m.Phase != Resolved {
				m.Phase = Inactive
				if !s.known {
					m.Phase = Waiting
				}
			}
			return nothing
		}
		*m = machine{Phase: Pending, ActiveMs: s.atMs}
	}
	if m.Phase == Pending && hold != math.MaxInt64 && s.atMs-m.ActiveMs >= hold.Milliseconds() {
		m.Phase, m.FiredMs, m.SinceMs = Firing, s.atMs, s.sinceMs
		return fired
	}
	return nothing
}

func (m *machine) resolve(atMs int64) event {
	m.Phase, m.ResolvedMs, m.ClearMs = Resolved, atMs, 0
	return resolved
}

// forgotten is how long a firing alert goes without any data before it ends, at
// least.
const forgotten = 30 * time.Minute

// move moves every alert about a comparison on.
func (e *Engine) move(endMs int64, now time.Time) {
	e.moveSampleRatio(endMs, now)
	for _, t := range e.state.Targets {
		r := e.rule(t.Rule)
		if r == nil {
			if t.Phase == Firing {
				t.resolve(endMs)
				e.tell(Resolve, t, nil, endMs, now, "its rule has gone")
			}
			continue
		}
		if e.judgedElsewhere(t, r) && t.Phase != Firing {
			t.Phase, t.ActiveMs = Inactive, 0
			continue
		}
		value, low, high, ok := e.value(t, &t.Root)
		known := ok && !t.Undecided && t.Root.All >= r.MinEvents
		s := sight{
			atMs: endMs, known: known,
			crossed: known && t.rejected && (r.reached(value, low, high, ok) || len(t.Found) > 0),
			gone:    !t.Undecided && r.gone(value, low, high, ok) && len(t.Found) == 0,
			sinceMs: t.Root.sinceMs(),
		}
		hold := r.For
		if e.explained(t, endMs) {
			hold = math.MaxInt64
		}
		switch t.step(s, hold, r.KeepFiring) {
		case fired:
			e.tell(Trigger, t, r, endMs, now, "")
		case resolved:
			t.reset()
			e.tell(Resolve, t, r, endMs, now, "")
		case nothing:
			if quiet := max(forgotten, 3*r.KeepFiring, 3*r.Window); t.Phase == Firing && endMs-t.EndMs >= quiet.Milliseconds() && !t.Undecided {
				t.resolve(endMs)
				t.reset()
				e.tell(Resolve, t, r, endMs, now, "no more data to judge by")
			}
		}
	}
	kept := len(e.state.Targets)
	e.state.Targets = slices.DeleteFunc(e.state.Targets, func(t *target) bool {
		return e.rule(t.Rule) == nil || t.Phase != Firing && endMs-t.EndMs > pastKept.Milliseconds()
	})
	if len(e.state.Targets) != kept {
		e.index = nil
	}
}

// symptoms are what a missing feature, a slow tower or other embeddings change:
// they are not told as long as one of these is.
func symptom(m Metric) bool {
	return m == MetricCalibration || m == MetricCandidateCalibration || m == MetricLogMAE || m == MetricLogLoss
}

func cause(m Metric) bool {
	return m == MetricCoverage || m == MetricVersionSkew || m == MetricServingSuccess
}

// explained reports whether an alert about the same arm may be the cause of what
// t is about, so that t waits. It ends a little after that alert, as what both
// look back on does.
func (e *Engine) explained(t *target, endMs int64) bool {
	if !symptom(t.Metric) {
		return false
	}
	for _, o := range e.state.Targets {
		if !cause(o.Metric) || o.Arm != t.Arm || (o.Against == Control) != (t.Against == Control) {
			continue
		}
		if o.Phase == Firing || o.Phase == Pending {
			return true
		}
		if r := e.rule(t.Rule); o.Phase == Resolved && r != nil && endMs-o.ResolvedMs < r.KeepFiring.Milliseconds() {
			return true
		}
	}
	return false
}

// pastKept is how long what is known of an arm or key is kept after its last
// data.
const pastKept = 7 * 24 * time.Hour

// reset begins the evidence anew after an alert.
func (t *target) reset() {
	t.Root.reset()
	for _, s := range t.Slices {
		s.Series.reset()
	}
}

// judgedElsewhere reports whether what a rule about one arm alone could say of t
// is said by another alert. Where there is a control arm with the same data, what
// happens to another arm only shows against control; what happens to both shows
// in control alone, and is one alert for the experiment.
func (e *Engine) judgedElsewhere(t *target, r *Rule) bool {
	if r.Against == Control || t.Arm == e.opts.Control {
		return false
	}
	compared := false
	for i := range e.rules {
		compared = compared || e.rules[i].Metric == r.Metric && e.rules[i].Against == Control && (len(e.rules[i].Keys) == 0 || slices.Contains(e.rules[i].Keys, t.Key))
	}
	if !compared {
		return false
	}
	for _, o := range e.state.Targets {
		if o.Rule == t.Rule && o.Key == t.Key && o.Arm == e.opts.Control {
			return o.EndMs+max(forgotten.Milliseconds(), 3*r.Window.Milliseconds()) >= t.EndMs
		}
	}
	return false
}
