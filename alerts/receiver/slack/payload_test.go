package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var decided = time.Date(2026, 11, 24, 9, 10, 11, 123e6, time.UTC)

func notification(action alerts.Action) alerts.Notification {
	n := alerts.Notification{
		Sequence: 7, Action: action, Key: alerts.Key("l1cvr-42", "treatment", "coverage-vs-control", "offsite_visits"),
		Experiment: "l1cvr-42", Owner: "ads-l1", Arm: "treatment", Rule: "coverage-vs-control", Subject: "offsite_visits",
		Severity: alerts.Critical, Summary: "treatment of l1cvr-42: offsite_visits is on 3 % of candidates, <97 % & falling> in control",
		RampPercent: 35, SinceMs: decided.Add(-90 * time.Second).UnixMilli(), AtMs: decided.UnixMilli(), DecidedAt: decided,
		Details: []alerts.Detail{{Name: "value", Value: "-0.94 [-0.95, -0.93]"}, {Name: "auctions", Value: "184,032"}},
		Runbook: "https://runbooks.example/coverage",
	}
	if action == alerts.Change {
		n.Key, n.Rule, n.Subject, n.Severity, n.SinceMs = "rampgauge/l1cvr-42/treatment/ramp", "", "", "", 0
		n.Summary = "treatment of l1cvr-42: ramp from 20 % to 35 %"
	}
	return n
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
