package page

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rampgauge/rampgauge/aggregator"
)

// arms is the readings of an experiment's arms side by side.
type arms struct {
	e        *Experiment
	readings []aggregator.Reading // by Summary.Arms
}

// makeArms puts the control arm first, whatever it is called.
func makeArms(e *Experiment) arms {
	own, sum := *e, *e.Summary
	sum.Arms = slices.Clone(sum.Arms)
	slices.SortStableFunc(sum.Arms, func(x, y aggregator.ArmSums) int {
		switch {
		case x.Arm == e.Control:
			return -1
		case y.Arm == e.Control:
			return 1
		}
		return 0
	})
	own.Summary = &sum
	a := arms{e: &own}
	for i := range sum.Arms {
		a.readings = append(a.readings, sum.Arms[i].Total.Read(sum.Curves))
	}
	return a
}

func (a *arms) name(i int) string  { return a.e.Summary.Arms[i].Arm }
func (a *arms) control(i int) bool { return a.name(i) == a.e.Control }
func (a *arms) head(i int) []head  { return []head{a.headOf(i)} }
func (a *arms) headOf(i int) head {
	h := head{Text: a.name(i), Span: 1}
	if a.control(i) && h.Text != "control" {
		h.Note = "control"
	}
	return h
}

// overview is who is compared, since when, and whether it says anything yet.
func (a *arms) overview() table {
	t := table{
		Caption: "Arms",
		Columns: []column{
			{Title: "Arm", Text: true}, {Title: "State", Text: true},
			{Title: "Ramp", Meaning: "Share of the experiment's traffic at the arm's latest auction."},
			{Title: "At this ramp since", Text: true},
			{Title: "Ramps in these numbers", Meaning: "Numbers below sum over all of these."},
			{Title: "Candidates"}, {Title: "Winners"}, {Title: "Conversions", Meaning: "Winners with label 1."},
		},
	}
	for i := range a.readings {
		r := &a.readings[i]
		cells := []cell{{State: armState(r), IsText: true}, {Text: "–"}, {Text: "–", IsText: true}}
		for _, arm := range a.e.Arms {
			if arm.Name == a.name(i) {
				cells[1] = cell{Text: ramp(arm.RampPercent)}
				cells[2] = cell{Stamp: makeStamp(arm.SinceMs), IsText: true}
			}
		}
		ramps := ""
		for k, p := range a.e.Summary.Arms[i].RampPercents {
			if k > 0 {
				ramps += ", "
			}
			ramps += ramp(p)
		}
		cells = append(cells, cell{Text: ramps}, counted(r.Candidates.Count), counted(r.Winners.Count), counted(r.Winners.Conversions))
		t.Rows = append(t.Rows, row{a.head(i), cells})
	}
	return t
}

// calibrationTable has what can be compared in one row: candidates beside
// winners, and winners as seen beside what they come to.
func (a *arms) calibrationTable() table {
	t := table{
		Caption: "Calibration: candidates beside winners",
		Note:    "Sum of predictions over sum of references or of labels; above 1 is too high. Marks show the 95 % interval, the dashed line is 1.",
		Columns: []column{
			{Title: "Arm", Text: true},
			{Title: "Candidates, against the reference", Meaning: "Sum of predictions over sum of references, of candidates that have one."},
			{Title: "Winners, as seen", Meaning: "Sum of predictions over sum of labels. A winner without conversion counts as label 0, also while one can still come."},
			{Title: "Winners, maturity-adjusted", Meaning: "The same with each prediction times the share of its conversions that has had time to come: what the number as seen comes to."},
			{Title: "Label maturity", Meaning: "Share of the predicted conversions that has had time to come, by delays learned from this experiment."},
		},
	}
	var all []aggregator.Estimate
	chance := false
	for i := range a.readings {
		all = append(all, calibrations(&a.readings[i])...)
		chance = chance || a.readings[i].Winners.Estimates.CalibrationByPropensity.HasValue()
	}
	if chance {
		t.Columns = append(t.Columns, column{Title: "By propensity", Meaning: "Winners weighted by the inverse of the propensity that they were shown with: of all that could have been shown."})
	}
	x := makeAxis(all)
	for i := range a.readings {
		c, w := &a.readings[i].Candidates, &a.readings[i].Winners
		e := &w.Estimates
		cells := []cell{
			x.calibration(c.Estimates.CalibrationVsReference, c.CalibrationVsReference, of(c.Estimates.CalibrationVsReference)),
			x.calibration(e.Calibration, w.Calibration, conversions(w.Conversions)),
			x.calibration(e.CalibrationAdjusted, aggregator.Number{}, conversions(e.CalibrationAdjusted.N)),
			estimated(e.LabelMaturity, aggregator.Number{}, percent, winners(w.Count)),
		}
		if chance {
			cells = append(cells, x.calibration(e.CalibrationByPropensity, aggregator.Number{}, of(e.CalibrationByPropensity)))
		}
		t.Rows = append(t.Rows, row{a.head(i), cells})
	}
	return t
}

