//go:build promtool

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPromtool runs the demo over the bundled log and lets promtool, whose path
// is in $PROMTOOL, check what a scrape returns.
func TestPromtool(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		t.Fatal("$PROMTOOL is not set; run make metrics")
	}
	var out output
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	exit := make(chan int, 1)
	go func() {
		exit <- execute(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--data", filepath.Join("..", "..", "examples", "openbandit")},
			system{stdout: &out, stderr: &out, hangups: noHangups})
	}()
	eventually(t, func() (bool, string) {
		text := out.String()
		return strings.Contains(text, "feature_coverage: "), text
	})
	_, rest, _ := strings.Cut(out.String(), "http://")
	page := fetch(t, "http://"+strings.Fields(rest)[0]+"/metrics")
	if !strings.Contains(page, "rampgauge_calibration_ratio{") {
		t.Errorf("the scrape lacks the experiment's numbers:\n%s", page)
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(page)
	var findings bytes.Buffer
	check.Stdout, check.Stderr = &findings, &findings
	if err := check.Run(); err != nil || findings.Len() > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, findings.String())
	}
	cancel()
	select {
	case code := <-exit:
		if code != exitOK {
			t.Errorf("exit %d: %s", code, out.String())
		}
	case <-time.After(10 * time.Second):
		t.Error("the demo does not leave")
	}
}
