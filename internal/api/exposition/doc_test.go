package exposition_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/api/exposition"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

const reference = "../../../docs/metrics.md"

// TestReferenceIsCurrent fails when a metric changes and its page does not.
func TestReferenceIsCurrent(t *testing.T) {
	got := exposition.Reference()
	if *update {
		if err := os.WriteFile(reference, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/metrics.md is not what the descriptors say (-page +descriptors); -update rewrites it:\n%s", diff)
	}
}
