package aggregator

import "time"

// Pane is a slice of event time: [StartMs, StartMs+WidthMs).
type Pane struct{ StartMs, WidthMs int64 }

// EndMs is the first millisecond after the pane.
func (p Pane) EndMs() int64 { return p.StartMs + p.WidthMs }

// Levels says how wide a pane is at which age: panes start out fine and roll up
// to minutes and hours, so that memory does not grow with the retention. Age is
// measured against the newest event, never against a clock, which keeps the
// panes a function of the set of records.
type Levels struct {
	Fine      time.Duration // width of a new pane; divides a minute, or is whole minutes dividing an hour
	FineFor   time.Duration // age at which fine panes become minutes
	MinuteFor time.Duration // age at which minutes become hours
	Retention time.Duration // age at which hours are dropped
}

// DefaultLevels are 10 s panes for half an hour, minutes for six hours, then hours
// for thirty days.
func DefaultLevels() Levels {
	return Levels{Fine: 10 * time.Second, FineFor: 30 * time.Minute, MinuteFor: 6 * time.Hour, Retention: 720 * time.Hour}
}

func floorTo(t, width int64) int64 {
	m := t % width
	if m < 0 {
		m += width
	}
	return t - m
}

// At is the pane that event time t belongs to when the newest event is at newest.
func (l Levels) At(t, newest int64) Pane {
	width := l.Fine.Milliseconds()
	switch {
	case t < l.hourEdge(newest):
		width = time.Hour.Milliseconds()
	case t < l.minuteEdge(newest):
		width = l.minuteWidth()
	}
	return Pane{StartMs: floorTo(t, width), WidthMs: width}
}

// minuteWidth is a minute, or the width of a fine pane where that is wider.
func (l Levels) minuteWidth() int64 {
	return max(l.Fine.Milliseconds(), time.Minute.Milliseconds())
}

// minuteEdge is the event time below which panes are minutes or wider.
func (l Levels) minuteEdge(newest int64) int64 {
	return floorTo(newest-l.FineFor.Milliseconds(), l.minuteWidth())
}

// hourEdge is the event time below which panes are hours.
func (l Levels) hourEdge(newest int64) int64 {
	return floorTo(newest-l.MinuteFor.Milliseconds(), time.Hour.Milliseconds())
}

// Horizon is the earliest event time that is kept when the newest event is at newest.
func (l Levels) Horizon(newest int64) int64 {
	return floorTo(newest-l.Retention.Milliseconds(), time.Hour.Milliseconds())
}
