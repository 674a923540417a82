package api

import (
	"math"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// delayCurveJSON is how long conversions take: share[i] of them come up to
// edges_ms[i] after their impression.
type delayCurveJSON struct {
	Known       bool  `json:"known"`
	Conversions int64 `json:"conversions"`
	// Status is low_data where a part of the curve rests on nothing.
	Status    stats.Status `json:"status"`
	EdgesMs   []int64      `json:"edges_ms"`
	Share     []float64    `json:"share"`
	ShareLow  []float64    `json:"share_low"`
	ShareHigh []float64    `json:"share_high"`
}

type typeCurveJSON struct {
	OptimizationType string `json:"optimization_type"`
	delayCurveJSON
	ConversionTypes []conversionCurveJSON `json:"conversion_types"`
	ArmsDiffer      []armShiftJSON        `json:"arms_differ"`
}

type conversionCurveJSON struct {
	ConversionType string `json:"conversion_type"`
	delayCurveJSON
}

// armShiftJSON compares the delays of an arm with those of all others; z is
// above 0 where its conversions take longer.
type armShiftJSON struct {
	Arm    string       `json:"arm"`
	Z      float64      `json:"z"`
	P      float64      `json:"p"`
	Status stats.Status `json:"status"`
}

func makeDelayCurves(c *aggregator.Curves) []typeCurveJSON {
	out := []typeCurveJSON{}
	if c == nil {
		return out
	}
	for _, t := range c.Types {
		j := typeCurveJSON{
			OptimizationType: t.OptimizationType, delayCurveJSON: makeDelayCurve(t.Delay, t.Known, c.EdgesMs),
			ConversionTypes: []conversionCurveJSON{}, ArmsDiffer: []armShiftJSON{},
		}
		for _, k := range t.Conversions {
			j.ConversionTypes = append(j.ConversionTypes, conversionCurveJSON{k.ConversionType, makeDelayCurve(k.Delay, k.Known, c.EdgesMs)})
		}
		for _, d := range t.Differs {
			j.ArmsDiffer = append(j.ArmsDiffer, armShiftJSON{d.Arm, d.Shift.Z, d.Shift.P, d.Shift.Status})
		}
		out = append(out, j)
	}
	return out
}

// makeDelayCurve adds normal limits at 95 % to a curve, inside [0, 1].
func makeDelayCurve(c stats.DelayCurve, known bool, edgesMs []int64) delayCurveJSON {
	j := delayCurveJSON{
		Known: known, Conversions: c.N, Status: c.Status, EdgesMs: []int64{},
		Share: []float64{}, ShareLow: []float64{}, ShareHigh: []float64{},
	}
	const z = 1.959963984540054
	for i, f := range c.F[:min(len(c.F), len(edgesMs))] {
		half := 0.0
		if v, ok := c.Covariance(i, i); ok {
			half = z * math.Sqrt(v)
		}
		j.EdgesMs = append(j.EdgesMs, edgesMs[i])
		j.Share = append(j.Share, f)
		j.ShareLow = append(j.ShareLow, max(0, f-half))
		j.ShareHigh = append(j.ShareHigh, min(1, f+half))
	}
	return j
}
