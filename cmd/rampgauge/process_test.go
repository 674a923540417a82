package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// asCommand is set in the environment of a test binary that is to be the
// command itself.
const asCommand = "RAMPGAUGE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is the command in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    output
	ended  chan struct{}
	exited int // exit code, once ended is closed
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), asCommand+"=1")
	p.cmd.Stderr = &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the code says it
		p.exited = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	})
	return p
}

// has reports whether the process has ended.
func (p *process) has() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// end waits for the process to end by itself.
func (p *process) end() (code int, stderr string) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Fatalf("the process does not end:\n%s", p.out.String())
	}
	return p.exited, p.out.String()
}

func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if code, log := p.end(); code != exitOK {
		p.t.Fatalf("after SIGTERM: exit %d:\n%s", code, log)
	}
}

// at is the same service for a part of a test.
func (s *service) at(t *testing.T) *service {
	c := *s
	c.t = t
	return &c
}

// service is a broker with a workload on it, and the configuration to read it.
type service struct {
	t       *testing.T
	brokers string
}

const servicePartitions = 2

// newService puts so many auctions on a broker, each with an impression and
// every third with a conversion.
func newService(t *testing.T, auctions int) *service {
	t.Helper()
	broker, err := kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Stop)
	s := &service{t: t, brokers: strings.Join(broker.Brokers(), ",")}
	s.produce(0, auctions)
	return s
}

// produce puts the auctions from one number to another on the topics, a second
// of event time apart.
func (s *service) produce(from, to int) {
	s.t.Helper()
	var predictions, impressions, conversions strings.Builder
	start := time.Now().Add(-12 * time.Hour).UnixMilli()
	for n := from; n < to; n++ {
		at := start + int64(n)*1000
		fmt.Fprintf(&predictions, auction, n, at)
		fmt.Fprintf(&impressions, `{"impressionId":"i-%d","auctionId":"a-%d","itemId":"1","eventTimeMs":"%d"}`+"\n", n, n, at+500)
		if n%3 == 0 {
			fmt.Fprintf(&conversions, `{"conversionId":"c-%d","impressionId":"i-%d","auctionId":"a-%d","eventTimeMs":"%d"}`+"\n", n, n, n, at+900)
		}
	}
	dir := s.t.TempDir()
	for name, lines := range map[string]string{
		"predictions.ndjson": predictions.String(), "impressions.ndjson": impressions.String(), "conversions.ndjson": conversions.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(lines), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	if code, _, stderr := rampgauge(s.t.Context(), "produce", "--partitions", fmt.Sprint(servicePartitions), "--brokers", s.brokers, dir); code != exitOK {
		s.t.Fatalf("produce: exit %d, %s", code, stderr)
	}
}

// config is a configuration file over a state directory; more takes the place
// of lines with the same key, or goes below.
func (s *service) config(dir string, more ...string) string {
	s.t.Helper()
	var text strings.Builder
	keys := map[string]bool{}
	for _, line := range append(more,
		fmt.Sprintf("kafka: {brokers: [%q]}", s.brokers),
		`web: {listen: "127.0.0.1:0"}`,
		"aggregation: {commit_interval: 100ms}",
		fmt.Sprintf("state: {dir: %q}", dir),
	) {
		key, _, _ := strings.Cut(line, ":")
		if !keys[key] {
			fmt.Fprintln(&text, line)
		}
		keys[key] = true
	}
	return writeFile(s.t, "rampgauge.yml", text.String())
}

// run starts the service with a configuration.
func (s *service) run(config string) *process {
	return startProcess(s.t, "run", "--config.file", config)
}

// answer waits until a process has caught up, and returns its summary: ok is
// false when it ends before.
func (s *service) answer(p *process) (summary string, ok bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if p.has() {
			return "", false
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("not caught up:\n%s", p.out.String())
		}
		_, rest, found := strings.Cut(p.out.String(), "url=http://")
		if !found {
			continue
		}
		url := "http://" + strings.Fields(rest)[0]
		var status struct {
			CaughtUp bool `json:"caught_up"`
		}
		if err := fetchJSON(s.t.Context(), url+"/api/v1/status", &status); err != nil || !status.CaughtUp {
			continue
		}
		var all json.RawMessage
		if err := fetchJSON(s.t.Context(), url+"/api/v1/experiments/e/summary", &all); err == nil {
			return string(all), true
		}
	}
}

func fetchJSON(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// copyDir is what is in a directory, in a new one.
func copyDir(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// files lists what is in a directory, by the path from there.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
