package page

import (
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
	Range    string // the interval, in small
	N        string // what it rests on, in small
	Doubt    *doubt // why it may not be taken as it is
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
	Unsure        bool
}

func known(n aggregator.Number, format func(float64) string, rest string) cell {
	if !n.OK {
		return cell{Text: unknown, N: rest, Waiting: true}
	}
	return cell{Text: format(n.Value), N: rest}
}

func counted(n int64) cell { return cell{Text: count(n)} }

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
