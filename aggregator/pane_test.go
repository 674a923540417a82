package aggregator

import (
	"testing"
	"time"
)

func TestLevelsAt(t *testing.T) {
	hms := func(h, m, s int64) int64 { return ((h*60+m)*60 + s) * 1000 }
	fine := Levels{Fine: 10 * time.Second, FineFor: time.Hour, MinuteFor: 4 * time.Hour, Retention: 24 * time.Hour}
	newest := hms(30, 20, 35)
	for _, tc := range []struct {
		name   string
		levels func(l *Levels)
		at     int64
		want   Pane
	}{
		{"the newest", nil, newest, Pane{hms(30, 20, 30), 10_000}},
		{"the last fine one", nil, hms(29, 20, 0), Pane{hms(29, 20, 0), 10_000}},
		{"the first minute", nil, hms(29, 19, 59), Pane{hms(29, 19, 0), 60_000}},
		{"the last minute", nil, hms(26, 0, 0), Pane{hms(26, 0, 0), 60_000}},
		{"the first hour", nil, hms(26, 0, 0) - 1, Pane{hms(25, 0, 0), 3_600_000}},
		{"fine panes of a minute", func(l *Levels) { l.Fine = time.Minute }, hms(29, 10, 7), Pane{hms(29, 10, 0), 60_000}},
		{"fine panes of five minutes stay so", func(l *Levels) { l.Fine = 5 * time.Minute }, hms(28, 13, 7), Pane{hms(28, 10, 0), 300_000}},
		{"fine panes of an hour", func(l *Levels) { l.Fine = time.Hour }, hms(30, 20, 35), Pane{hms(30, 0, 0), 3_600_000}},
		{"before the epoch", nil, -1, Pane{-3_600_000, 3_600_000}},
	} {
		l := fine
		if tc.levels != nil {
			tc.levels(&l)
		}
		if got := l.At(tc.at, newest); got != tc.want {
			t.Errorf("%s: At(%d) = %+v, want %+v", tc.name, tc.at, got, tc.want)
		}
	}
	if got, want := fine.Horizon(newest), hms(6, 0, 0); got != want {
		t.Errorf("Horizon = %d, want %d", got, want)
	}
}

// Panes tile event time, whatever the newest event: none overlap, and what ages
// only ever becomes part of one wider pane.
func TestPanesTileTime(t *testing.T) {
	for _, fine := range []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, time.Hour} {
		l := Levels{Fine: fine, FineFor: 7*time.Minute + 3*time.Second, MinuteFor: 150 * time.Minute, Retention: 10 * time.Hour}
		r := newRand(uint64(fine))
		for range 200 {
			newest := start + r.Int64N(7_200_000)
			older := newest - r.Int64N(7_200_000)
			for at, end := l.Horizon(newest), int64(0); at <= newest; at = end {
				p := l.At(at, newest)
				if p.StartMs != at {
					t.Fatalf("fine=%v: pane at %d starts at %d: it overlaps the one before", fine, at, p.StartMs)
				}
				end = p.EndMs()
				if q := l.At(at+r.Int64N(p.WidthMs), newest); q != p {
					t.Fatalf("fine=%v: an event inside %+v is put into %+v", fine, p, q)
				}
				if q := l.At(at, older); q.StartMs < p.StartMs || q.EndMs() > p.EndMs() {
					t.Fatalf("fine=%v: %+v does not roll up into %+v", fine, q, p)
				}
			}
		}
	}
}
