package aggregator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersionDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b   string
		want   uint64
		wantOK bool
	}{
		{"v7", "v7", 0, true},
		{"v7", "v5", 2, true},
		{"v5", "v7", 2, true},
		{"v9", "v10", 1, true},
		{"v09", "v10", 1, true},
		{"7", "9", 2, true},
		{"tower-2026-11-v3", "tower-2026-11-v4", 1, true},
		{"v7", "w7", 0, false},
		{"2026-10-31", "2026-11-01", 0, false},
		{"latest", "latest", 0, false},
		{"", "", 0, false},
		{"v7", "", 0, false},
		{"v99999999999999999999", "v1", 0, false},
	} {
		got, ok := versionDistance(tc.a, tc.b)
		if got != tc.want || ok != tc.wantOK {
			t.Errorf("versionDistance(%q, %q) = %d, %v; want %d, %v", tc.a, tc.b, got, ok, tc.want, tc.wantOK)
		}
	}
}

func TestDistancesShareOutTheOrderedPairs(t *testing.T) {
	c := CandidateSums{Versions: []VersionTally{
		{"", "v1", Tally{N: 100}}, // a query without version is at no distance
		{"v20", "v1", Tally{N: 1}},
		{"v20", "v10", Tally{N: 1}},
		{"v20", "v11", Tally{N: 2}},
		{"v20", "v20", Tally{N: 4}},
		{"v21", "v21", Tally{N: 8}},
	}}
	want := map[string]Number{"0": known(0.75), "9": known(0.125), "10+": known(0.125)}
	if diff := cmp.Diff(want, c.distances()); diff != "" {
		t.Errorf("distances (-want +got):\n%s", diff)
	}
}
