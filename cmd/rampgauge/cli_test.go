package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// output is what a command wrote. It may be read while the command runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// rampgauge runs one command line to its end.
func rampgauge(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs output
	code = execute(ctx, args, system{stdout: &out, stderr: &errs, hangups: noHangups})
	return code, out.String(), errs.String()
}

func noHangups() <-chan os.Signal { return nil }

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A wrong flag exits 2 with one line that names it.
func TestWrongFlags(t *testing.T) {
	bad := writeFile(t, "bad.yml", "kafka: {brokers: [b:1], gruop: x}\n")
	for _, tc := range []struct {
		args []string
		want string // in the line
	}{
		{nil, `expected one of "demo"`},
		{[]string{"rum"}, `unexpected argument rum`},
		{[]string{"run"}, `missing flags: --config.file=FILE`},
		{[]string{"run", "--config.file", "nowhere.yml"}, "nowhere.yml: no such file"},
		{[]string{"run", "--config.file", bad}, bad + ":1:25: kafka.gruop: unknown key; did you mean kafka.group?"},
		{[]string{"run", "--config.fil", bad}, `unknown flag --config.fil, did you mean "--config.file"?`},
		{[]string{"produce"}, `expected "<dir>"`},
		{[]string{"produce", "--format", "avro", "."}, `--format must be one of "","protobuf","json" but got "avro"`},
		{[]string{"produce", "--partitions", "0", "."}, "--partitions: 0: want 1 or more"},
		{[]string{"produce", "--speed=-1", "."}, "--speed: -1: want 0 or more"},
		{[]string{"produce", "--speed=NaN", "."}, "--speed: NaN: want 0 or more"},
		{[]string{"produce", "--config.file", bad, "."}, "kafka.gruop: unknown key"},
		{[]string{"demo", "--listen", "8080"}, `--listen: "8080": want host:port`},
		{[]string{"demo", "--pace=-1s"}, "--pace: -1s: want 0 or more"},
		{[]string{"healthcheck", "--server", "localhost:8080"}, `--server: "localhost:8080": want http://host:port`},
		{[]string{"healthcheck", "--timeout", "soon"}, `--timeout: expected duration but got "soon"`},
		{[]string{"check-config"}, `expected "<file>"`},
		{[]string{"test"}, `expected "<file> ..."`},
		{[]string{"test", "nowhere.yml"}, "nowhere.yml: no such file"},
		{[]string{"test", "--output", "junit", bad}, `--output must be one of "text","json" but got "junit"`},
	} {
		code, stdout, stderr := rampgauge(t.Context(), tc.args...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.HasPrefix(stderr, "rampgauge: ") || !strings.Contains(stderr, tc.want) {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want exit 2 and one line with %q", tc.args, code, stdout, stderr, tc.want)
		}
	}
}

// Two problems of one failure stay on one line.
func TestJoinedErrors(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"predictions.pb", "predictions.ndjson", "impressions.pb", "impressions.ndjson"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := rampgauge(t.Context(), "produce", dir)
	if code != exitError || stdout != "" || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, "both hold predictions") || !strings.Contains(stderr, "both hold impressions") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"produce", "-h"}} {
		code, stdout, stderr := rampgauge(t.Context(), args...)
		if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, "Usage: rampgauge") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := rampgauge(t.Context(), "version")
	if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, "rampgauge ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestCheckConfig(t *testing.T) {
	good := writeFile(t, "good.yml", "kafka: {brokers: [b:1]}\n")
	if code, stdout, stderr := rampgauge(t.Context(), "check-config", good); code != exitOK || stdout != good+": ok\n" || stderr != "" {
		t.Errorf("good file: exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if code, stdout, _ := rampgauge(t.Context(), "check-config", "--effective", good); code != exitOK || !strings.Contains(stdout, "attribution_window: 24h\n") {
		t.Errorf("--effective: exit %d, stdout %q", code, stdout)
	}
	bad := writeFile(t, "bad.yml", "kafka: {gruop: x}\njoin: {window: 1}\n")
	code, stdout, stderr := rampgauge(t.Context(), "check-config", bad)
	wantOut := bad + ":1:8: kafka.brokers: is missing; give the brokers' addresses, such as [127.0.0.1:9092]\n" +
		bad + ":1:9: kafka.gruop: unknown key; did you mean kafka.group?\n" +
		bad + ":2:16: join.window: \"1\" is not a duration; want a number with a unit (ms, s, m, h), such as 10s or 24h\n"
	wantErr := "rampgauge: " + strings.SplitAfter(wantOut, "9092]")[0] + " (and 2 more)\n"
	if code != exitUsage || stdout != wantOut || stderr != wantErr {
		t.Errorf("bad file: exit %d\nstdout %q\nwant   %q\nstderr %q\nwant   %q", code, stdout, wantOut, stderr, wantErr)
	}
}

