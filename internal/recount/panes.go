package recount

import "time"

// Levels says how wide a pane of event time is at which age, measured against
// the newest event: Fine at first, minutes after FineFor, hours after MinuteFor.
type Levels struct {
	Fine, FineFor, MinuteFor time.Duration
}

// DefaultLevels are those of the service: 10 s for two hours, then minutes for
// two days, then hours.
func DefaultLevels() Levels {
	return Levels{Fine: 10 * time.Second, FineFor: 2 * time.Hour, MinuteFor: 48 * time.Hour}
}

// pane is the pane that holds event time t.
func (r *Recount) pane(t int64) (start, end int64) {
	l := r.opts.Levels
	fine, minute, hour := l.Fine.Milliseconds(), time.Minute.Milliseconds(), time.Hour.Milliseconds()
	minute = max(minute, fine)
	width := fine
	if t < wholeMultiple(r.newestMs-l.FineFor.Milliseconds(), minute) {
		width = minute
	}
	if t < wholeMultiple(r.newestMs-l.MinuteFor.Milliseconds(), hour) {
		width = hour
	}
	start = wholeMultiple(t, width)
	return start, start + width
}

func wholeMultiple(t, width int64) int64 {
	q := t / width
	if t%width < 0 {
		q--
	}
	return q * width
}

// mature reports whether the attribution window of everything in t's pane has
// closed by the newest event.
func (r *Recount) mature(t int64) bool {
	_, end := r.pane(t)
	return end+r.opts.AttributionWindow.Milliseconds() <= r.newestMs
}
