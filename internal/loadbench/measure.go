package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/live"
)

// usage is what a process has used over its whole life.
type usage struct {
	cpu  time.Duration // user and system
	wall time.Duration
	peak int64 // largest resident set, bytes; 0: not measured
	// resident holds samples of the resident set from start to end, bytes.
	resident []int64
}

func usageOf(cmd *exec.Cmd, start time.Time) usage {
	return usage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: time.Since(start)}
}

// measureFloor runs the floor's process over a load.
func measureFloor(ctx context.Context, brokers []string, t totals, profile string) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	r := t.records
	cmd := exec.CommandContext(ctx, self, "-floor", "-brokers", strings.Join(brokers, ","), "-profile", profile,
		"-end", fmt.Sprintf("%d,%d,%d", r[event.Predictions], r[event.Impressions], r[event.Conversions]))
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("floor: %w", err)
	}
	return usageOf(cmd, start), nil
}

// A panes topic of its own keeps a run from reading what another has published.
const serviceConfig = `
kafka: {brokers: [%[1]s], group: bench-%[2]d}
topics: {panes: {name: bench-%[2]d-panes}}
join: {window: 10s, attribution_window: 90s, memory: 160MiB}
aggregation: {windows: [1m, 5m], slices: [[surface]], retention: %[3]s}
web: {listen: "%[4]s"}
state: {dir: %[5]s}
alerts: {mode: off}
log: {level: warn}
`

// measureService runs the binary over a load until it has caught up, checks
// that it counted every candidate, and ends it.
func measureService(ctx context.Context, binary string, w *workload, brokers []string, t totals) (u usage, err error) {
	dir, err := os.MkdirTemp("", "loadbench")
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	addr, err := freeAddr()
	if err != nil {
		return u, err
	}
	file := filepath.Join(dir, "rampgauge.yml")
	text := fmt.Sprintf(serviceConfig, strings.Join(brokers, ","), time.Now().UnixNano(), w.retention, addr, filepath.Join(dir, "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return u, err
	}
	cmd := exec.CommandContext(ctx, binary, "run", "--config.file", file)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return u, err
	}
	sampled := sampleMemory(cmd.Process.Pid)
	defer sampled()
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	if err := awaitEnd(ctx, addr, w, t, waited); err != nil {
		return u, errors.Join(err, cmd.Process.Kill())
	}
	peak, err := memory(cmd.Process.Pid, "VmHWM")
	if err != nil {
		return u, errors.Join(err, cmd.Process.Kill())
	}
	resident := sampled()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return u, err
	}
	if err := <-waited; err != nil {
		return u, fmt.Errorf("rampgauge run: %w", err)
	}
	u = usageOf(cmd, start)
	u.peak, u.resident = peak, resident
	return u, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

type status struct {
	CaughtUp bool `json:"caught_up"`
	Records  map[string]struct {
		Consumed, Dead int64
	} `json:"records"`
}

func awaitEnd(ctx context.Context, addr string, w *workload, t totals, waited <-chan error) error {
	// Seldom: each answer costs the process measured a round trip to the broker.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-waited:
			return fmt.Errorf("rampgauge run ended early: %w", err)
		case <-tick.C:
		}
		var s status
		if err := getJSON(ctx, "http://"+addr+"/api/v1/status", &s); err != nil || !s.CaughtUp {
			continue
		}
		for stream, want := range t.records {
			r := s.Records[event.Stream(stream).String()]
			if r.Consumed != want || r.Dead != 0 {
				return fmt.Errorf("%s: consumed %d and refused %d of %d records", event.Stream(stream), r.Consumed, r.Dead, want)
			}
		}
		if w.expires() {
			return checkTotal(ctx, addr, t)
		}
		return checkCandidates(ctx, addr, t)
	}
}

// checkCandidates makes sure that the speed measured is that of doing the work.
func checkCandidates(ctx context.Context, addr string, t totals) error {
	var list struct {
		Experiments []struct{ Name string }
	}
	if err := getJSON(ctx, "http://"+addr+"/api/v1/experiments", &list); err != nil {
		return err
	}
	var counted, winners int64
	for _, e := range list.Experiments {
		var s struct {
			Arms map[string]struct {
				Candidates, Winners struct{ Count int64 }
			}
		}
		if err := getJSON(ctx, "http://"+addr+"/api/v1/experiments/"+e.Name+"/summary", &s); err != nil {
			return err
		}
		for _, a := range s.Arms {
			counted += a.Candidates.Count
			winners += a.Winners.Count
		}
	}
	if counted != t.candidates || winners != t.records[event.Impressions] {
		return fmt.Errorf("counted %d of %d candidates and %d of %d winners", counted, t.candidates, winners, t.records[event.Impressions])
	}
	return nil
}

// checkTotal is what can be checked of a run that outlasts its panes.
func checkTotal(ctx context.Context, addr string, t totals) error {
	text, err := get(ctx, "http://"+addr+"/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		var n float64
		if _, err := fmt.Sscanf(line, "rampgauge_candidates_total %g", &n); err != nil {
			continue
		}
		if int64(n) != t.candidates {
			return fmt.Errorf("counted %.0f of %d candidates", n, t.candidates)
		}
		return nil
	}
	return errors.New("/metrics: no rampgauge_candidates_total")
}

// decode reads an answer of an instance.
func decode(ctx context.Context, i *live.Instance, path string, into any) error {
	text, err := i.Get(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func getJSON(ctx context.Context, url string, into any) error {
	text, err := get(ctx, url)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}

// benchOne measures floor, service and the binary to compare with in turns over
// one load, and prints the medians.
func benchOne(ctx context.Context, o *options, w workload) error {
	return withLoad(ctx, o, w, func(brokers []string, t totals) error {
		fmt.Printf("%s: %d records, %d candidates, %d MB\n", w.name, t.all(), t.candidates, t.bytes>>20)
		var floors, services, befores []usage
		for range o.rounds {
			f, err := measureFloor(ctx, brokers, t, o.profile)
			if err != nil {
				return err
			}
			s, err := measureService(ctx, o.binary, &w, brokers, t)
			if err != nil {
				return err
			}
			floors, services = append(floors, f), append(services, s)
			if o.against == "" {
				continue
			}
			b, err := measureService(ctx, o.against, &w, brokers, t)
			if err != nil {
				return err
			}
			befores = append(befores, b)
		}
		floor, service := median(floors), median(services)
		print := func(name string, u usage) {
			fmt.Printf("  %-22s %6.2f M candidates/CPU-s %6.3f M records/CPU-s  cpu %5.2f s  wall %5.2f s",
				name, float64(t.candidates)/u.cpu.Seconds()/1e6, float64(t.all())/u.cpu.Seconds()/1e6,
				u.cpu.Seconds(), u.wall.Seconds())
			if u.peak > 0 {
				fmt.Printf("  peak rss %d MB", u.peak>>20)
			}
			fmt.Println()
		}
		print("floor (fetch, decode)", floor)
		print("rampgauge run", service)
		fmt.Printf("  share of the floor     %6.1f %%\n", 100*floor.cpu.Seconds()/service.cpu.Seconds())
		if len(befores) > 0 {
			before := median(befores)
			print("the other binary", before)
			fmt.Printf("  share of the other's   %6.1f %%\n", 100*before.cpu.Seconds()/service.cpu.Seconds())
		}
		return nil
	})
}

func median(us []usage) usage {
	slices.SortFunc(us, func(a, b usage) int { return int(a.cpu - b.cpu) })
	return us[len(us)/2]
}