func TestHealthcheck(t *testing.T) {
	ready := true
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, "waiting for partitions")
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	if code, stdout, stderr := rampgauge(t.Context(), "healthcheck", "--server", server.URL+"/"); code != exitOK || stdout != "healthy and ready\n" || stderr != "" {
		t.Errorf("ready: exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	ready = false
	want := "rampgauge: " + server.URL + "/-/ready: 503 Service Unavailable: waiting for partitions\n"
	if code, stdout, stderr := rampgauge(t.Context(), "healthcheck", "--server", server.URL); code != exitError || stdout != "" || stderr != want {
		t.Errorf("not ready: exit %d, stdout %q, stderr %q; want %q", code, stdout, stderr, want)
	}
	server.Close()
	if code, _, stderr := rampgauge(t.Context(), "healthcheck", "--server", server.URL); code != exitError || strings.Count(stderr, "\n") != 1 {
		t.Errorf("no server: exit %d, stderr %q", code, stderr)
	}
}

func TestDocs(t *testing.T) {
	t.Setenv("COLUMNS", "")
	code, stdout, stderr := rampgauge(t.Context(), "docs")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stdout, string(page)); diff != "" {
		t.Errorf("docs/cli.md has drifted; run go run ./internal/docgen (-want +got):\n%s", diff)
	}
}

const auction = `{"auctionId":"a-%d","eventTimeMs":"%d","assignments":[{"experiment":"e","arm":"control","rampPercent":50}],` +
	`"candidates":{"itemIds":["1"],"predictions":[0.25],"references":[0.5]}}` + "\n"

// Two services in one process, over two brokers, do not get in each other's
// way: each has its own events and its own end.
func TestTwoServices(t *testing.T) {
	type service struct {
		out    output
		cancel context.CancelFunc
		exit   chan int
	}
	var services [2]service
	for i := range services {
		s := &services[i]
		broker, err := kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Stop)
		events := t.TempDir()
		var lines strings.Builder
		for n := range i + 1 {
			fmt.Fprintf(&lines, auction, n, time.Now().UnixMilli())
		}
		if err := os.WriteFile(filepath.Join(events, "predictions.ndjson"), []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		brokers := strings.Join(broker.Brokers(), ",")
		want := fmt.Sprintf("produced %d predictions in ", i+1)
		if code, stdout, stderr := rampgauge(t.Context(), "produce", "--partitions", "2", "--brokers", brokers, events); code != exitOK || !strings.HasPrefix(stdout, want) {
			t.Fatalf("produce: exit %d, stdout %q, stderr %q", code, stdout, stderr)
		}
		file := writeFile(t, "rampgauge.yml", fmt.Sprintf(
			"kafka: {brokers: [%q]}\nweb: {listen: \"127.0.0.1:0\"}\nstate: {dir: %q}\n", brokers, t.TempDir()))
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		s.cancel, s.exit = cancel, make(chan int, 1)
		go func() {
			s.exit <- execute(ctx, []string{"run", "--config.file", file}, system{stdout: &s.out, stderr: &s.out, hangups: noHangups})
		}()
	}
	for i := range services {
		url := listening(t, &services[i].out)
		want := fmt.Sprintf(`"predictions":{"consumed":%d`, i+1)
		eventually(t, func() (bool, string) {
			body := fetch(t, url+"/api/v1/status")
			return strings.Contains(strings.ReplaceAll(body, " ", ""), want), body
		})
		if code, stdout, stderr := rampgauge(t.Context(), "healthcheck", "--server", url); code != exitOK {
			t.Errorf("healthcheck: exit %d, %q, %q", code, stdout, stderr)
		}
	}
	for i := range services {
		services[i].cancel()
		select {
		case code := <-services[i].exit:
			if code != exitOK {
				t.Errorf("service %d: exit %d: %s", i, code, services[i].out.String())
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("service %d does not leave: %s", i, services[i].out.String())
		}
	}
}

// listening waits for the address in the log.
func listening(t *testing.T, out *output) (url string) {
	t.Helper()
	eventually(t, func() (bool, string) {
		log := out.String()
		_, rest, ok := strings.Cut(log, "url=http://")
		if ok {
			url = "http://" + strings.Fields(rest)[0]
		}
		return ok, log
	})
	return url
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// eventually polls a real process until it is as wanted.
func eventually(t *testing.T, poll func() (ok bool, state string)) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ok, state := poll()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting; last state:\n%s", state)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
