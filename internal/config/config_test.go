package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/consumer/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixture reads a file and the environment that its first line may give.
func fixture(t *testing.T, path string) (data []byte, environ []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(data), "\n")
	if list, ok := strings.CutPrefix(first, "# environ: "); ok {
		environ = strings.Fields(list)
	}
	return data, environ
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil || len(files) < 24 {
		t.Fatalf("got %d files, %v; want 24 or more", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := ParseEnviron(fixture(t, path))
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("got %v, want Problems", err)
			}
			text := problems.Error() + "\n"
			golden(t, strings.TrimSuffix(path, ".yml")+".golden", text)
			for _, secret := range []string{"secret@", "T0/", "12345678", "e93facc", `"secret"`} {
				if strings.Contains(text, secret) {
					t.Errorf("a message repeats what may be a secret, %s:\n%s", secret, text)
				}
			}
		})
	}
}

func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := ParseEnviron(fixture(t, path))
			if err != nil {
				t.Fatal(err)
			}
			text, err := c.Masked()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".yml")+".golden", text)
			if strings.Contains(text, "secret@") || strings.Contains(text, "12345678") || strings.Contains(text, "T0/") {
				t.Errorf("a secret shows:\n%s", text)
			}
		})
	}
}

// The defaults are promised to users, so they stand here a second time.
func TestDefaults(t *testing.T) {
	got, err := Parse([]byte("kafka: {brokers: [127.0.0.1:9092]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Kafka: Kafka{Brokers: []string{"127.0.0.1:9092"}, Group: "rampgauge", SASL: SASL{Mechanism: "none"}},
		Topics: Topics{
			Predictions: Input{Name: "predictions", Format: event.Protobuf},
			Impressions: Input{Name: "impressions", Format: event.Protobuf},
			Conversions: Input{Name: "conversions", Format: event.Protobuf},
			Panes:       Output{Name: "rampgauge.panes"},
			DeadLetters: Output{Name: "rampgauge.dead-letters"},
			Alerts:      Output{Name: "rampgauge.alerts"},
		},
		Join: Join{Window: 10 * time.Minute, AttributionWindow: 24 * time.Hour, Memory: 1 << 30},
		Aggregation: Aggregation{
			Pane:    10 * time.Second,
			Windows: []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour}, Retention: 30 * 24 * time.Hour,
			MaxSeries: 30000, CommitInterval: time.Second,
		},
		State:  State{Dir: "./rampgauge-data", Checkpoint: Checkpoint{Interval: 10 * time.Second}},
		Web:    Web{Listen: "127.0.0.1:8080"},
		Alerts: Alerts{Mode: "direct", FalseAlarmsPerMonth: 0.1},
		Gate: Gate{
			MinConversions: 200, MinTime: time.Hour, MaxCalibrationShift: 0.1, MaxCandidateCalibrationShift: 0.1, MaxLogLossIncrease: 0.02,
			MaxCoverageDrop: 0.02, MaxSuccessDrop: 0.002, MaxP99Increase: 0.2, MaxDataAge: 10 * time.Minute, MaxLag: 1_000_000,
			RequireSampleRatio: true, RollbackOn: []alerts.Severity{alerts.Critical},
		},
		Log: Log{Level: "info", Format: "text"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDefaultIsFresh(t *testing.T) {
	Default().Aggregation.Windows[0] = 0
	Default().Kafka.Brokers[0] = ""
	if _, err := Parse([]byte("kafka: {brokers: [b:1]}\n")); err != nil {
		t.Errorf("got %v after another caller edited its defaults", err)
	}
}

func TestFullFile(t *testing.T) {
	c, err := ParseEnviron(fixture(t, "testdata/full.good.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{
		"expanded list":       {c.Kafka.Brokers[1], "kafka-2.eu:9093"},
		"override of a value": {c.Join.Window, 5 * time.Minute},
		"override of a type":  {c.Topics.Input(event.Impressions).Format, event.JSON},
		"size":                {c.Join.Memory, Size(512 << 20)},
		"entry's own default": {c.Experiments[1].Control, "control"},
		"escaped dollar":      {c.Alerts.Rules[0].Summary, "plain ${TEXT}"},
		"alias":               {len(c.Alerts.Rules[0].Slices), 2},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %v, want %v", name, pair[0], pair[1])
		}
	}
}

// What Masked prints of a configuration without secrets is that configuration.
func TestMaskedReadsBack(t *testing.T) {
	for _, path := range []string{"testdata/minimal.good.yml", "testdata/brokers-from-environment.good.yml", "testdata/alerts.good.yml"} {
		want, err := ParseEnviron(fixture(t, path))
		if err != nil {
			t.Fatal(err)
		}
		text, err := want.Masked()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		second, err := got.Masked()
		if err != nil || second != text {
			t.Errorf("%s: %v:\n%s", path, err, cmp.Diff(text, second))
		}
	}
}

func TestLoad(t *testing.T) {
	t.Setenv("RAMPGAUGE_JOIN_WINDOW", "7m")
	path := filepath.Join(t.TempDir(), "r.yml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: got %v", err)
	}
	if err := os.WriteFile(path, []byte("kafka: {brokers: [b:1]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || c.Join.Window != 7*time.Minute {
		t.Errorf("got %v, %v; want the override 7m", c.Join.Window, err)
	}
	if err := os.WriteFile(path, []byte("kafka: {broker: [b:1]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := path + ":1:8: kafka.brokers: is missing; give the brokers' addresses, such as [127.0.0.1:9092]\n" +
		path + ":1:9: kafka.broker: unknown key; did you mean kafka.brokers?"
	if _, err := Load(path); err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}