func (a *arms) candidates() table {
	t := table{
		Caption: "Candidates: everything scored",
		Note:    "Against the reference model, where a candidate has a reference.",
		Columns: []column{
			{Title: "Arm", Text: true},
			{Title: "Log MAE", Meaning: "Mean of |ln p − ln r|."},
			{Title: "Log bias", Meaning: "Mean of ln p − ln r."},
			{Title: "p50", Meaning: "Median prediction, within 1 %."},
			{Title: "p90", Meaning: "90 % quantile of predictions, within 1 %."},
			{Title: "p99", Meaning: "99 % quantile of predictions, within 1 %."},
		},
	}
	for i := range a.readings {
		c := &a.readings[i].Candidates
		e := &c.Estimates
		r := row{a.head(i), []cell{
			estimated(e.LogMAE, c.LogMAE, number, of(e.LogMAE)),
			estimated(e.LogBias, c.LogBias, number, of(e.LogBias)),
		}}
		for _, q := range []string{"0.5", "0.9", "0.99"} {
			r.Cells = append(r.Cells, estimated(e.PredictionQuantiles[q], c.PredictionQuantiles[q], number, of(e.PredictionQuantiles[q])))
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func (a *arms) winnersTable() table {
	t := table{
		Caption: "Winners: what was shown, against its labels",
		Note:    "As seen: a winner without conversion counts as label 0, also while one can still come. Read these beside the label maturity.",
		Columns: []column{
			{Title: "Arm", Text: true},
			{Title: "Log loss", Meaning: "Mean of −(y ln p + (1−y) ln(1−p))."},
			{Title: "Normalized entropy", Meaning: "Log loss over the entropy of the mean label."},
			{Title: "Brier", Meaning: "Mean of (p − y)²."},
			{Title: "AUC", Meaning: "Share of pairs of a winner that converted and one that did not in which the first has the higher prediction."},
			{Title: "Cost per conversion", Meaning: "In units of the currency."},
		},
	}
	for i := range a.readings {
		w := &a.readings[i].Winners
		e := &w.Estimates
		t.Rows = append(t.Rows, row{a.head(i), []cell{
			estimated(e.LogLoss, w.LogLoss, number, of(e.LogLoss)),
			estimated(e.NormalizedEntropy, w.NormalizedEntropy, ratio, of(e.NormalizedEntropy)),
			estimated(e.Brier, w.Brier, number, of(e.Brier)),
			estimated(e.AUC, aggregator.Number{}, ratio, of(e.AUC)),
			known(w.CostPerConversionMicros, micros, conversions(w.Conversions)),
		}})
	}
	return t
}

func winners(n int64) string {
	if n == 1 {
		return "1 winner"
	}
	return count(n) + " winners"
}

func conversions(n int64) string {
	if n == 1 {
		return "1 conversion"
	}
	return count(n) + " conversions"
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + " · " + b
}

// byArm makes a table with a row a key and a column an arm.
func (a *arms) byArm(t table, keys []string, value func(arm int, key string) cell) table {
	for i := range a.readings {
		t.Columns = append(t.Columns, column{Title: a.name(i)})
	}
	for _, key := range keys {
		r := row{Heads: []head{{Text: key, Span: 1}}}
		for i := range a.readings {
			r.Cells = append(r.Cells, value(i, key))
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func (a *arms) coverage() table {
	return a.byArm(table{
		Caption: "Feature coverage of candidates",
		Note:    "Share of candidates with the family present and not default, among those whose auction lists it.",
		Columns: []column{{Title: "Family", Text: true}},
	}, a.keys(func(r *aggregator.Reading) []string { return slices.Collect(maps.Keys(r.Candidates.Coverage)) }),
		func(i int, family string) cell {
			c := &a.readings[i].Candidates
			return share(c.Estimates.Coverage[family], c.Coverage[family], a.control(i))
		})
}

func (a *arms) versions() table {
	return a.byArm(table{
		Caption: "Item embedding versions",
		Note:    "Share of scored pairs by the version of the item's embedding.",
		Columns: []column{{Title: "Version", Text: true}},
	}, a.keys(func(r *aggregator.Reading) []string {
		return slices.Collect(maps.Keys(r.Candidates.ItemEmbeddingVersions))
	}),
		func(i int, version string) cell {
			c := &a.readings[i].Candidates
			return share(c.Estimates.ItemEmbeddingVersions[version], c.ItemEmbeddingVersions[version], a.control(i))
		})
}

// stages is in the order of the funnel: what is farther down has fewer.
func (a *arms) stages() table {
	keys := a.keys(func(r *aggregator.Reading) []string { return slices.Collect(maps.Keys(r.Candidates.Stages)) })
	reached := func(stage string) (n int64) {
		for i := range a.readings {
			n += a.readings[i].Candidates.Stages[stage]
		}
		return n
	}
	slices.SortStableFunc(keys, func(x, y string) int { return cmp.Compare(reached(y), reached(x)) })
	return a.byArm(table{
		Caption: "Funnel",
		Note:    "Candidates that reached the stage.",
		Columns: []column{{Title: "Stage", Text: true}},
	}, keys, func(i int, stage string) cell { return counted(a.readings[i].Candidates.Stages[stage]) })
}

func (a *arms) serving() table {
	t := table{
		Caption: "Serving",
		Columns: []column{
			{Title: "Tower", Text: true}, {Title: "Arm", Text: true},
			{Title: "Success"}, {Title: "Timeout"}, {Title: "p50"}, {Title: "p90"}, {Title: "p99"},
		},
	}
	for _, tower := range a.keys(func(r *aggregator.Reading) []string { return slices.Collect(maps.Keys(r.Serving)) }) {
		for i := range a.readings {
			s := a.readings[i].Serving[tower]
			e := &s.Estimates
			arm := a.headOf(i)
			r := row{Heads: []head{{Text: tower}, arm}, Cells: []cell{
				estimated(e.SuccessRatio, s.SuccessRatio, percent, of(e.SuccessRatio)),
				estimated(e.TimeoutRatio, s.TimeoutRatio, percent, of(e.TimeoutRatio)),
			}}
			for _, q := range []string{"0.5", "0.9", "0.99"} {
				r.Cells = append(r.Cells, estimated(e.LatencyUs[q], s.LatencyUs[q], milliseconds, of(e.LatencyUs[q])))
			}
			if i == 0 {
				r.Heads[0].Span = len(a.readings)
			}
			t.Rows = append(t.Rows, r)
		}
	}
	return t
}

// keys is what any arm has, sorted.
func (a *arms) keys(of func(*aggregator.Reading) []string) []string {
	var all []string
	for i := range a.readings {
		all = append(all, of(&a.readings[i])...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
