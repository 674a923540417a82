package rehearse

import (
	"math"
	"strings"
	"testing"
)

func TestParseSeries(t *testing.T) {
	const gap = -1
	for _, tc := range []struct {
		text string
		want []float64 // pane by pane; gap: no data
	}{
		{"5", []float64{5, 5, 5}},
		{"5x3", []float64{5, 5, 5, 5}},
		{"1 2 3", []float64{1, 2, 3, 3}},
		{"1+2x3 0", []float64{1, 3, 5, 0, 0}},
		{"1-0.25x3", []float64{1, 0.75, 0.5, 0.5}},
		{"_ 2 _x2 3", []float64{gap, 2, gap, gap, 3, 3}},
		{"1x2 _", []float64{1, 1, gap, gap}},
		{"2e3 .5 1.e-1x1", []float64{2000, 0.5, 0.1}},
		{"1e+3x1", []float64{1000}},
		{" 0.97x2\t0.03x1 ", []float64{0.97, 0.97, 0.03}},
	} {
		s, err := ParseSeries(tc.text)
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
			continue
		}
		for i, want := range tc.want {
			got, ok := s.at(i)
			if ok != (want != gap) || ok && math.Abs(got-want) > 1e-12 {
				t.Errorf("%q: pane %d: got %g, %v; want %g", tc.text, i, got, ok, want)
			}
		}
	}
}

func TestParseSeriesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":            `"" is no series`,
		" ":           "is no series",
		"five":        `"five" is no part of a series`,
		"-5":          "is no part",
		"1+2":         "is no part",
		"5x":          "is no part",
		"5x0":         "has 0 panes; want 1 to 100000",
		"5x100001":    "has 100001 panes",
		"1x99999 1x2": `"1x2" has 2 panes`,
		"5-1x7":       "goes from 5 to -1; want 0 to 1e+12",
		"1e13":        "goes from 1e+13 to 1e+13",
		"1e999":       "out of range",
		"NaN":         "is no part",
		"_5":          "is no part",
	} {
		if _, err := ParseSeries(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestNoSeries(t *testing.T) {
	var s Series
	if v, ok := s.at(3); ok || v != 0 || s.Given() || s.Len() != 0 || s.Max() != 0 {
		t.Errorf("got %g, %v of no series", v, ok)
	}
}

func FuzzParseSeries(f *testing.F) {
	for _, seed := range []string{"5x30 5+0.1x30 _x3 0.97", "1e+3-1x5", "_", "x", "5-1x7"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSeries(text)
		if err != nil {
			return
		}
		if s.Len() < 1 || s.Len() > maxPanes {
			t.Fatalf("%q: %d panes", text, s.Len())
		}
		for i := range s.Len() + 1 {
			if v, _ := s.at(i); !(0 <= v && v <= maxValue) {
				t.Fatalf("%q: pane %d: %g", text, i, v)
			}
		}
	})
}
