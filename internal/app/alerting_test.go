package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// Nobody is told of experiments that the configuration does not report.
func TestReported(t *testing.T) {
	all := []aggregator.Experiment{{Name: "l1"}, {Name: "l2"}, {Name: "l3"}}
	for _, tc := range []struct {
		listed []config.Experiment
		want   []string
	}{
		{nil, []string{"l1", "l2", "l3"}},
		{[]config.Experiment{{Name: "l3"}, {Name: "l1"}, {Name: "l9"}}, []string{"l1", "l3"}},
	} {
		s := newSettings(&Options{Config: config.Config{Experiments: tc.listed}})
		if d := cmp.Diff(tc.want, s.reported(all)); d != "" {
			t.Errorf("%v (-want +got):\n%s", tc.listed, d)
		}
	}
}

func TestClaimExperiment(t *testing.T) {
	c := newTestCores(t, t.TempDir())
	if _, err := c.claimExperiment(t.Context(), "x", 0); !errors.Is(err, errNotHere) || !strings.Contains(err.Error(), `experiment "x"`) {
		t.Errorf("claim of a partition that is not open: %v", err)
	}
	errAsked := errors.New("asked")
	var answer error
	c.open[0] = &opened{generation: 7, current: func(_ context.Context, next [event.NumStreams]int64) error {
		if next != [event.NumStreams]int64{-1, -1, -1} {
			t.Errorf("offsets %v are written from another goroutine than the worker's", next)
		}
		return answer
	}}
	const incarnation = 1 << generationBits
	for _, tc := range []struct{ seen, want uint64 }{
		{0, 7}, {7, 7}, {3, 7}, {9, incarnation + 7}, {incarnation + 7, incarnation + 7}, {incarnation + 8, 2*incarnation + 7},
	} {
		got, err := c.claimExperiment(t.Context(), "x", tc.seen)
		if err != nil || got != tc.want {
			t.Errorf("claim after epoch %d: %d, %v; want %d", tc.seen, got, err, tc.want)
		}
	}
	answer = errAsked
	if _, err := c.claimExperiment(t.Context(), "x", 0); !errors.Is(err, errAsked) {
		t.Errorf("claim of a seat that is gone: %v, want what the group says", err)
	}
}

// An experiment has no data when its auctions stop, not when nobody reads them.
func TestHealthOfAnExperiment(t *testing.T) {
	c := newTestCores(t, t.TempDir())
	now, lag := time.UnixMilli(1_800_000_000_000), int64(0)
	c.pipeline.now = func() time.Time { return now }
	h := health{pipeline: c.pipeline, merged: c.merged, lag: func() int64 { return lag }}
	if got := h.of("x"); got.NewestMs != 0 {
		t.Errorf("newest %d before the first event, want 0", got.NewestMs)
	}
	p := aggregator.NewPartition(aggregatorOptions(&c.o.Config, false))
	e := &event.Prediction{EventTimeMs: now.UnixMilli() - 500, Assignments: []event.Assignment{{Experiment: []byte("x"), Arm: []byte("control"), RampPercent: 50}}}
	e.Candidates = event.Candidates{ItemIDs: []uint64{1}, Predictions: []float32{0.5}}
	p.Observe(e.EventTimeMs)
	p.Candidates(p.Route(e), e, 1, true)
	c.merged.Publish(0, p.NewestMs(), p.Flush())
	for _, tc := range []struct {
		name string
		wait time.Duration
		lag  int64
		want int64
	}{
		{"at once it is as it was looked up", 0, 0, 0},
		{"a second later", time.Second, 0, e.EventTimeMs},
		{"with records on their way", 0, 1000, e.EventTimeMs},
		{"an hour later, all read", time.Hour, 0, e.EventTimeMs},
		{"an hour later, with records to be read", 0, 1, 0},
	} {
		now, lag = now.Add(tc.wait), tc.lag
		if got := h.of("x"); got.NewestMs != tc.want {
			t.Errorf("%s: newest %d, want %d", tc.name, got.NewestMs, tc.want)
		}
	}
}

