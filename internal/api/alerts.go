package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/alerts"
)

type alertsJSON struct {
	Alerts []alerts.Alert `json:"alerts"`
}

// phases are those of an alert, in the order of their messages.
var phases = []alerts.Phase{alerts.Firing, alerts.Pending, alerts.Waiting, alerts.Resolved, alerts.Inactive}

// alerts answers with what fires and what is pending, or with what is in the
// phases asked for.
func (s *Server) alerts(r *http.Request) (any, error) {
	if err := allowParams(r, "experiment", "phase"); err != nil {
		return nil, err
	}
	if _, err := parseRaw(r); err != nil {
		return nil, err
	}
	want, err := parsePhases(r.FormValue("phase"))
	if err != nil {
		return nil, err
	}
	out := alertsJSON{Alerts: []alerts.Alert{}}
	experiment := r.FormValue("experiment")
	for _, a := range s.opts.Alerts() {
		if slices.Contains(want, a.Phase) && (experiment == "" || a.Experiment == experiment) {
			out.Alerts = append(out.Alerts, a)
		}
	}
	return out, nil
}

func parsePhases(text string) ([]alerts.Phase, error) {
	if text == "" {
		return []alerts.Phase{alerts.Firing, alerts.Pending}, nil
	}
	var out []alerts.Phase
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(phases, alerts.Phase(name)) {
			return nil, badRequest("phase: %q is no phase: some of %s, separated by commas", name, strings.Trim(fmt.Sprint(phases), "[]"))
		}
		out = append(out, alerts.Phase(name))
	}
	return out, nil
}

// ownAlerts are those to export: of experiments that this instance exports, and
// of the service.
func (s *Server) ownAlerts() []alerts.Alert {
	return slices.DeleteFunc(slices.Clone(s.opts.Alerts()), func(a alerts.Alert) bool {
		reported, _ := s.reported(a.Experiment)
		return a.Experiment != "" && (!reported || !s.opts.Owned(a.Experiment))
	})
}
