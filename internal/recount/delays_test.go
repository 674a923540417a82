package recount

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFit is a curve by hand: of the two whose window of three buckets has closed
// one came in the last; of the three that two buckets have passed for and that
// came in them, one came in the second.
func TestFit(t *testing.T) {
	c := Curve{seen: []delayed{{0, 3}, {2, 3}, {0, 2}, {1, 2}}}
	c.fit(3)
	third := 1.0 / 3
	if d := cmp.Diff([]float64{0.5 * (1 - third), 0.5, 1}, c.F); d != "" || !c.Known || c.N != 4 {
		t.Errorf("known %v, %d conversions, F (-want +got):\n%s", c.Known, c.N, d)
	}
	young := Curve{seen: []delayed{{0, 1}, {1, 2}}}
	if young.fit(3); young.Known {
		t.Error("the curve is known while no window has closed")
	}
}

func TestBucketsOfDelay(t *testing.T) {
	r := New(Options{AttributionWindow: 45 * time.Second, Levels: DefaultLevels()})
	if d := cmp.Diff([]int64{10_000, 30_000, 45_000}, r.edges); d != "" {
		t.Errorf("edges (-want +got):\n%s", d)
	}
	for delay, want := range map[int64]int{0: 0, 10_000: 0, 10_001: 1, 30_000: 1, 45_000: 2} {
		if got := r.bucketOf(delay); got != want {
			t.Errorf("bucketOf(%d) = %d, want %d", delay, got, want)
		}
	}
	r.newestMs = 100_000_000
	// The pane of t ends at 99,970,000: 30 s ago.
	for t0, want := range map[int64]int{99_960_000: 2, 99_969_999: 2, 99_970_000: 1, 99_999_999: 0, 99_950_000: 2, 99_949_999: 3} {
		if got := r.passed(t0); got != want {
			t.Errorf("passed(%d) = %d, want %d", t0, got, want)
		}
	}
}