func TestHealthOfTheService(t *testing.T) {
	c := newTestCores(t, t.TempDir())
	now := time.UnixMilli(1_800_000_000_000)
	c.pipeline.now = func() time.Time { return now }
	h := health{pipeline: c.pipeline, merged: c.merged, lag: func() int64 { return 12 }}
	report := func(source int32, consumed, unmatched int64) {
		var r partition.Report
		r.Consumed[event.Conversions] = consumed
		r.Join.Streams[event.Conversions].Unmatched = unmatched
		c.pipeline.report(source, r)
	}
	var r partition.Report
	r.Consumed[event.Conversions] = 1e6 // counted elsewhere, before
	r.Join.Streams[event.Conversions].Unmatched = 1e6
	c.pipeline.begin(0, r)
	if got := h.of(""); got.Progressing || got.LagRecords != 12 || got.Unmatched != nil {
		t.Errorf("at first %+v, want a lag of 12 and nothing else", got)
	}
	report(0, 1e6+100, 1e6+10)
	if got := h.of(""); !got.Progressing || got.Unmatched != nil {
		t.Errorf("after 100 records %+v, want progress", got)
	}
	now = now.Add(20 * time.Second)
	if got := h.of(""); !got.Progressing {
		t.Error("20 s without a record are a standstill")
	}
	c.pipeline.begin(1, r) // a partition that comes from elsewhere
	report(1, 1e6+100, 1e6+20)
	c.pipeline.forget(0)
	now = now.Add(5 * time.Minute)
	got := h.of("")
	want := []alerts.Share{{Metric: alerts.MetricUnmatched, Key: "conversions", K: 30, N: 200, Clusters: 200}}
	if d := cmp.Diff(want, got.Unmatched); d != "" {
		t.Errorf("unmatched (-want +got):\n%s", d)
	}
	now = now.Add(time.Minute)
	if got := h.of(""); got.Progressing {
		t.Error("a minute without a record is progress")
	}
}

// What a dry run prints is what would be sent, and it counts as delivered.
func TestPreview(t *testing.T) {
	var out strings.Builder
	var done []uint64
	key := filepath.Join(t.TempDir(), "key")
	writeFile(t, key, strings.Repeat("0123456789abcdef", 2))
	cfg := config.Default()
	cfg.Alerts.Receivers = []config.Receiver{{Name: "pager", PagerDuty: &config.PagerDuty{RoutingKeyFile: key, URL: "http://127.0.0.1:1", RatePerMinute: 55}}}
	o := &Options{Config: cfg, DryRun: &out, Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	box, err := newOutbox(o, nil, func(n alerts.Notification) {
		done = append(done, n.Sequence)
		cancel()
	})
	if err != nil {
		t.Fatal(err)
	}
	n := alerts.Notification{Sequence: 3, Action: alerts.Trigger, Key: "rampgauge/x//breach", Experiment: "x", Severity: alerts.Critical, Summary: "x: breach", DecidedAt: time.UnixMilli(1)}
	if err := errors.Join(box.Adopt(n), box.Add(n), box.Run(ctx), box.Close()); err != nil {
		t.Fatal(err)
	}
	if len(done) != 1 || done[0] != 3 {
		t.Errorf("delivered: %v, want 3", done)
	}
	for _, want := range []string{"pager: POST http://127.0.0.1:1", `"dedup_key"`, "x: breach"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in what is printed:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "0123456789abcdef") {
		t.Errorf("a secret is printed:\n%s", out.String())
	}
}

// A reload takes new rules, and says what it cannot take.
func TestReloadKeepsReceivers(t *testing.T) {
	var logs strings.Builder
	s, path := loaded(t, &logs)
	told := 0
	s.changed = func() { told++ }
	text := "kafka: {brokers: [127.0.0.1:9092]}\nalerts: {rules: [{name: coverage-drop, disabled: true}], mode: %, page_url: \"http://127.0.0.1:8080\"}\n"
	writeFile(t, path, strings.Replace(text, "%", "off", 1))
	if err := s.reload(); err != nil {
		t.Fatal(err)
	}
	if told != 1 {
		t.Errorf("the engines were told %d times, want once", told)
	}
	now := s.current.Load().Alerts
	if len(now.Rules) != 1 || now.Mode != config.AlertsDirect || now.PageURL != "" {
		t.Errorf("in force: %+v, want the new rule and the mode of before", now)
	}
	if !strings.Contains(logs.String(), `keys="alerts.mode, alerts.page_url"`) {
		t.Errorf("the log does not name what stays:\n%s", logs.String())
	}
	for _, r := range s.engine("l1").Rules {
		if r.Name == "coverage-drop" && !r.Disabled {
			t.Error("the rule is still on")
		}
	}
}
