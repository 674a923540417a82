package partition

import (
	"testing"
	"time"
)

func TestChanges(t *testing.T) {
	was := Options{Topics: [3]string{"p", "i", "c"}}
	was.Join.Window = 10 * time.Minute
	was.Join.ConversionTypes = []string{"buy, join.window 1h", "lead"}
	was.Aggregator.Slices = [][]string{{"surface"}, {"surface", "country"}}
	for _, tc := range []struct {
		name   string
		change func(o *Options)
		want   string
	}{
		{"topics", func(o *Options) { o.Topics[1] = "other" }, `topics was ["p" "i" "c"], is ["p" "other" "c"]`},
		{"first and last", func(o *Options) { o.Join.Window, o.Aggregator.EachDimension = time.Minute, true },
			"join.window was 10m0s, is 1m0s; each dimension was false, is true"},
		{"conversion types", func(o *Options) { o.Join.ConversionTypes = nil }, `join.conversion_types was ["buy, join.window 1h" "lead"], is []`},
		{"slices", func(o *Options) { o.Aggregator.Slices = o.Aggregator.Slices[:1] },
			`aggregation.slices was [["surface"] ["surface" "country"]], is [["surface"]]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := was
			tc.change(&is)
			if got := changes(settings(&was), settings(&is)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	if got, want := changes("something else", settings(&was)), `topics was , is ["p" "i" "c"]`; got[:len(want)] != want {
		t.Errorf("of what cannot be read: %s", got)
	}
}
