package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api/exposition"
	"github.com/rampgauge/rampgauge/internal/api/page"
)

// pageStatusTimeout bounds how long a page waits for the pipeline: a page with
// an unknown lag is better than none.
const pageStatusTimeout = 2 * time.Second

// maxRefreshSeconds is the longest time between refreshes that a page takes.
const maxRefreshSeconds = 3600

func (s *Server) health(ctx context.Context) page.Health {
	ctx, cancel := context.WithTimeout(ctx, pageStatusTimeout)
	defer cancel()
	// An error means that the lag could not be asked for; the counts still hold.
	st, err := s.opts.Pipeline.Status(ctx)
	return page.Health{
		Ready:         s.opts.Pipeline.Ready(),
		NewestMs:      s.opts.Merged.NewestMs(),
		Status:        st,
		LagUnknown:    err != nil,
		SeriesDropped: s.opts.Merged.SeriesDropped(),
	}
}

// parseRefresh reads after how many seconds a page shall load itself again; 0:
// never.
func parseRefresh(r *http.Request) (int, error) {
	text := r.FormValue("refresh")
	if text == "" {
		return 0, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 1 || v > maxRefreshSeconds {
		return 0, badRequest("refresh: %q is not a number of seconds from 1 to %d", text, maxRefreshSeconds)
	}
	return v, nil
}

func (s *Server) overviewPage(w http.ResponseWriter, r *http.Request) {
	refresh, err := parseRefresh(r)
	if err != nil {
		s.errorPage(w, err)
		return
	}
	o := page.Overview{Health: s.health(r.Context()), RefreshSeconds: refresh}
	for _, e := range s.catalogue() {
		sum, err := s.read(aggregator.Query{Experiment: e.Name})
		if err != nil {
			s.errorPage(w, err)
			return
		}
		o.Experiments = append(o.Experiments, page.Experiment{
			Experiment: e.Experiment, Control: e.control, AttributionWindow: exposition.FormatWindow(s.opts.AttributionWindow), Summary: sum,
		})
	}
	html, err := s.pages.Overview(&o)
	s.writePage(w, http.StatusOK, html, err)
}

func (s *Server) experimentPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.detail(r)
	if err != nil {
		s.errorPage(w, err)
		return
	}
	html, err := s.pages.Detail(d)
	s.writePage(w, http.StatusOK, html, err)
}

func (s *Server) detail(r *http.Request) (*page.Detail, error) {
	if err := allowParams(r, append([]string{"slice", "refresh"}, filters...)...); err != nil {
		return nil, err
	}
	refresh, err := parseRefresh(r)
	if err != nil {
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
	e := page.Experiment{
		Experiment:        aggregator.Experiment{Name: q.Experiment},
		Control:           DefaultControl,
		AttributionWindow: exposition.FormatWindow(s.opts.AttributionWindow),
		Summary:           sum,
		Slices:            s.opts.Merged.Slices(q.Experiment),
		Query:             q,
	}
	e.RampSteps = s.opts.Merged.RampSteps(q.Experiment)
	for _, c := range s.catalogue() {
		if c.Name == q.Experiment {
			e.Experiment, e.Control = c.Experiment, c.control
		}
	}
	return &page.Detail{Health: s.health(r.Context()), Experiment: e, RefreshSeconds: refresh}, nil
}

func (s *Server) errorPage(w http.ResponseWriter, err error) {
	status := statusOf(err)
	html, renderErr := s.pages.Error(status, err.Error())
	s.writePage(w, status, html, renderErr)
}

func (s *Server) writePage(w http.ResponseWriter, status int, html []byte, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(html)
}
