package study

import (
	"math"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Kind is what is claimed of a figure.
type Kind uint8

const (
	// Information claims nothing.
	Information Kind = iota
	// RateAtMost claims that the true rate is at most Bound: it holds unless the
	// whole 99 % interval is above it.
	RateAtMost
	// AtMost claims that the measured figure is at most Bound.
	AtMost
	// AtLeast claims that the measured figure is at least Bound.
	AtLeast
	// Between claims that the measured figure is from Bound to Upper.
	Between
	// Contrast claims that the true rate is above Bound: the whole 99 % interval
	// must be. It shows that the study can see what the claims deny.
	Contrast
)

// Claim is what is said of a figure.
type Claim struct {
	Kind         Kind
	Bound, Upper float64
}

// Figure is a measured number with its 99 % interval.
type Figure struct {
	Value, Low, High float64
	N                int // replications
}

// Holds says whether the figure is as claimed.
func (c Claim) Holds(f Figure) bool {
	switch c.Kind {
	case RateAtMost:
		return f.Low <= c.Bound
	case AtMost:
		return f.Value <= c.Bound
	case AtLeast:
		return f.Value >= c.Bound
	case Between:
		return f.Value >= c.Bound && f.Value <= c.Upper
	case Contrast:
		return f.Low > c.Bound
	case Information:
	}
	return true
}

// figureLevel is the confidence of a figure's interval.
const figureLevel = 0.99

// rate is k of n with the interval of Clopper and Pearson.
func rate(k, n int) Figure {
	f := Figure{Value: float64(k) / float64(n), High: 1, N: n}
	// The exact conditional interval of a ratio of two Poisson counts is theirs
	// for the odds.
	e, ok := stats.ExactArmRatio(stats.Arm{Observed: int64(k), Expected: 1}, stats.Arm{Observed: int64(n - k), Expected: 1}, figureLevel)
	if ok && e.HasLow() {
		f.Low = e.Low / (1 + e.Low)
	}
	if ok && e.HasHigh() {
		f.High = e.High / (1 + e.High)
	}
	return f
}

// normal995 is the standard normal quantile of 0.995.
const normal995 = 2.5758293035489004

// average is the mean of values times scale, with a normal interval.
func average(all []float64, scale float64) Figure {
	m, se := meanOf(all)
	return Figure{m * scale, (m - normal995*se) * scale, (m + normal995*se) * scale, len(all)}
}

// Row is a line of a table.
type Row struct {
	Condition string
	Notes     []string // the cells of Section.Columns
	Figure    Figure
	Claim     Claim
}

// Section is a part of the page.
type Section struct {
	ID      string // names the plots
	Title   string
	Text    []string // paragraphs
	Columns []string // headers of Notes
	Unit    Unit
	Rows    []Row
	Plots   []Plot
}

// Unit is that of a section's figures.
type Unit uint8

const (
	// Percent figures are shares.
	Percent Unit = iota
	// Times figures are multiples of a bound.
	Times
)

// Failed are the rows whose claim does not hold.
func (s *Section) Failed() []Row {
	var failed []Row
	for _, r := range s.Rows {
		if !r.Claim.Holds(r.Figure) {
			failed = append(failed, r)
		}
	}
	return failed
}

func (s *Section) add(condition string, f Figure, c Claim, notes ...string) {
	s.Rows = append(s.Rows, Row{condition, notes, f, c})
}

// logAlpha is the log e-value at which a test with error probability alpha
// rejects.
func logAlpha(alpha float64) float64 { return -math.Log(alpha) }
