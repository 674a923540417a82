package api

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/rampgauge/rampgauge/aggregator"
)

// catalogued is one experiment that is reported: configured, seen or both.
type catalogued struct {
	aggregator.Experiment
	control string
}

// catalogue lists the experiments to report, by name. Configured ones are there
// before their first auction: an owner who looks for one should find it waiting.
func (s *Server) catalogue() []catalogued {
	configured := s.opts.Experiments()
	seen := s.opts.Merged.Experiments()
	var out []catalogued
	if len(configured) == 0 {
		for _, e := range seen {
			out = append(out, catalogued{e, DefaultControl})
		}
		return out
	}
	for _, c := range configured {
		e := aggregator.Experiment{Name: c.Name}
		if i := slices.IndexFunc(seen, func(e aggregator.Experiment) bool { return e.Name == c.Name }); i >= 0 {
			e = seen[i]
		}
		out = append(out, catalogued{e, controlOf(c)})
	}
	slices.SortFunc(out, func(a, b catalogued) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func controlOf(c Experiment) string {
	if c.Control == "" {
		return DefaultControl
	}
	return c.Control
}

// controlOf is the name of an experiment's control arm.
func (s *Server) controlOf(experiment string) string {
	for _, c := range s.opts.Experiments() {
		if c.Name == experiment {
			return controlOf(c)
		}
	}
	return DefaultControl
}

// reported says whether the configuration reports an experiment, and whether it
// names it.
func (s *Server) reported(name string) (reported, named bool) {
	configured := s.opts.Experiments()
	named = slices.ContainsFunc(configured, func(c Experiment) bool { return c.Name == name })
	return named || len(configured) == 0, named
}

// windows is the sums to export: those of the experiments that are reported, as
// far as this instance is the one that exports them.
func (s *Server) windows() []aggregator.WindowSums {
	configured := s.opts.Experiments()
	return s.opts.Merged.WindowsOf(func(name string) bool {
		return s.opts.Owned(name) &&
			(len(configured) == 0 || slices.ContainsFunc(configured, func(c Experiment) bool { return c.Name == name }))
	})
}

// read answers a query, knowing experiments that are configured but not seen.
func (s *Server) read(q aggregator.Query) (*aggregator.Summary, error) {
	reported, named := s.reported(q.Experiment)
	if !reported {
		return nil, notReported(q.Experiment)
	}
	sum, err := s.opts.Merged.Summary(q)
	if named && errors.Is(err, aggregator.ErrUnknownExperiment) {
		return &aggregator.Summary{}, nil
	}
	return sum, err
}

func notReported(experiment string) error {
	return notFound("experiment %q: it is not among the configured experiments: %w", experiment, aggregator.ErrUnknownExperiment)
}

type experimentsJSON struct {
	Experiments []experimentJSON `json:"experiments"`
}

type experimentJSON struct {
	Name         string    `json:"name"`
	Control      string    `json:"control"`
	Arms         []armJSON `json:"arms"`
	FirstEventMs int64     `json:"first_event_ms"`
	LastEventMs  int64     `json:"last_event_ms"`
}

type armJSON struct {
	Arm         string  `json:"arm"`
	RampPercent float64 `json:"ramp_percent"`
	SinceMs     int64   `json:"since_ms"`
}

func (s *Server) experiments(r *http.Request) (any, error) {
	if err := allowParams(r); err != nil {
		return nil, err
	}
	out := experimentsJSON{Experiments: []experimentJSON{}}
	for _, e := range s.catalogue() {
		j := experimentJSON{Name: e.Name, Control: e.control, Arms: []armJSON{}, FirstEventMs: e.FirstMs, LastEventMs: e.LastMs}
		for _, a := range e.Arms {
			j.Arms = append(j.Arms, armJSON{a.Name, a.RampPercent, a.SinceMs})
		}
		out.Experiments = append(out.Experiments, j)
	}
	return out, nil
}
