//go:build prometheus

package dashboards

import (
	"bytes"
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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience is how long a real process may take for anything.
const patience = 60 * time.Second

// TestPrometheus has a real Prometheus ($PROMETHEUS) scrape what rampgauge would
// show of a breach and of its end, by either file of rules, and a real
// Alertmanager ($ALERTMANAGER) tell a webhook of it: an experiment is one message,
// about all that is wrong with it, and no other experiment is told of.
func TestPrometheus(t *testing.T) {
	for _, file := range []string{"rules.yml", "firing.yml"} {
		t.Run(file, func(t *testing.T) { breachAndEnd(t, file) })
	}
}

func breachAndEnd(t *testing.T, file string) {
	var breach atomic.Bool
	var scrapes atomic.Int64
	rampgauge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(exposed(breach.Load(), scrapes.Add(1))))
	}))
	defer rampgauge.Close()
	var told messages
	webhook := httptest.NewServer(&told)
	defer webhook.Close()

	dir := t.TempDir()
	o := DefaultOptions()
	// Longer than Prometheus takes to find its targets, which is five seconds.
	o.For, o.KeepFiring = 10*time.Second, 5*time.Second
	files, err := Files(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		put(t, filepath.Join(dir, filepath.Base(f.Path)), string(f.Content))
	}
	am, prom := freeAddress(t), freeAddress(t)
	put(t, filepath.Join(dir, "alertmanager.yml"), `
route: {receiver: hook, group_by: [experiment], group_wait: 2s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: "`+webhook.URL+`", send_resolved: true}]}]
`)
	put(t, filepath.Join(dir, "prometheus.yml"), `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [`+file+`]
alerting: {alertmanagers: [{static_configs: [{targets: ["`+am+`"]}]}]}
scrape_configs: [{job_name: rampgauge, static_configs: [{targets: ["`+strings.TrimPrefix(rampgauge.URL, "http://")+`"]}]}]
`)
	start(t, "ALERTMANAGER", am, "--config.file="+dir+"/alertmanager.yml", "--storage.path="+dir+"/am", "--web.listen-address="+am, "--cluster.listen-address=")
	// The first alerts come before Prometheus has found the Alertmanager.
	start(t, "PROMETHEUS", prom, "--rules.alert.resend-delay=1s", "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/prom", "--web.listen-address="+prom)

	// What is well pages nobody; that alerts get through at all shows by the
	// watchdog.
	await(t, &told, "the watchdog", func(g groups) bool { return g[""]["Watchdog"] == "firing" })
	if g := told.groups(); len(g) != 1 {
		t.Errorf("healthy: told of %v", g)
	}
	breach.Store(true)
	want := groups{"": {"Watchdog": "firing"}, "e1": {}, "e2": {}}
	for _, name := range expected[file]["e1"] {
		want["e1"][name] = "firing"
	}
	for _, name := range expected[file]["e2"] {
		want["e2"][name] = "firing"
	}
	await(t, &told, "the breach", func(g groups) bool { return cmp.Equal(g, want) })
	breach.Store(false)
	for _, e := range []string{"e1", "e2"} {
		for name := range want[e] {
			want[e][name] = "resolved"
		}
	}
	await(t, &told, "the end", func(g groups) bool { return cmp.Equal(g, want) })
	if turns := told.turns(); turns != 2*(len(want["e1"])+len(want["e2"]))+1 {
		t.Errorf("%d changes of an alert were told of, want each one's beginning and end once: %v", turns, want)
	}
	for _, m := range told.all() {
		if experiment := m.GroupLabels["experiment"]; experiment == "e1" || experiment == "e2" {
			for _, a := range m.Alerts {
				if a.Labels["arm"] != "treatment" || a.Labels["severity"] == "" || a.Annotations["runbook_url"] == "" ||
					a.Annotations["dashboard_url"] != "http://127.0.0.1:8080/experiments/"+experiment {
					t.Errorf("alert %v %v", a.Labels, a.Annotations)
				}
			}
		}
	}
}

// expected are the alerts that each file makes of the breach.
var expected = map[string]map[string][]string{
	"rules.yml": {
		"e1": {"RampgaugeCoverageVsControl clicks", "RampgaugeCoverageVsControl visits", "RampgaugeLogMaeVsControl"},
		"e2": {"RampgaugeCandidateCalibrationVsControl"},
	},
	"firing.yml": {
		"e1": {"RampgaugeRuleFiring coverage-vs-control", "RampgaugeRuleFiring log-mae-vs-control"},
		"e2": {"RampgaugeRuleFiring candidate-calibration-vs-control"},
	},
}

