package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api/page"
)

// problem is an error with the HTTP status that it is answered with.
type problem struct {
	status int
	err    error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &problem{http.StatusNotFound, fmt.Errorf(format, args...)}
}

// statusOf is the status that err is answered with.
func statusOf(err error) int {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p.status
	case errors.Is(err, aggregator.ErrUnknownExperiment), errors.Is(err, aggregator.ErrSliceNotKept):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

func (s *Server) routes(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v1/status", s.query(s.status))
	mux.Handle("/api/v1/status/config", s.query(s.config))
	mux.Handle("/api/v1/experiments", s.query(s.experiments))
	mux.Handle("/api/v1/experiments/{experiment}/summary", s.query(s.summary))
	mux.Handle("/api/v1/experiments/{experiment}/series", s.query(s.series))
	mux.Handle("/api/v1/experiments/{experiment}/gate", s.gateHandler())
	mux.Handle("/api/v1/experiments/{experiment}/gate/rollback", s.rollbackHandler())
	mux.Handle("/api/v1/alerts", s.query(s.alerts))
	mux.Handle("/-/healthy", allow(http.HandlerFunc(s.healthy), http.MethodGet, http.MethodHead))
	mux.Handle("/-/ready", allow(http.HandlerFunc(s.ready), http.MethodGet, http.MethodHead))
	mux.Handle("/-/reload", allow(http.HandlerFunc(s.reload), http.MethodPost))
	mux.Handle("/metrics", allow(metrics, http.MethodGet, http.MethodHead))
	mux.Handle("/{$}", allow(http.HandlerFunc(s.overviewPage), http.MethodGet, http.MethodHead))
	mux.Handle("/experiments/{experiment}", allow(http.HandlerFunc(s.experimentPage), http.MethodGet, http.MethodHead))
	mux.Handle(page.StylePath, allow(http.HandlerFunc(s.pages.Style), http.MethodGet, http.MethodHead))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		err := notFound("path %q: there is nothing here", r.URL.Path)
		if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/-/") {
			writeError(w, err)
			return
		}
		s.errorPage(w, err)
	})
	return secured(mux)
}

// secured sets the headers that every answer carries. Nothing that rampgauge
// serves runs scripts, is framed, or loads anything from elsewhere.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// allow answers 405 to every other method.
func allow(next http.Handler, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range methods {
			if r.Method == m {
				next.ServeHTTP(w, r)
				return
			}
		}
		allowed := strings.Join(methods, ", ")
		w.Header().Set("Allow", allowed)
		writeError(w, &problem{http.StatusMethodNotAllowed, fmt.Errorf("method %s: %s takes %s", r.Method, r.URL.Path, allowed)})
	})
}

// query makes a handler of a function that answers a GET request with a value.
func (s *Server) query(answer func(*http.Request) (any, error)) http.Handler {
	return allow(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := answer(r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, v)
	}), http.MethodGet, http.MethodHead)
}

func writeError(w http.ResponseWriter, err error) {
	writeJSON(w, statusOf(err), struct {
		Error string `json:"error"`
	}{err.Error()})
}

// writeJSON encodes before it sends, so that a value that cannot be encoded is
// an error to the client and not half an answer.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		b.Reset()
		status = http.StatusInternalServerError
		fmt.Fprintf(&b, "{\"error\":%q}\n", "encode the answer: "+err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A client that has gone needs no answer.
	_, _ = w.Write(b.Bytes())
}
