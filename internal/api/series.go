package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/rampgauge/rampgauge/aggregator"
)

type seriesJSON struct {
	Experiment string                 `json:"experiment"`
	Metric     string                 `json:"metric"`
	StepMs     int64                  `json:"step_ms"`
	Arms       map[string][]pointJSON `json:"arms"`
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
	arms, err := s.opts.Merged.Series(q, step)
	if err != nil && !(named && errors.Is(err, aggregator.ErrUnknownExperiment)) {
		return nil, err
	}
	out := seriesJSON{q.Experiment, m.path, step.Milliseconds(), map[string][]pointJSON{}}
	for arm, points := range arms {
		list := make([]pointJSON, 0, len(points))
		for _, p := range points {
			reading := p.Sums.Read()
			list = append(list, pointJSON{p.StartMs, m.read(&reading)})
		}
		out.Arms[arm] = list
	}
	return out, nil
}
