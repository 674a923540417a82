package page

import (
	"math"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// doubt is why a number may not be taken as it is, in a word and a sentence.
type doubt struct{ Word, Meaning string }

// doubts has the words of each status that is not ok. Where there is no number,
// "waiting" already says that there is nothing to estimate from.
func doubtOf(s stats.Status) *doubt {
	switch s {
	case stats.OK:
		return nil
	case stats.LowData:
		return &doubt{"low data", "Too few conversions, units or rows for the interval to be relied on."}
	case stats.Immature:
		return &doubt{"labels too young", "Less than 20 % of the conversions to come have had time to."}
	case stats.Inconclusive:
		return &doubt{"inconclusive", "There are data, and they leave the question open."}
	case stats.PredictionMissing:
		return &doubt{"predictions missing", "There are conversions and no predictions to hold them against."}
	}
	return &doubt{"no interval", "How far this number can be off is not known."}
}

// estimated shows an estimate: the value, its interval, and why it may not be
// taken as it is. rest is what it rests on. plain is the value from exact sums,
// which is there also where sums of an older format allow no estimate.
func estimated(e aggregator.Estimate, plain aggregator.Number, format func(float64) string, rest string) cell {
	c := cell{N: rest, Range: limits(e, format)}
	value := e.ValueNumber()
	if !value.OK {
		value = plain
	}
	if !value.OK {
		c.Text, c.Waiting = unknown, true
		if e.Status != stats.Undefined {
			c.Doubt = doubtOf(e.Status)
		}
		return c
	}
	c.Text, c.Doubt = format(value.Value), doubtOf(e.Status)
	return c
}

// limits writes an interval, as far as it is known.
func limits(e aggregator.Estimate, format func(float64) string) string {
	switch {
	case e.HasLow() && e.HasHigh():
		return format(e.Low) + " to " + format(e.High)
	case e.HasLow():
		return "≥ " + format(e.Low)
	case e.HasHigh():
		return "≤ " + format(e.High)
	}
	return ""
}

// of says what an estimate rests on: rows, and where they are not independent
// how many that were would carry as much.
func of(e aggregator.Estimate) string {
	s := "n = " + count(e.N)
	if e.Effective > 0 && e.Effective < 0.95*float64(e.N) {
		s += ", as good as " + count(int64(math.Round(e.Effective)))
	}
	return s
}

func share(e aggregator.Estimate, plain aggregator.Number, control bool) cell {
	c := estimated(e, plain, percent, of(e))
	if v := e.ValueNumber(); v.OK {
		c.Bar = &bar{coordinate(100 * min(max(v.Value, 0), 1)), control}
	}
	return c
}

// axis maps ratios to 0..100, with 1 in the middle.
type axis struct{ span float64 }

// The axis shows at least ±25 %, so that small differences look small, and at
// most a factor of eight either way; what lies beyond sticks to the edge.
const (
	minSpan = 0.223 // ln 1.25
	maxSpan = 2.08  // ln 8
)

// makeAxis makes one axis for all that is to be compared.
func makeAxis(ratios []aggregator.Estimate) axis {
	a := axis{minSpan}
	for _, e := range ratios {
		for _, n := range []aggregator.Number{e.ValueNumber(), e.LowNumber(), e.HighNumber()} {
			if n.OK && n.Value > 0 {
				a.span = max(a.span, 1.1*math.Abs(math.Log(n.Value)))
			}
		}
	}
	a.span = min(a.span, maxSpan)
	return a
}

func (a axis) at(v float64) string {
	return coordinate(50 + 50*min(max(math.Log(v)/a.span, -1), 1))
}

// calibration shows a ratio with its interval drawn.
func (a axis) calibration(e aggregator.Estimate, plain aggregator.Number, rest string) cell {
	c := estimated(e, plain, ratio, rest)
	if e.Known == stats.KnownAll {
		c.Interval = &interval{Low: a.at(e.Low), High: a.at(e.High), At: a.at(e.Value), Unsure: c.Doubt != nil}
	}
	return c
}

// calibrations are the ratios of a reading that share an axis.
func calibrations(r *aggregator.Reading) []aggregator.Estimate {
	w := &r.Winners.Estimates
	return []aggregator.Estimate{r.Candidates.Estimates.CalibrationVsReference, w.Calibration, w.CalibrationAdjusted, w.CalibrationByPropensity}
}
