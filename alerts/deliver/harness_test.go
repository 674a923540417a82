package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty/pagerdutytest"
)

const routingKey = "0123456789abcdef0123456789abcdef"

// rig is an instance with an outbox, and who it has been told was delivered.
type rig struct {
	t    *testing.T
	opts Options
	box  *Outbox
	stop func()

	mu        sync.Mutex
	delivered []alerts.Notification
	log       strings.Builder
}

// newRig opens an outbox with these receivers, which get everything.
func newRig(t *testing.T, dir string, receivers ...Receiver) *rig {
	t.Helper()
	r := &rig{t: t, stop: func() {}}
	r.opts = Options{Dir: dir, Receivers: receivers, Delivered: r.heard, Logger: slog.New(slog.NewTextHandler(lockedWriter{r}, nil))}
	for _, c := range receivers {
		r.opts.Routes.Default = append(r.opts.Routes.Default, c.Name())
	}
	return r
}

type lockedWriter struct{ r *rig }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.r.log.Write(p)
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *rig) heard(n alerts.Notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delivered = append(r.delivered, n)
}

// told returns the sequences that Delivered was called with.
func (r *rig) told() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []uint64
	for _, n := range r.delivered {
		out = append(out, n.Sequence)
	}
	return out
}

func (r *rig) open() *rig {
	r.t.Helper()
	var err error
	if r.box, err = Open(r.opts); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// start runs the outbox until halt.
func (r *rig) start() *rig {
	r.t.Helper()
	if r.box == nil {
		r.open()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	box := r.box
	go func() {
		defer close(done)
		if err := box.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}()
	r.stop = func() {
		cancel()
		<-done
		if err := box.Close(); err != nil {
			r.t.Errorf("Close: %v", err)
		}
		r.box, r.stop = nil, func() {}
	}
	return r
}

// halt stops the outbox; what is on disk stays.
func (r *rig) halt() { r.stop() }

func (r *rig) add(ns ...alerts.Notification) {
	r.t.Helper()
	if err := r.box.Add(ns...); err != nil {
		r.t.Fatal(err)
	}
}

// passes lets time pass until everything has come to rest.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// pager is a PagerDuty receiver that calls the fake in memory.
func pager(t *testing.T, fake *pagerdutytest.Fake, edit ...func(*pagerduty.Options)) *pagerduty.Receiver {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(routingKey), 0o600); err != nil {
		t.Fatal(err)
	}
	o := pagerduty.Options{Name: "pager", RoutingKeyFile: file, Transport: fake.Transport()}
	for _, e := range edit {
		e(&o)
	}
	p, err := pagerduty.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// story writes notifications of one experiment, numbered as they come.
type story struct {
	experiment string
	sequence   uint64
}

func (s *story) tell(action alerts.Action, subject string, severity alerts.Severity) alerts.Notification {
	s.sequence++
	n := alerts.Notification{
		Sequence: s.sequence, Action: action, Key: alerts.Key(s.experiment, "treatment", "coverage-vs-control", subject),
		Experiment: s.experiment, Owner: "ads", Arm: "treatment", Rule: "coverage-vs-control", Subject: subject, Severity: severity,
		Summary: fmt.Sprintf("%s of %s: %s, number %d", action, s.experiment, subject, s.sequence), RampPercent: 20,
		AtMs: time.Now().UnixMilli(), DecidedAt: time.Now(),
	}
	if action == alerts.Change {
		n.Rule, n.Severity = "", ""
	}
	return n
}

func (s *story) fires(subject string) alerts.Notification {
	return s.tell(alerts.Trigger, subject, alerts.Critical)
}

func (s *story) resolves(subject string) alerts.Notification {
	return s.tell(alerts.Resolve, subject, alerts.Critical)
}

func (s *story) steps() alerts.Notification { return s.tell(alerts.Change, "ramp", "") }

// want holds the fake against a number of incidents, of which all have been
// resolved once, and of change events.
func want(t *testing.T, fake *pagerdutytest.Fake, incidents, changes int) {
	t.Helper()
	seen := map[string]bool{}
	for _, in := range fake.Incidents() {
		if in.Open || in.Resolves < 1 {
			t.Errorf("incident %s is open", in.DedupKey)
		}
		if seen[in.DedupKey] {
			t.Errorf("%s has paged twice", in.DedupKey)
		}
		seen[in.DedupKey] = true
	}
	if got := len(fake.Incidents()); got != incidents {
		t.Errorf("got %d incidents, want %d", got, incidents)
	}
	if got := len(fake.Changes()); got != changes {
		t.Errorf("got %d change events, want %d", got, changes)
	}
	if got := fake.Stray(); got != 0 {
		t.Errorf("%d resolves have come before their triggers", got)
	}
	if got := fake.Refusals(); len(got) > 0 {
		t.Errorf("refused: %q", got)
	}
	if got := fake.Most(routingKey); got > pagerdutytest.PerMinute {
		t.Errorf("%d calls within a minute, want at most %d", got, pagerdutytest.PerMinute)
	}
}
