package page

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rampgauge/rampgauge/aggregator"
)

// maxSteps is how many ramp steps a page shows, the newest first to be kept.
const maxSteps = 20

// rampTable lists when each arm came to which share, the newest step first.
func (a *arms) rampTable() table {
	t := table{
		Caption: "Ramp",
		Columns: []column{{Title: "Since", Text: true}, {Title: "Arm", Text: true}, {Title: "From"}, {Title: "To"}},
	}
	type step struct {
		arm    string
		before cell
		aggregator.RampStep
	}
	var steps []step
	for _, arm := range slices.Sorted(maps.Keys(a.e.RampSteps)) {
		before := cell{Text: "–"}
		for _, s := range a.e.RampSteps[arm] {
			steps = append(steps, step{arm, before, s})
			before = cell{Text: ramp(s.RampPercent)}
		}
	}
	slices.SortStableFunc(steps, func(x, y step) int { return cmp.Compare(y.TimeMs, x.TimeMs) })
	if len(steps) > maxSteps {
		t.Note = "The " + count(maxSteps) + " newest of " + count(int64(len(steps))) + " steps; the API has all of them."
		steps = steps[:maxSteps]
	}
	for _, s := range steps {
		t.Rows = append(t.Rows, row{
			[]head{{Text: makeStamp(s.TimeMs).Text, Span: 1}},
			[]cell{{Text: s.arm, IsText: true}, s.before, {Text: ramp(s.RampPercent)}},
		})
	}
	return t
}
