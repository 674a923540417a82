package recount

import "time"

// Levels says how wide a pane of event time is at which age, measured against
// the newest event: Fine at first, minutes after FineFor, hours after
// MinuteFor, gone after Retention.
type Levels struct {
	Fine, FineFor, MinuteFor, Retention time.Duration
}

// DefaultLevels are those of the service: 10 s for half an hour, then minutes for
// six hours, then hours for thirty days.
func DefaultLevels() Levels {
	return Levels{Fine: 10 * time.Second, FineFor: 30 * time.Minute, MinuteFor: 6 * time.Hour, Retention: 720 * time.Hour}
}

// horizon is the event time before which panes are gone, a whole hour.
func (r *Recount) horizon() int64 {
	return wholeMultiple(r.newestMs-r.opts.Levels.Retention.Milliseconds(), time.Hour.Milliseconds())
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
