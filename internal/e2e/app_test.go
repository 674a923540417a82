package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/app"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// TestServiceOnLogs runs the whole service on an embedded broker and holds its
// HTTP answers against expected.json, in both formats.
func TestServiceOnLogs(t *testing.T) {
	for _, l := range logs(t) {
		if l.name != "men" && testing.Short() {
			continue
		}
		want := l.expected(t)
		for _, f := range []event.Format{event.Protobuf, event.JSON} {
			t.Run(l.name+"/"+f.String(), func(t *testing.T) {
				cfg := startBroker(t, f)
				produceFiles(t, cfg, l.dir)
				s := startService(t, cfg, nil)
				st := s.caughtUp()
				checkConsumed(t, st, want)
				body := s.get(summaryPath(want.Experiment, "slot"))
				for _, d := range compareExpected(parseSummary(t, body), want) {
					t.Error(d)
				}
			})
		}
	}
}

func checkConsumed(t *testing.T, st status, want expectedResult) {
	t.Helper()
	var clicks int64
	for _, a := range want.Arms {
		clicks += a.Winners.Conversions
	}
	for name, n := range map[string]int64{"predictions": want.Auctions, "impressions": want.Auctions, "conversions": clicks} {
		r := st.Records[name]
		if r.Consumed != n || r.Dead+r.Duplicate+r.Unmatched != 0 {
			t.Errorf("%s: got %+v, want %d consumed and nothing wrong", name, r, n)
		}
	}
}

// TestServiceInAnyOrder compares whole HTTP answers byte by byte: the bundled
// log in order, and shuffled with every record sent one to three times.
func TestServiceInAnyOrder(t *testing.T) {
	l := logs(t)[0]
	records := l.records(t, event.Protobuf)
	rng := rand.New(rand.NewPCG(5, 5))
	answer := func(t *testing.T, records []record) []byte {
		cfg := startBroker(t, event.Protobuf)
		produceRecords(t, cfg, records)
		s := startService(t, cfg, nil)
		s.caughtUp()
		return s.get(summaryPath("openbandit", "slot"))
	}
	want := answer(t, records)
	for name, order := range map[string][]record{
		"shuffled": shuffled(rng, repeated(rng, records)),
		"conversions first": streamsInOrder(shuffled(rng, repeated(rng, records)),
			event.Conversions, event.Impressions, event.Predictions),
	} {
		t.Run(name, func(t *testing.T) {
			if got := answer(t, order); !bytes.Equal(got, want) {
				t.Error(worlds.FirstDifference(string(got), string(want)))
			}
		})
	}
}

// TestServiceWhileRecordsArrive starts the service first and lets the log come
// in disorder while it reads, so that commits fall anywhere.
func TestServiceWhileRecordsArrive(t *testing.T) {
	l := logs(t)[0]
	want := l.expected(t)
	cfg := startBroker(t, event.Protobuf)
	s := startService(t, cfg, nil)
	rng := rand.New(rand.NewPCG(6, 6))
	records := shuffled(rng, repeated(rng, l.records(t, event.Protobuf)))
	for part := range slices.Chunk(records, len(records)/8+1) {
		produceRecords(t, cfg, part)
	}
	s.caughtUp()
	for _, d := range compareExpected(parseSummary(t, s.get(summaryPath(want.Experiment, "slot"))), want) {
		t.Error(d)
	}
}

// runDemo runs the demo and returns its output line by line; the channel ends
// with the demo.
func runDemo(t *testing.T, o app.DemoOptions) (lines <-chan string, stop func()) {
	t.Helper()
	r, w := io.Pipe()
	o.Out, o.Listen = w, "127.0.0.1:0"
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	ended := make(chan error, 1)
	go func() {
		err := app.Demo(ctx, o)
		w.Close()
		ended <- err
	}()
	out := make(chan string, 1000)
	go func() {
		defer close(out)
		text, line := make([]byte, 4096), ""
		for {
			n, err := r.Read(text)
			line += string(text[:n])
			for {
				first, rest, found := strings.Cut(line, "\n")
				if !found {
					break
				}
				out <- first
				line = rest
			}
			if err != nil {
				return
			}
		}
	}()
	return out, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	}
}

// waitLine returns the first line with a prefix.
func waitLine(t *testing.T, lines <-chan string, prefix string) string {
	t.Helper()
	var seen []string
	for line := range lines {
		if strings.HasPrefix(line, prefix) {
			return line
		}
		seen = append(seen, line)
	}
	t.Fatalf("no line begins with %q in\n%s", prefix, strings.Join(seen, "\n"))
	return ""
}

// TestDemoOnLogs is demo --data, asked over HTTP when its verdict is out.
func TestDemoOnLogs(t *testing.T) {
	for _, l := range logs(t) {
		t.Run(l.name, func(t *testing.T) {
			want := l.expected(t)
			lines, stop := runDemo(t, app.DemoOptions{DataDir: l.dir})
			defer stop()
			addr := strings.TrimPrefix(waitLine(t, lines, "rampgauge demo: http://"), "rampgauge demo: http://")
			waitLine(t, lines, "experiment "+want.Experiment)
			body := server{t: t, addr: addr}.get(summaryPath(want.Experiment, "slot"))
			for _, d := range compareExpected(parseSummary(t, body), want) {
				t.Error(d)
			}
		})
	}
}

// TestDemoFindsThePlantedCause is demo --exit with the simulated ramp.
func TestDemoFindsThePlantedCause(t *testing.T) {
	lines, stop := runDemo(t, app.DemoOptions{Exit: true})
	defer stop()
	verdict := waitLine(t, lines, "experiment l1-cvr-v2: ")
	for _, part := range []string{"accepted feature_coverage: ", "offsite_visits"} {
		if !strings.Contains(verdict, part) {
			t.Errorf("verdict %q lacks %q", verdict, part)
		}
	}
	t.Log(verdict)
	if rest := fmt.Sprint(drain(lines)); rest != "[]" {
		t.Errorf("after the verdict: %s", rest)
	}
}

func drain(lines <-chan string) (rest []string) {
	for line := range lines {
		rest = append(rest, line)
	}
	return rest
}

// TestLittleMemory runs the log, a week, with room for two days of it: what is
// evicted is past its use, so the numbers are the same. Much less would not do
// for so thin a stream: the worker hands in up to 1,024 records of one topic at
// a time, a day here.
func TestLittleMemory(t *testing.T) {
	l := logs(t)[0]
	want := l.expected(t)
	cfg := startBroker(t, event.Protobuf)
	cfg.Join.Memory = 8 << 20
	produceFiles(t, cfg, l.dir)
	s := startService(t, cfg, nil)
	checkConsumed(t, s.caughtUp(), want)
	for _, d := range compareExpected(parseSummary(t, s.get(summaryPath(want.Experiment, "slot"))), want) {
		t.Error(d)
	}
}