// exposed is what a scrape returns: e1 and e2 can be off, e3 is well.
func exposed(breach bool, n int64) string {
	var b strings.Builder
	estimate := func(name, labels string, v float64, ok bool) {
		fmt.Fprintf(&b, "%s{%s} %g\n%s_low{%s} %g\n%s_high{%s} %g\n", name, labels, v, name, labels, v*0.99, name, labels, v*1.01)
		if ok {
			fmt.Fprintf(&b, "%s_ok{%s} 1\n", name, labels)
		}
	}
	firing := func(experiment, rule string, fires bool) {
		v := 0
		if fires {
			v = 1
		}
		fmt.Fprintf(&b, "rampgauge_alert_firing{experiment=%q,arm=\"treatment\",rule=%q} %d\n", experiment, rule, v)
	}
	for _, e := range []string{"e1", "e2", "e3"} {
		for _, arm := range []string{"control", "treatment"} {
			cell := fmt.Sprintf(`experiment=%q,arm=%q,ramp_percent="50",window="5m"`, e, arm)
			off := func(experiment string) bool { return breach && arm == "treatment" && e == experiment }
			coverage, mae, calibration := 0.9, 0.5, 1.0
			if off("e1") {
				coverage, mae = 0.1, 0.7
			}
			if off("e2") {
				calibration = 1.4
			}
			fmt.Fprintf(&b, "rampgauge_window_candidates{%s} 100000\n", cell)
			estimate("rampgauge_feature_coverage_ratio", cell+`,family="visits"`, coverage, false)
			estimate("rampgauge_feature_coverage_ratio", cell+`,family="clicks"`, coverage, false)
			estimate("rampgauge_feature_coverage_ratio", cell+`,family="age"`, 0.9, false)
			estimate("rampgauge_log_mae", cell, mae, true)
			estimate("rampgauge_calibration_ratio", cell+`,population="candidates"`, calibration, true)
		}
		firing(e, "coverage-vs-control", breach && e == "e1")
		firing(e, "log-mae-vs-control", breach && e == "e1")
		firing(e, "candidate-calibration-vs-control", breach && e == "e2")
	}
	fmt.Fprintf(&b, "rampgauge_watermark_timestamp_seconds %d\n", time.Now().Unix())
	fmt.Fprintf(&b, "rampgauge_records_total{topic=\"predictions\",outcome=\"consumed\"} %d\n", 1000*n)
	return b.String()
}

// message is what Alertmanager posts.
type message struct {
	GroupLabels map[string]string
	Alerts      []struct {
		Status              string
		Labels, Annotations map[string]string
	}
}

// groups are alerts by the experiment that they were grouped by, with the state
// that was told last.
type groups map[string]map[string]string

type messages struct {
	mu   sync.Mutex
	list []message
	last groups
	n    int // changes of an alert's state
}

func (m *messages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var one message
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, one)
	if m.last == nil {
		m.last = groups{}
	}
	experiment := one.GroupLabels["experiment"]
	if m.last[experiment] == nil {
		m.last[experiment] = map[string]string{}
	}
	for _, a := range one.Alerts {
		name := a.Labels["alertname"]
		if name == "RampgaugeRuleFiring" {
			name += " " + a.Labels["rule"]
		}
		if f := a.Labels["family"]; f != "" {
			name += " " + f
		}
		if m.last[experiment][name] != a.Status {
			m.n++
		}
		m.last[experiment][name] = a.Status
	}
}

func (m *messages) groups() groups {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := groups{}
	for e, alerts := range m.last {
		out[e] = map[string]string{}
		for name, status := range alerts {
			out[e][name] = status
		}
	}
	return out
}

func (m *messages) turns() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}

func (m *messages) all() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list)
}

func await(t *testing.T, m *messages, what string, reached func(groups) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !reached(m.groups()); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: told of %v after %s", what, m.groups(), patience)
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freeAddress is one that nobody listens on, for programs that cannot say which
// port they were given.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the program whose path a variable holds until the test ends, and
// waits until it is ready.
func start(t *testing.T, variable, address string, args ...string) {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("$%s is not set; run make prometheus", variable)
	}
	var log bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/-/ready")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			stop()
			t.Fatalf("%s is not ready: %v\n%s", path, err, log.String())
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s:\n%s", path, log.String())
		}
	})
}
