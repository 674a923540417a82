package alerts

import (
	"fmt"
	"time"
)

// armState is what is known of an arm's ramp.
type armState struct {
	RampPercent float64 `json:"ramp_percent"`
	LastMs      int64   `json:"last_ms"` // end of the last window with data
	Stopped     bool    `json:"stopped,omitempty"`
	Next        float64 `json:"next,omitempty"`  // a share that has been seen since
	NextN       int     `json:"nextn,omitempty"` // so many windows
	NextMs      int64   `json:"next_ms,omitempty"`
}

// Of changes: how many windows an arm must be at another share for it to count,
// and how long it must be gone to have stopped.
const (
	steadyWindows = 2
	stoppedAfter  = time.Hour
)

// changes tells of starts, steps, roll-backs and stops of the arms' ramps.
func (e *Engine) changes(w *Window, now time.Time) {
	for i := range w.Cells {
		c := &w.Cells[i]
		if c.Slice != "" {
			continue
		}
		a := e.state.Arms[c.Arm]
		if a == nil || a.Stopped {
			e.state.Arms[c.Arm] = &armState{RampPercent: c.RampPercent, LastMs: w.EndMs}
			e.change(c.Arm, c.RampPercent, w.StartMs, w.EndMs, now, fmt.Sprintf("%s: %s starts at %s %%", e.opts.Experiment, c.Arm, Percent(c.RampPercent)))
			continue
		}
		a.LastMs = w.EndMs
		switch {
		case c.RampPercent == a.RampPercent:
			a.NextN = 0
			continue
		case c.RampPercent != a.Next || a.NextN == 0:
			a.Next, a.NextN, a.NextMs = c.RampPercent, 1, w.StartMs
		default:
			a.NextN++
		}
		if a.NextN < steadyWindows {
			continue
		}
		verb := "goes"
		if a.Next < a.RampPercent && c.Arm != e.opts.Control {
			verb = "is rolled back"
		}
		text := fmt.Sprintf("%s: %s %s from %s %% to %s %%", e.opts.Experiment, c.Arm, verb, Percent(a.RampPercent), Percent(a.Next))
		a.RampPercent, a.NextN = a.Next, 0
		e.change(c.Arm, a.RampPercent, a.NextMs, w.EndMs, now, text)
	}
	for _, arm := range sortedKeys(e.state.Arms) {
		a := e.state.Arms[arm]
		if !a.Stopped && w.EndMs-a.LastMs >= stoppedAfter.Milliseconds() {
			a.Stopped = true
			e.change(arm, 0, a.LastMs, w.EndMs, now, fmt.Sprintf("%s: %s stops, at %s %%", e.opts.Experiment, arm, Percent(a.RampPercent)))
		}
	}
}

func (e *Engine) change(arm string, ramp float64, sinceMs, atMs int64, now time.Time, text string) {
	e.add(Notification{
		Action: Change, Key: Key(e.opts.Experiment, arm, "ramp", ""), Arm: arm, Severity: Info, Summary: text,
		RampPercent: ramp, SinceMs: sinceMs, AtMs: atMs, DecidedAt: now,
	})
}

func (e *Engine) add(n Notification) {
	e.state.Sequence++
	n.Sequence, n.Experiment, n.Owner = e.state.Sequence, e.opts.Experiment, e.opts.Owner
	e.state.Undelivered = append(e.state.Undelivered, n)
	switch n.Action {
	case Trigger:
		e.state.Open[n.Key] = n
	case Resolve:
		delete(e.state.Open, n.Key)
	case Change:
	}
}
