//go:build promtool

package exposition_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/internal/api/apitest"
)

// TestPromtoolCheckMetrics lets promtool, whose path is in $PROMTOOL, check a
// scrape in which every metric is filled.
func TestPromtoolCheckMetrics(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		t.Fatal("$PROMTOOL is not set; run make metrics")
	}
	_, body := scrape(t, options(apitest.Ramp(complete)), "")
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
