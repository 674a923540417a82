package page

import (
	"slices"
	"strconv"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// state is a word, a shape and a colour for how far something is. There is no
// colour for good: this page reports numbers and gives no verdict on them.
type state struct {
	Kind string // class name: waiting, measuring, current, behind
	Mark string
	Text string
}

func waiting(why string) *state { return &state{"waiting", "◌", "waiting: " + why} }

// armState says whether an arm's numbers say anything yet.
func armState(r *aggregator.Reading) *state {
	switch {
	case r.Candidates.Count == 0 && r.Winners.Count == 0:
		return waiting("no candidates yet")
	case r.Winners.Count == 0:
		return waiting("no winners yet")
	case r.Winners.Conversions == 0:
		return waiting("no conversions yet")
	case r.Winners.Estimates.LabelMaturity.Status == stats.Immature:
		return waiting("labels too young")
	}
	return &state{"measuring", "●", "measuring"}
}

// experimentState is the state of the arm that is least far.
func experimentState(e *Experiment, readings []aggregator.Reading) *state {
	isControl := func(a aggregator.ArmSums) bool { return a.Arm == e.Control }
	switch {
	case len(e.Summary.Arms) == 0:
		return waiting("no auction yet")
	case !slices.ContainsFunc(e.Summary.Arms, isControl):
		return waiting("no auction of control arm " + strconv.Quote(e.Control))
	case len(e.Summary.Arms) == 1:
		return waiting("no auction of another arm than " + strconv.Quote(e.Control))
	}
	for i := range readings {
		if s := armState(&readings[i]); s.Kind == "waiting" {
			return &state{s.Kind, s.Mark, s.Text + " in " + e.Summary.Arms[i].Arm}
		}
	}
	return &state{"measuring", "●", "measuring"}
}

// freshness says how far the numbers reach.
func freshness(h *Health) *state {
	switch {
	case !h.Ready:
		return waiting("partitions are being assigned and restored")
	case h.LagUnknown:
		return &state{"behind", "▲", "lag unknown: the brokers do not answer"}
	case !h.Status.CaughtUp && h.Status.LagRecords > 0:
		return &state{"behind", "▲", count(h.Status.LagRecords) + " records behind"}
	case !h.Status.CaughtUp:
		return &state{"behind", "▲", "catching up"}
	case h.NewestMs == 0:
		return waiting("no event yet")
	}
	return &state{"current", "●", "caught up"}
}

// streams is the table of the pipeline.
func streams(h *Health) table {
	t := table{
		Caption: "Records",
		Note:    "Consumed counts every record; the other columns say what became of a part of them.",
		Columns: []column{
			{Title: "Stream", Text: true}, {Title: "Consumed"},
			{Title: "Duplicate", Meaning: "Seen before with the same content."},
			{Title: "Conflicting", Meaning: "One id with different content: one of them counts."},
			{Title: "Dead", Meaning: "Refused, and sent to the dead letters with the reason."},
			{Title: "Late", Meaning: "Older than what the join remembers: could be a duplicate, so left out."},
			{Title: "Outside", Meaning: "Conversions outside the attribution window, or of a type that is not counted."},
			{Title: "Waiting", Meaning: "May still find the record that they belong to."},
			{Title: "Unmatched", Meaning: "The horizon passed without the record that they belong to."},
		},
	}
	for s := range event.NumStreams {
		c := &h.Status.Streams[s]
		r := row{Heads: []head{{Text: s.String(), Span: 1}}, Cells: []cell{
			counted(c.Consumed), counted(c.Duplicate), counted(c.Conflicting), counted(c.Dead), counted(c.Late)}}
		if s == event.Conversions {
			r.Cells = append(r.Cells, counted(c.Outside))
		} else {
			r.Cells = append(r.Cells, cell{Text: "–"})
		}
		if s == event.Predictions {
			r.Cells = append(r.Cells, cell{Text: "–"}, cell{Text: "–"})
		} else {
			unmatched := counted(c.Unmatched)
			if v, ok := c.UnmatchedRatio(); ok {
				unmatched.N = percent(v) + " of the settled"
			}
			r.Cells = append(r.Cells, counted(c.Waiting), unmatched)
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}
