package page

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/aggregator"
)

// maxSlices is how many slices a page shows, the largest first to be kept.
const maxSlices = 100

// slice is one row of a breakdown: the same labels in every arm.
type slice struct {
	key    aggregator.Labels
	labels []aggregator.Label
	byArm  map[string]*aggregator.Sums
	size   int64 // candidates and winners over all arms
}

// breakdown lines up the slices of all arms. It says how many there are in all.
func (a *arms) breakdown() (shown []slice, total int) {
	byKey := map[aggregator.Labels]*slice{}
	for _, arm := range a.e.Summary.Arms {
		for _, s := range arm.Slices {
			key := aggregator.MakeLabels(s.Labels)
			if byKey[key] == nil {
				byKey[key] = &slice{key: key, labels: s.Labels, byArm: map[string]*aggregator.Sums{}}
			}
			byKey[key].byArm[arm.Arm] = s.Sums
			byKey[key].size += s.Sums.Candidates.All.N + s.Sums.Winners.All.N
		}
	}
	for _, s := range byKey {
		shown = append(shown, *s)
	}
	total = len(shown)
	slices.SortFunc(shown, func(x, y slice) int { return cmp.Or(cmp.Compare(y.size, x.size), cmp.Compare(x.key, y.key)) })
	shown = shown[:min(total, maxSlices)]
	slices.SortFunc(shown, func(x, y slice) int { return cmp.Compare(x.key, y.key) })
	return shown, total
}

// breakdownTables shows a breakdown: the numbers of each slice, and its coverage.
func (a *arms) breakdownTables() []table {
	shown, total := a.breakdown()
	by := strings.Join(a.e.Query.Slice, " and ")
	numbers := table{
		Caption: "By " + by,
		Columns: []column{
			{Title: "Slice", Text: true}, {Title: "Arm", Text: true},
			{Title: "Candidates"}, {Title: "Winners"},
			{Title: "Candidates, against the reference"}, {Title: "Winners, as seen"}, {Title: "Winners, maturity-adjusted"},
			{Title: "Log MAE"}, {Title: "Log loss"},
		},
	}
	if total > len(shown) {
		numbers.Note = "The " + count(int64(len(shown))) + " largest of " + count(int64(total)) + " slices; the API has all of them."
	}
	coverage := table{Caption: "Feature coverage by " + by, Columns: []column{{Title: "Slice", Text: true}, {Title: "Arm", Text: true}}}
	families := a.keys(func(r *aggregator.Reading) []string { return slices.Collect(maps.Keys(r.Candidates.Coverage)) })
	for _, f := range families {
		coverage.Columns = append(coverage.Columns, column{Title: f})
	}
	readings, x := a.readSlices(shown)
	for k, s := range shown {
		for i := range a.readings {
			r := &readings[k][i]
			heads := []head{{Text: labelText(s.labels)}, a.headOf(i)}
			if i == 0 {
				heads[0].Span = len(a.readings)
			}
			c, w := &r.Candidates, &r.Winners
			e := &w.Estimates
			numbers.Rows = append(numbers.Rows, row{heads, []cell{
				counted(c.Count), counted(w.Count),
				x.calibration(c.Estimates.CalibrationVsReference, c.CalibrationVsReference, of(c.Estimates.CalibrationVsReference)),
				x.calibration(e.Calibration, w.Calibration, conversions(w.Conversions)),
				x.calibration(e.CalibrationAdjusted, aggregator.Number{}, matured(e)),
				estimated(c.Estimates.LogMAE, c.LogMAE, number, of(c.Estimates.LogMAE)),
				estimated(e.LogLoss, w.LogLoss, number, of(e.LogLoss)),
			}})
			covered := row{Heads: heads}
			for _, f := range families {
				covered.Cells = append(covered.Cells, share(c.Estimates.Coverage[f], c.Coverage[f], a.control(i)))
			}
			coverage.Rows = append(coverage.Rows, covered)
		}
	}
	if len(families) == 0 {
		return []table{numbers}
	}
	return []table{numbers, coverage}
}

// matured is the maturity of an adjusted calibration, where it has no column of
// its own. The conversions are beside it.
func matured(e *aggregator.WinnerEstimates) string {
	if !e.LabelMaturity.HasValue() {
		return ""
	}
	return percent(e.LabelMaturity.Value) + " mature"
}

// readSlices reads every slice in every arm, and makes the axis that all of
// them share. An arm without the slice reads as nothing.
func (a *arms) readSlices(shown []slice) ([][]aggregator.Reading, axis) {
	out := make([][]aggregator.Reading, len(shown))
	var all []aggregator.Estimate
	for k := range shown {
		out[k] = make([]aggregator.Reading, len(a.readings))
		for i := range a.readings {
			if sums := shown[k].byArm[a.name(i)]; sums != nil {
				out[k][i] = sums.Read(a.e.Summary.Curves)
			}
			all = append(all, calibrations(&out[k][i])...)
		}
	}
	return out, makeAxis(all)
}
