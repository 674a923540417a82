package aggregator

import (
	"cmp"
	"time"
)

// Pane is a slice of event time: [StartMs, StartMs+WidthMs).
type Pane struct{ StartMs, WidthMs int64 }

// EndMs is the first millisecond after the pane.
func (p Pane) EndMs() int64 { return p.StartMs + p.WidthMs }

// compare orders panes by start, then width.
func (p Pane) compare(o Pane) int {
	return cmp.Or(cmp.Compare(p.StartMs, o.StartMs), cmp.Compare(p.WidthMs, o.WidthMs))
}

// holds reports whether o lies in p, which is what overlapping comes to: the
// widths of Levels divide one another.
func (p Pane) holds(o Pane) bool { return p.StartMs <= o.StartMs && o.EndMs() <= p.EndMs() }

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

// Valid reports whether p is a pane that these Levels can have.
func (l Levels) Valid(p Pane) bool {
	switch p.WidthMs {
	case l.Fine.Milliseconds(), l.minuteWidth(), time.Hour.Milliseconds():
		return p.StartMs == floorTo(p.StartMs, p.WidthMs)
	}
	return false
}

// wider calls f with the panes around p that are wider than it.
func (l Levels) wider(p Pane, f func(Pane)) {
	for _, width := range [...]int64{l.minuteWidth(), time.Hour.Milliseconds()} {
		if width > p.WidthMs {
			f(Pane{StartMs: floorTo(p.StartMs, width), WidthMs: width})
		}
	}
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
