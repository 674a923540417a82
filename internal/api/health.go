package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) { say(w, "rampgauge is healthy.\n") }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if !s.opts.Pipeline.Ready() {
		writeError(w, &problem{http.StatusServiceUnavailable,
			errors.New("not ready: partitions are not assigned, or their state is not restored yet")})
		return
	}
	say(w, "rampgauge is ready.\n")
}

func say(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, text)
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	// Any web page can make a browser post here.
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		writeError(w, &problem{http.StatusForbidden, fmt.Errorf("reload: %w", err)})
		return
	}
	if s.opts.Reload == nil {
		writeError(w, &problem{http.StatusNotImplemented, errors.New("reload: this command has no configuration to reload")})
		return
	}
	if err := s.opts.Reload(); err != nil {
		writeError(w, fmt.Errorf("reload: %w", err))
		return
	}
	say(w, "reloaded\n")
}

// statusJSON is the answer of /api/v1/status.
type statusJSON struct {
	CaughtUp      bool        `json:"caught_up"`
	LagRecords    int64       `json:"lag_records"`
	WatermarkMs   int64       `json:"watermark_ms"`
	Records       streamsJSON `json:"records"`
	SeriesDropped int64       `json:"series_dropped"`
	Budgets       budgetsJSON `json:"budgets"`
	Instance      string      `json:"instance"`
	Version       string      `json:"version"`
}

type budgetsJSON struct {
	JoinMemoryBytes int64 `json:"join_memory_bytes"`
	StateDiskBytes  int64 `json:"state_disk_bytes"`
	OverDisk        bool  `json:"over_disk"` // reading waits for room
}

type streamsJSON struct {
	Predictions countsJSON        `json:"predictions"`
	Impressions outcomeCountsJSON `json:"impressions"`
	Conversions outcomeCountsJSON `json:"conversions"`
}

type countsJSON struct {
	Consumed    int64            `json:"consumed"`
	Duplicate   int64            `json:"duplicate"`
	Dead        int64            `json:"dead"`
	Conflicting int64            `json:"conflicting"`
	Late        int64            `json:"late"`
	DeadBy      map[string]int64 `json:"dead_by"` // reasons that occurred
}

// outcomeCountsJSON is for the streams whose records wait for another one.
type outcomeCountsJSON struct {
	countsJSON
	Unmatched   int64            `json:"unmatched"`
	UnmatchedBy map[string]int64 `json:"unmatched_by"`
	Outside     int64            `json:"outside"`
	Waiting     int64            `json:"waiting"`
}

func makeCounts(c *telemetry.StreamCounts) countsJSON {
	deadBy := map[string]int64{}
	for r, n := range c.DeadBy {
		if n != 0 {
			deadBy[event.Reason(r).String()] = n
		}
	}
	return countsJSON{c.Consumed, c.Duplicate, c.Dead, c.Conflicting, c.Late, deadBy}
}

func makeOutcomeCounts(s event.Stream, c *telemetry.StreamCounts) outcomeCountsJSON {
	unmatchedBy := map[string]int64{}
	for w := range telemetry.NumWhys {
		if w.Stream() == s {
			unmatchedBy[w.String()] = c.UnmatchedBy[w]
		}
	}
	return outcomeCountsJSON{makeCounts(c), c.Unmatched, unmatchedBy, c.Outside, c.Waiting}
}

func (s *Server) status(r *http.Request) (any, error) {
	if err := allowParams(r); err != nil {
		return nil, err
	}
	st, err := s.opts.Pipeline.Status(r.Context())
	if err != nil {
		return nil, &problem{http.StatusServiceUnavailable, fmt.Errorf("status: %w", err)}
	}
	return statusJSON{
		CaughtUp:    st.CaughtUp,
		LagRecords:  st.LagRecords,
		WatermarkMs: st.WatermarkMs,
		Records: streamsJSON{
			Predictions: makeCounts(&st.Streams[event.Predictions]),
			Impressions: makeOutcomeCounts(event.Impressions, &st.Streams[event.Impressions]),
			Conversions: makeOutcomeCounts(event.Conversions, &st.Streams[event.Conversions]),
		},
		SeriesDropped: s.opts.Merged.SeriesDropped(),
		Budgets:       budgetsJSON{st.Budgets.JoinMemory, st.Budgets.StateDisk, st.Budgets.OverDisk},
		Instance:      s.opts.Instance,
		Version:       s.opts.Version,
	}, nil
}

func (s *Server) config(r *http.Request) (any, error) {
	if err := allowParams(r); err != nil {
		return nil, err
	}
	if s.opts.Config == nil {
		return nil, notFound("status/config: this command runs without a configuration")
	}
	yaml, err := s.opts.Config()
	if err != nil {
		return nil, fmt.Errorf("status/config: %w", err)
	}
	return struct {
		YAML string `json:"yaml"`
	}{string(yaml)}, nil
}
