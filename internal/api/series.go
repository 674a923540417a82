package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

type seriesJSON struct {
	Experiment string                 `json:"experiment"`
	Metric     string                 `json:"metric"`
	StepMs     int64                  `json:"step_ms"`
	Arms       map[string][]pointJSON `json:"arms"`
	// N and Status are those of the points of Arms, in their order.
	N         map[string][]int64               `json:"n"`
	Status    map[string][]stats.Status        `json:"status"`
	RampSteps map[string][]aggregator.RampStep `json:"ramp_steps"`
}

// pointJSON is written as [t_ms, value, low, high].
type pointJSON struct {
	ms int64
	estimate
}

// MarshalJSON writes the point as an array.
func (p pointJSON) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{p.ms, p.value, p.low, p.high})
}

func (s *Server) series(r *http.Request) (any, error) {
	if err := allowParams(r, append([]string{"metric", "step"}, filters...)...); err != nil {
		return nil, err
	}
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	step, err := parseStep(r)
	if err != nil {
		return nil, err
	}
	m, err := parseMetric(r.FormValue("metric"))
	if err != nil {
		return nil, err
	}
	reported, named := s.reported(q.Experiment)
	if !reported {
		return nil, notReported(q.Experiment)
	}
	out := seriesJSON{
		Experiment: q.Experiment, Metric: m.path, StepMs: step.Milliseconds(), Arms: map[string][]pointJSON{},
		N: map[string][]int64{}, Status: map[string][]stats.Status{}, RampSteps: map[string][]aggregator.RampStep{},
	}
	series, err := s.opts.Merged.Series(q, step)
	if err != nil {
		if named && errors.Is(err, aggregator.ErrUnknownExperiment) {
			return out, nil
		}
		return nil, err
	}
	out.RampSteps = series.Ramp
	for arm, points := range series.Arms {
		list, n, status := make([]pointJSON, 0, len(points)), make([]int64, 0, len(points)), make([]stats.Status, 0, len(points))
		for _, p := range points {
			reading := p.Sums.Read(series.Curves)
			e := m.read(&reading)
			list, n, status = append(list, pointJSON{p.StartMs, e}), append(n, e.n), append(status, e.status)
		}
		out.Arms[arm], out.N[arm], out.Status[arm] = list, n, status
	}
	return out, nil
}
