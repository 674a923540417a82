package aggregator

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkIncrement is what a window of 10 s costs of an experiment of three
// arms and 40 slices, whose panes reach back for a month, 1,000 auctions of
// 100 candidates and 1,000 winners a pane and source.
func BenchmarkIncrement(b *testing.B) {
	for _, sources := range []int{1, 4} {
		b.Run(fmt.Sprintf("sources=%d", sources), func(b *testing.B) {
			m, at := busyMerged(b, sources)
			b.Run("part=all", func(b *testing.B) {
				b.ReportAllocs()
				var in *Increment
				for b.Loop() {
					var err error
					if in, err = m.Increment("x", at, at+10_000); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(in.Cells)), "cells")
				b.ReportMetric(float64(len(in.Cells[0].Cohorts)), "cohorts")
			})
			b.Run("part=curves", func(b *testing.B) {
				for b.Loop() {
					m.curves("x")
				}
			})
			b.Run("part=locked", func(b *testing.B) {
				for b.Loop() {
					if _, err := m.gather("x", &incrementBuilder{from: at, to: at + 10_000, index: map[Key]int32{}, ramps: map[string]*rampOf{}}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// busyMerged holds one busy pane of each level's width over and over, at every time
// that panes reach back to; it returns where a window of 10 s may begin.
func busyMerged(b *testing.B, sources int) (*Merged, int64) {
	b.Helper()
	opts := Options{Levels: DefaultLevels(), Windows: []time.Duration{5 * time.Minute, 24 * time.Hour}, AttributionWindow: 24 * time.Hour, MaxSeries: 30_000}
	one := busyCell(b).Flush()[0].packed
	m := NewMerged(opts)
	m.BeginReplay()
	newest := floorTo(start, 3_600_000) + 1_825_000
	for source := range int32(sources) {
		var upserts []Upsert
		for _, arm := range []string{"control", "treatment", "third"} {
			for slice := range 41 {
				k := Key{Experiment: "x", Arm: arm, RampPercent: 30}
				if slice > 0 {
					k.Labels = MakeLabels([]Label{{"surface", fmt.Sprint(slice)}})
				}
				horizon := newest - 720*3_600_000
				for at := opts.Levels.At(horizon+3_600_000, newest); at.StartMs < newest; at = opts.Levels.At(at.EndMs(), newest) {
					upserts = append(upserts, Upsert{Key: k, Pane: at, Version: Version{1, 1}, packed: one})
				}
			}
		}
		m.Publish(source, newest, upserts)
	}
	m.EndReplay()
	return m, floorTo(newest, 10_000) - 20_000
}
