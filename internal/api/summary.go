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
}

type armSummaryJSON struct {
	RampPercents []float64 `json:"ramp_percents"`
	aggregator.Reading
	Slices []sliceJSON `json:"slices"`
}

type sliceJSON struct {
	Labels map[string]string `json:"labels"`
	aggregator.Reading
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
	return makeSummary(q.Experiment, sum), nil
}

func makeSummary(experiment string, sum *aggregator.Summary) summaryJSON {
	out := summaryJSON{Experiment: experiment, FromMs: sum.FromMs, ToMs: sum.ToMs, Arms: map[string]armSummaryJSON{}, DelayCurves: makeDelayCurves(sum.Curves)}
	for _, a := range sum.Arms {
		arm := armSummaryJSON{RampPercents: a.RampPercents, Reading: a.Total.Read(sum.Curves), Slices: []sliceJSON{}}
		if arm.RampPercents == nil {
			arm.RampPercents = []float64{}
		}
		for _, row := range a.Slices {
			labels := map[string]string{}
			for _, l := range row.Labels {
				labels[l.Name] = l.Value
			}
			arm.Slices = append(arm.Slices, sliceJSON{labels, row.Sums.Read(sum.Curves)})
		}
		out.Arms[a.Arm] = arm
	}
	return out
}
