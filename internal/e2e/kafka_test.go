//go:build kafka && unix

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// startKafka starts Apache Kafka for a test, which ctx gives ten minutes.
func startKafka(t *testing.T, o kafkatest.RealOptions) (ctx context.Context, broker *kafkatest.Real) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	broker, err := kafkatest.StartReal(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Stop() })
	return ctx, broker
}

// TestCommandsOnKafka builds the binary and runs produce and run against
// Apache Kafka itself, in both formats: every number of expected.json agrees,
// and both formats give the same answer byte for byte.
func TestCommandsOnKafka(t *testing.T) {
	ctx, broker := startKafka(t, kafkatest.RealOptions{})
	binary := filepath.Join(t.TempDir(), "rampgauge")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../../cmd/rampgauge").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	for _, l := range logs(t) {
		want := l.expected(t)
		answers := map[event.Format][]byte{}
		for _, f := range []event.Format{event.Protobuf, event.JSON} {
			t.Run(l.name+"/"+f.String(), func(t *testing.T) {
				file, addr := writeConfig(t, broker.Brokers()[0], l.name, f)
				out, err := exec.CommandContext(ctx, binary, "produce", "--config.file", file, "--partitions", "6", l.dir).CombinedOutput()
				if err != nil {
					t.Fatalf("produce: %v: %s", err, out)
				}
				if wantCounts := fmt.Sprintf("%d predictions, %d impressions", want.Auctions, want.Auctions); !strings.Contains(string(out), wantCounts) {
					t.Errorf("produce said %q, want %q in it", out, wantCounts)
				}
				stop := startRun(t, binary, file)
				s := server{t: t, addr: addr}
				checkConsumed(t, s.caughtUp(), want)
				body := s.get(summaryPath(want.Experiment, "slot"))
				for _, d := range compareExpected(parseSummary(t, body), want) {
					t.Error(d)
				}
				answers[f] = body
				stop()
			})
		}
		if !bytes.Equal(answers[event.JSON], answers[event.Protobuf]) {
			t.Errorf("%s: JSON and protobuf differ: %s", l.name, worlds.FirstDifference(string(answers[event.JSON]), string(answers[event.Protobuf])))
		}
	}
}

// writeConfig writes a configuration with topics and a group of its own, and
// returns the address that it makes the service listen on.
func writeConfig(t *testing.T, broker, name string, f event.Format) (file, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close() // free again, and nobody else is likely to take it
	dir := t.TempDir()
	topic := func(stream string) string {
		return fmt.Sprintf("{name: %s-%s-%s, format: %s}", name, f, stream, f)
	}
	text := fmt.Sprintf(`
kafka: {brokers: [%q], group: %s-%s}
topics:
  predictions: %s
  impressions: %s
  conversions: %s
  dead_letters: {name: %s-%s-dead}
  panes: {name: %[2]s-%[3]s-panes}
  alerts: {name: %[2]s-%[3]s-alerts}
aggregation: {slices: [[slot]], commit_interval: 100ms}
state: {dir: %[9]q}
web: {listen: %[10]q}
`, broker, name, f, topic("p"), topic("i"), topic("c"), name, f, filepath.Join(dir, "state"), addr)
	file = filepath.Join(dir, "rampgauge.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, addr
}

// startRun starts the service as a process. stop sends SIGTERM, upon which it
// has to leave within ten seconds with exit code 0.
func startRun(t *testing.T, binary, file string) (stop func()) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(binary, "run", "--config.file", file)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("the service's log: %s", log.String())
		}
	})
	return func() {
		stopped = true
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("run ended with %v after SIGTERM", err)
			}
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
			t.Error("run did not leave within 10 s of SIGTERM")
		}
	}
}
