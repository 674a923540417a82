package api

import (
	"net/http"

	"github.com/rampgauge/rampgauge/aggregator"
)

type summaryJSON struct {
	Experiment string                    `json:"experiment"`
	FromMs     int64                     `json:"from_ms"`
	ToMs       int64                     `json:"to_ms"`
	Arms       map[string]armSummaryJSON `json:"arms"`
	// DelayCurves are of the whole experiment, whatever narrows the rest.
	DelayCurves []typeCurveJSON `json:"delay_curves"`
	// Reliability is about the winners of the arms' totals.
	Reliability aggregator.Reliability `json:"reliability"`
}

type armSummaryJSON struct {
	RampPercents []float64 `json:"ramp_percents"`
	aggregator.Reading
	// VersusControl is absent in the control arm, and where there is none.
	VersusControl *aggregator.Comparison `json:"versus_control,omitempty"`
	Slices        []sliceJSON            `json:"slices"`
}

type sliceJSON struct {
	Labels map[string]string `json:"labels"`
	aggregator.Reading
	VersusControl *aggregator.Comparison `json:"versus_control,omitempty"`
}

func (s *Server) summary(r *http.Request) (any, error) {
	if err := allowParams(r, append([]string{"slice"}, filters...)...); err != nil {
		return nil, err
	}
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	sum, err := s.read(q)
	if err != nil {
		return nil, err
	}
	return makeSummary(q.Experiment, s.controlOf(q.Experiment), sum), nil
}

func makeSummary(experiment, control string, sum *aggregator.Summary) summaryJSON {
	out := summaryJSON{Experiment: experiment, FromMs: sum.FromMs, ToMs: sum.ToMs, Arms: map[string]armSummaryJSON{}, DelayCurves: makeDelayCurves(sum.Curves), Reliability: sum.Reliability()}
	controls := makeBeside(control, sum)
	for _, a := range sum.Arms {
		arm := armSummaryJSON{RampPercents: a.RampPercents, Reading: a.Total.Read(sum.Curves), Slices: []sliceJSON{}}
		if arm.RampPercents == nil {
			arm.RampPercents = []float64{}
		}
		arm.VersusControl = controls.compare(a.Arm, "", a.Total, &arm.Reading)
		for _, row := range a.Slices {
			labels := map[string]string{}
			for _, l := range row.Labels {
				labels[l.Name] = l.Value
			}
			slice := sliceJSON{Labels: labels, Reading: row.Sums.Read(sum.Curves)}
			slice.VersusControl = controls.compare(a.Arm, aggregator.MakeLabels(row.Labels), row.Sums, &slice.Reading)
			arm.Slices = append(arm.Slices, slice)
		}
		out.Arms[a.Arm] = arm
	}
	return out
}

// beside compares arms with the control arm, the whole with the whole and each
// slice with its own.
type beside struct {
	control string
	sums    map[aggregator.Labels]*aggregator.Sums
	read    map[aggregator.Labels]*aggregator.Reading
	curves  *aggregator.Curves
}

func makeBeside(control string, sum *aggregator.Summary) *beside {
	b := &beside{control, map[aggregator.Labels]*aggregator.Sums{}, map[aggregator.Labels]*aggregator.Reading{}, sum.Curves}
	for i := range sum.Arms {
		if a := &sum.Arms[i]; a.Arm == control {
			b.sums[""] = a.Total
			for _, row := range a.Slices {
				b.sums[aggregator.MakeLabels(row.Labels)] = row.Sums
			}
		}
	}
	return b
}

// compare returns nil where there is nothing to compare with.
func (b *beside) compare(arm string, slice aggregator.Labels, sums *aggregator.Sums, r *aggregator.Reading) *aggregator.Comparison {
	control := b.sums[slice]
	if arm == b.control || control == nil {
		return nil
	}
	if b.read[slice] == nil {
		controls := control.Read(b.curves)
		b.read[slice] = &controls
	}
	c := sums.Compare(control, r, b.read[slice])
	return &c
}
