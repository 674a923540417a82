package api

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rampgauge/rampgauge/alerts/diagnosis"
)

// gateJSON is the answer about the arm whose decision weighs most.
type gateJSON struct {
	Experiment string `json:"experiment"`
	Control    string `json:"control"`
	diagnosis.Gate
	// Arms are the decisions about all arms that were asked for.
	Arms []armGateJSON `json:"arms"`
}

type armGateJSON struct {
	Arm      string             `json:"arm"`
	Decision diagnosis.Decision `json:"decision"`
}

// maxHookBytes bounds what a webhook may send; nothing in it is used.
const maxHookBytes = 1 << 20

// gateHandler answers GET with the decision, whichever it is, and POST with a
// status that only go makes a good one, for controllers that read no body.
func (s *Server) gateHandler() http.Handler {
	get := s.query(func(r *http.Request) (any, error) { return s.gate(r) })
	post := s.hook(map[diagnosis.Decision]int{
		diagnosis.Go:   http.StatusOK,
		diagnosis.Wait: http.StatusTooEarly,
	})
	return allow(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			post.ServeHTTP(w, r)
			return
		}
		get.ServeHTTP(w, r)
	}), http.MethodGet, http.MethodHead, http.MethodPost)
}

// rollbackHandler answers POST with 200 where the decision is to roll back, for
// controllers that ask whether they should: to them a good status means yes.
func (s *Server) rollbackHandler() http.Handler {
	return allow(s.hook(map[diagnosis.Decision]int{diagnosis.Rollback: http.StatusOK}), http.MethodPost)
}

// hook answers with the status of the decision, 409 for those that have none.
func (s *Server) hook(status map[diagnosis.Decision]int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What is left unread would cost the connection.
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxHookBytes))
		g, err := s.gate(r)
		if err != nil {
			writeError(w, err)
			return
		}
		code, ok := status[g.Decision]
		if !ok {
			code = http.StatusConflict
		}
		writeJSON(w, code, g)
	})
}

// gate decides about one arm, or about the worst of all.
func (s *Server) gate(r *http.Request) (*gateJSON, error) {
	if err := allowParams(r, "arm", "ramp_percent"); err != nil {
		return nil, err
	}
	at, err := gatePercent(r)
	if err != nil {
		return nil, err
	}
	name, arm := r.PathValue("experiment"), r.URL.Query().Get("arm")
	e, err := s.evidence(r.Context(), name, arm)
	if err != nil {
		return nil, err
	}
	if arm != "" {
		if arm == e.Control {
			return nil, badRequest("arm: %q is the control arm, which the others are compared with", arm)
		}
		if len(e.Arms) == 0 {
			return nil, notFound("experiment %q has no arm %q; it has %s", name, arm, strings.Join(s.armsOf(name), ", "))
		}
	}
	e.AtPercent = at
	gates := diagnosis.Decide(e, s.opts.Guardrails(name))
	out := &gateJSON{Experiment: name, Control: e.Control, Gate: diagnosis.Worst(gates), Arms: []armGateJSON{}}
	for _, g := range gates {
		if g.Arm != "" {
			out.Arms = append(out.Arms, armGateJSON{g.Arm, g.Decision})
		}
	}
	return out, nil
}

// gatePercent is the share that whoever asks takes for in force, nil without any.
// The body of a POST has no part in it.
func gatePercent(r *http.Request) (*float64, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("query: %w", err)
	}
	text := q.Get("ramp_percent")
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > 100 {
		return nil, badRequest("ramp_percent: %q is not a number from 0 to 100", text)
	}
	return &v, nil
}

// armsOf names the arms of an experiment that have been seen.
func (s *Server) armsOf(experiment string) []string {
	var out []string
	for _, e := range s.opts.Merged.Experiments() {
		if e.Name == experiment {
			for _, a := range e.Arms {
				out = append(out, fmt.Sprintf("%q", a.Name))
			}
		}
	}
	if out == nil {
		out = []string{"none yet"}
	}
	return out
}
