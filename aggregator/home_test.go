package aggregator

import (
	"fmt"
	"testing"
)

// All instances, of any version, must agree where an experiment is at home, and
// experiments must spread.
func TestHome(t *testing.T) {
	for _, tc := range []struct {
		experiment string
		n          int
		want       int32
	}{
		{"l1-cvr-v2", 0, 0}, {"l1-cvr-v2", 1, 0}, {"l1-cvr-v2", 8, 3}, {"openbandit", 8, 5}, {"", 8, 2}, {"l1-cvr-v2", 12, 11},
	} {
		if got := Home(tc.experiment, tc.n); got != tc.want {
			t.Errorf("Home(%q, %d) = %d, want %d", tc.experiment, tc.n, got, tc.want)
		}
	}
	count := make([]int, 8)
	for i := range 8000 {
		count[Home(fmt.Sprintf("experiment-%d", i), len(count))]++
	}
	for p, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("%d of 8000 experiments are at home in partition %d of 8", n, p)
		}
	}
}
