package page

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// maxDelayP is how improbable delays as different as these must be, were they
// alike, for a page to warn of them. A page shows many.
const maxDelayP = 0.001

// delayWarnings names the arms whose conversions take longer, or less long, than
// those of the others: they share a curve, and so are adjusted wrongly.
func (a *arms) delayWarnings() []finding {
	var out []finding
	if a.e.Summary.Curves == nil || len(a.readings) == 0 {
		return nil
	}
	base := a.name(a.base())
	for _, t := range a.e.Summary.Curves.Types {
		for _, d := range t.Differs {
			// Of two arms one says it all.
			if d.Shift.Status != stats.OK || d.Shift.P >= maxDelayP || len(t.Differs) == 2 && d.Arm == base {
				continue
			}
			longer, looks := "longer", "too high"
			if d.Shift.Z < 0 {
				longer, looks = "less long", "too low"
			}
			kind := ""
			if t.OptimizationType != "" {
				kind = " of optimization type " + t.OptimizationType
			}
			out = append(out, warned("Conversions"+kind+" take "+longer+" in "+d.Arm+" than in the other arms (z = "+
				strings.Replace(strconv.FormatFloat(d.Shift.Z, 'f', 1, 64), "-", "−", 1)+", "+pText(d.Shift.P)+"). They share one delay curve, so while its labels are young, the adjusted calibration of "+
				d.Arm+" looks "+looks+" beside theirs: compare these arms once labels are complete."))
		}
	}
	return out
}

func pText(p float64) string {
	if p < 1e-6 {
		return "p < 0.000001"
	}
	return "p = " + strconv.FormatFloat(p, 'f', 6, 64)
}

// delays is the table of the delay curves: how many conversions have come by
// some of the curve's edges.
func (a *arms) delays() table {
	t := table{
		Caption: "Delay of conversions",
		Note:    "Share of all conversions that come up to this long after their impression, all arms together: what label maturity is made of.",
		Columns: []column{{Title: "Optimization type", Text: true}, {Title: "Conversions"}},
	}
	c := a.e.Summary.Curves
	if c == nil || len(c.EdgesMs) == 0 {
		return t
	}
	shown := someEdges(len(c.EdgesMs))
	for _, i := range shown {
		t.Columns = append(t.Columns, column{Title: age(c.EdgesMs[i])})
	}
	for _, curve := range c.Types {
		name := curve.OptimizationType
		if name == "" {
			name = "–"
		}
		r := row{Heads: []head{{Text: name, Span: 1}}, Cells: []cell{counted(curve.Delay.N)}}
		for _, i := range shown {
			r.Cells = append(r.Cells, delayShare(curve.Delay, curve.Known, i))
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// delayShare shows a point of a curve with normal limits at 95 %.
func delayShare(c stats.DelayCurve, known bool, i int) cell {
	variance, ok := c.Covariance(i, i)
	if !ok {
		return cell{Text: unknown, Waiting: true}
	}
	if !known {
		return cell{Text: unknown, Waiting: true, Doubt: &doubt{"labels too young", "No attribution window with conversions has closed, so how many are still to come is not known."}}
	}
	x := cell{Text: percent(c.F[i]), Doubt: doubtOf(c.Status)}
	if i < len(c.F)-1 {
		half := 1.96 * math.Sqrt(variance)
		x.Range = percent(max(0, c.F[i]-half)) + " to " + percent(min(1, c.F[i]+half))
	}
	return x
}

// someEdges picks at most six of n edges, evenly, the last among them.
func someEdges(n int) []int {
	const most = 6
	if n <= most {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	var some []int
	for k := range most {
		some = append(some, k*(n-1)/(most-1))
	}
	return some
}

// age writes a delay: 10 min, 1 h, 3 d.
func age(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + " d"
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + " h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + " min"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}
