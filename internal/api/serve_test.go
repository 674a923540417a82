package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestServeFinishesRequestsAndLeaves(t *testing.T) {
	o := options(apitest.Small())
	entered, release := make(chan struct{}), make(chan struct{})
	o.Reload = func() error { close(entered); <-release; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- api.New(o).ServeListener(ctx, l, "") }()
	answered := make(chan string, 1)
	go func() {
		r, err := http.Post("http://"+l.Addr().String()+"/-/reload", "", nil)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer r.Body.Close()
		answered <- r.Status
	}()
	<-entered
	cancel()
	for deadline := time.Now().Add(10 * time.Second); accepts(l.Addr()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the address still accepts connections after 10 s")
		}
	}
	select {
	case err := <-served:
		t.Fatalf("ServeListener = %v while a request was running", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if got := <-answered; got != "200 OK" {
		t.Errorf("the request that was running got %q, want 200 OK", got)
	}
	if err := <-served; err != nil {
		t.Errorf("ServeListener = %v, want nil", err)
	}
}

func accepts(a net.Addr) bool {
	c, err := net.Dial("tcp", a.String())
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func TestServeNamesWhatItCannotUse(t *testing.T) {
	taken := listen(t)
	defer taken.Close()
	s := api.New(options(apitest.Small()))
	if err := s.Serve(t.Context(), taken.Addr().String(), ""); err == nil || !strings.Contains(err.Error(), "web.listen "+taken.Addr().String()) {
		t.Errorf("a taken address: %v", err)
	}
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte("tls_server_confg: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), "127.0.0.1:0", file); err == nil || !strings.Contains(err.Error(), "web.config_file "+file) {
		t.Errorf("a wrong web config: %v", err)
	}
}

func TestServeAsksForThePassword(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("open sesame"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "basic_auth_users:\n  owner: %s\n", hash), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- api.New(options(apitest.Small())).ServeListener(ctx, l, file) }()
	for password, want := range map[string]int{"": 401, "wrong": 401, "open sesame": 200} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/api/v1/experiments", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("owner", password)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("password %q: %d, want %d", password, answer.StatusCode, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-served; err != nil {
		t.Errorf("ServeListener = %v, want nil", err)
	}
}

// TestReadersWhileNumbersChange is for the race detector: all routes are read
// while partitions publish and the pipeline changes.
func TestReadersWhileNumbersChange(t *testing.T) {
	m := apitest.Small()
	p := apitest.Caught()
	o := options(m)
	o.Pipeline = p
	h := api.New(o).Handler()
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	writers.Go(func() {
		for version := uint64(1); ; version++ {
			select {
			case <-stop:
				return
			default:
			}
			sums := &aggregator.Sums{Candidates: aggregator.CandidateSums{All: aggregator.Tally{N: int64(version)}}, FirstMs: apitest.StartMs, LastMs: apitest.StartMs}
			m.Publish(1, apitest.StartMs+int64(version)*1000, []aggregator.Upsert{{
				Key:     aggregator.Key{Experiment: "openbandit", Arm: "bts", RampPercent: 50},
				Pane:    aggregator.Pane{StartMs: apitest.StartMs, WidthMs: 10_000},
				Version: aggregator.Version{Sequence: version}, Sums: sums,
			}})
			o.Counters.AddConsumed(0, 1)
			p.Set(telemetry.Status{LagRecords: int64(version)}, errors.New("brokers: no answer"), version%2 == 0)
		}
	})
	for _, target := range []string{
		"/", "/experiments/openbandit?slice=surface", "/metrics", "/api/v1/status", "/api/v1/experiments",
		"/api/v1/experiments/openbandit/summary", "/api/v1/experiments/openbandit/series?metric=winners.count", "/-/ready",
	} {
		readers.Go(func() {
			for range 20 {
				if r := do(t, h, http.MethodGet, target); r.StatusCode != 200 && r.StatusCode != 503 {
					body, _ := io.ReadAll(r.Body)
					t.Errorf("%s = %d %s", target, r.StatusCode, body)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { readers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("readers did not finish within a minute")
	}
	close(stop)
	writers.Wait()
}
