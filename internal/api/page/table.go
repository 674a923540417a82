package page

import (
	"math"
	"strconv"

	"github.com/rampgauge/rampgauge/aggregator"
)

// table is all that the template needs of a table: one template draws them all.
type table struct {
	Caption, Note string
	Columns       []column
	Rows          []row
}

// column is a heading, with what it means for those who ask.
type column struct {
	Title, Meaning string
	Text           bool // left-aligned
}

type row struct {
	Heads []head
	Cells []cell
}

// head is a row heading that spans Span rows; 0: the heading above still does.
type head struct {
	Text string
	Note string
	Span int
}

// cell is a value with what it rests on.
type cell struct {
	Text     string
	N        string // the n or the interval, in small
	Stamp    stamp
	State    *state
	Waiting  bool // the value is not known yet
	IsText   bool
	Bar      *bar
	Interval *interval
}

// bar draws a share between 0 and 1.
type bar struct {
	Width   string // of 100
	Control bool
}

// interval draws a ratio with its bounds on a logarithmic axis around 1.
type interval struct {
	Low, High, At string // of 100
}

func known(n aggregator.Number, format func(float64) string, rest string) cell {
	if !n.OK {
		return cell{Text: unknown, N: rest, Waiting: true}
	}
	return cell{Text: format(n.Value), N: rest}
}

func counted(n int64) cell { return cell{Text: count(n)} }

// of says what a number rests on.
func of(n int64) string { return "n = " + count(n) }

func share(n aggregator.Number, rest string, control bool) cell {
	c := known(n, percent, rest)
	if n.OK {
		c.Bar = &bar{coordinate(100 * min(max(n.Value, 0), 1)), control}
	}
	return c
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// axis maps ratios to 0..100, with 1 in the middle.
type axis struct{ span float64 }

// The axis shows at least ±25 %, so that small differences look small, and at
// most a factor of eight either way; what lies beyond sticks to the edge.
const (
	minSpan = 0.223 // ln 1.25
	maxSpan = 2.08  // ln 8
)

// makeAxis makes one axis for all arms, so that their marks can be compared.
func makeAxis(readings []*aggregator.WinnerReading) axis {
	a := axis{minSpan}
	for _, r := range readings {
		for _, n := range []aggregator.Number{r.Calibration, r.CalibrationLow, r.CalibrationHigh} {
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

// calibration shows a winners' calibration with its interval.
func (a axis) calibration(r *aggregator.WinnerReading) cell {
	c := known(r.Calibration, ratio, "")
	if !r.CalibrationLow.OK {
		return c
	}
	c.N = "≥ " + ratio(r.CalibrationLow.Value)
	if r.Calibration.OK && r.CalibrationHigh.OK {
		c.N = "95 %: " + ratio(r.CalibrationLow.Value) + " to " + ratio(r.CalibrationHigh.Value)
		c.Interval = &interval{Low: a.at(r.CalibrationLow.Value), High: a.at(r.CalibrationHigh.Value), At: a.at(r.Calibration.Value)}
	}
	return c
}
