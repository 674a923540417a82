//go:build alertmanager

package alertmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/deliver"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// group is what Alertmanager tells the receiver of its own.
type group struct {
	Status      string            `json:"status"`
	GroupLabels map[string]string `json:"groupLabels"`
	Alerts      []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Fingerprint string            `json:"fingerprint"`
		StartsAt    time.Time         `json:"startsAt"`
	} `json:"alerts"`
}

// told collects what comes out of Alertmanager.
type told struct {
	mu     sync.Mutex
	groups []group
}

func (c *told) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var g group
	if err := json.NewDecoder(r.Body).Decode(&g); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups = append(c.groups, g)
}

// last returns the newest state of each alert of an experiment, as it was
// grouped, and how many alerts its last group had.
func (c *told) last(experiment string) (states map[string]string, inGroup int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	states = map[string]string{}
	for _, g := range c.groups {
		if g.GroupLabels["experiment"] != experiment {
			continue
		}
		inGroup = len(g.Alerts)
		for _, a := range g.Alerts {
			states[a.Labels["subject"]] = a.Status
		}
	}
	return states, inGroup
}

const configuration = `
route:
  receiver: out
  group_by: [experiment]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: out
    webhook_configs:
      - url: %s
        send_resolved: true
`

// startAlertmanager returns the base of its API.
func startAlertmanager(t *testing.T, out string) string {
	t.Helper()
	binary := os.Getenv("ALERTMANAGER")
	if binary == "" {
		t.Fatal("ALERTMANAGER: not set; run make alertmanager")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, out), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "--config.file", file, "--storage.path", filepath.Join(dir, "data"),
		"--web.listen-address", address, "--cluster.listen-address", "")
	cmd.Stdout, cmd.Stderr = logs, logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		if t.Failed() {
			if text, err := os.ReadFile(logs.Name()); err == nil {
				t.Logf("alertmanager:\n%s", text)
			}
		}
	})
	base := "http://" + address
	eventually(t, "Alertmanager is ready", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/-/ready", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return base
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// TestAlertmanager: a real one receives, groups and resolves what the outbox
// sends; it forgets what it is not told again, and is told again. A second one
// of the cluster is down all the while.
func TestAlertmanager(t *testing.T) {
	out := &told{}
	server := httptest.NewServer(out)
	defer server.Close()
	base := startAlertmanager(t, server.URL)
	const lifetime = 3 * time.Second
	r, err := New(Options{
		Name: "am", URLs: []string{base, "http://127.0.0.1:1"}, Refresh: time.Second, Lifetime: lifetime, PageURL: "https://rampgauge.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	box, err := deliver.Open(deliver.Options{Dir: t.TempDir(), Receivers: []deliver.Receiver{r}, Routes: deliver.Routes{Default: []string{"am"}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- box.Run(ctx) }()

	sequence := uint64(0)
	tell := func(action alerts.Action, experiment, subject string) alerts.Notification {
		t.Helper()
		sequence++
		n := notification(action)
		n.Sequence, n.Experiment, n.Subject, n.DecidedAt = sequence, experiment, subject, time.Now()
		n.Key = alerts.Key(experiment, n.Arm, n.Rule, subject)
		n.SinceMs, n.AtMs = time.Now().Add(-time.Minute).UnixMilli(), time.Now().UnixMilli()
		if err := box.Add(n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := tell(alerts.Trigger, "one", "a")
	tell(alerts.Trigger, "one", "b")
	tell(alerts.Trigger, "two", "a")
	tell(alerts.Change, "one", "ramp") // is not for Alertmanager
	state := func(experiment, want string) func() bool {
		return func() bool {
			got, _ := out.last(experiment)
			var list []string
			for subject, s := range got {
				list = append(list, subject+" "+s)
			}
			slices.Sort(list)
			return strings.Join(list, ", ") == want
		}
	}
	eventually(t, "both of experiment one fire in one group", func() bool {
		_, n := out.last("one")
		return state("one", "a firing, b firing")() && n == 2
	})
	eventually(t, "experiment two fires in a group of its own", state("two", "a firing"))

	out.mu.Lock()
	for _, g := range out.groups {
		for _, a := range g.Alerts {
			if a.Labels["experiment"] != "one" || a.Labels["subject"] != "a" {
				continue
			}
			if want := receiver.Fingerprint(receiver.Labels(first)); a.Fingerprint != want {
				t.Errorf("fingerprint: Alertmanager has %s, we %s", a.Fingerprint, want)
			}
			if _, ok := a.Labels["ramp_percent"]; ok || a.Labels["alertname"] != first.Rule || a.Labels["severity"] != "critical" {
				t.Errorf("labels: %v", a.Labels)
			}
			if a.Annotations["runbook_url"] != first.Runbook || a.Annotations["dashboard_url"] != "https://rampgauge.example/experiments/one" ||
				!strings.Contains(a.Annotations["description"], "auctions: 184,032") {
				t.Errorf("annotations: %v", a.Annotations)
			}
			if a.StartsAt.UnixMilli() != first.SinceMs {
				t.Errorf("starts at %s, want %s", a.StartsAt, time.UnixMilli(first.SinceMs))
			}
		}
	}
	out.mu.Unlock()

	tell(alerts.Resolve, "one", "b")
	eventually(t, "b of experiment one is resolved", state("one", "a firing, b resolved"))
	// By now the others would long have been forgotten, were they not told again.
	for start := time.Now(); time.Since(start) < 2*lifetime; time.Sleep(100 * time.Millisecond) {
		if !state("one", "a firing, b resolved")() || !state("two", "a firing")() {
			one, _ := out.last("one")
			two, _ := out.last("two")
			t.Fatalf("after %s: %v and %v, want a of both firing", time.Since(start), one, two)
		}
	}
	tell(alerts.Resolve, "one", "a")
	eventually(t, "experiment one is resolved", state("one", "a resolved, b resolved"))
	// An instance that is gone reminds nobody.
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	eventually(t, "experiment two is forgotten", state("two", "a resolved"))
	if err := box.Close(); err != nil {
		t.Error(err)
	}
}
