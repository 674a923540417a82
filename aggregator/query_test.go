package aggregator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// tell counts one auction of one candidate, with dimensions given as name=value.
func tell(p *Partition, ms int64, arm string, ramp float64, dimensions ...string) {
	e := ordinaryAuction(event.Candidates{ItemIDs: []uint64{1}, Predictions: []float32{0.5}})
	e.EventTimeMs = ms
	e.Assignments[0].Arm, e.Assignments[0].RampPercent = []byte(arm), ramp
	for _, d := range dimensions {
		name, value, _ := strings.Cut(d, "=")
		e.Dimensions = append(e.Dimensions, event.Dimension{Key: []byte(name), Value: []byte(value)})
	}
	f := fact{auction: e, winner: -1}
	f.apply(p)
}

// brief is a summary as counts of candidates: arm, ramps, total, slices.
func brief(s *Summary) string {
	var b strings.Builder
	for _, a := range s.Arms {
		fmt.Fprintf(&b, "%s%v=%d", a.Arm, a.RampPercents, a.Total.Candidates.All.N)
		for _, sl := range a.Slices {
			fmt.Fprintf(&b, " %s=%d", strings.NewReplacer("\x01", ",", "\x02", ":").Replace(string(MakeLabels(sl.Labels))), sl.Sums.Candidates.All.N)
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestSummaryQueries(t *testing.T) {
	opts := testOptions()
	opts.Slices = [][]string{{"surface"}, {"surface", "country"}}
	s := newSources(opts, 1)
	p := s.partitions[0]
	tell(p, start, "control", 80, "country=de", "surface=home")
	tell(p, start, "control", 80, "country=de", "surface=home")
	tell(p, start, "control", 80, "surface=search")
	tell(p, start, "control", 30, "country=jp", "surface=home")
	tell(p, start, "treatment", 20, "country=jp", "surface=home")
	tell(p, start, "treatment", 70)
	tell(p, start, "treatment", 70, "country=de")
	s.flush(0)
	seventy := 70.0
	where := func(pairs ...string) (out []Label) {
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			out = append(out, Label{name, value})
		}
		return out
	}
	for _, tc := range []struct {
		name string
		q    Query
		want string
	}{
		{"all", Query{}, "control[30 80]=4; treatment[20 70]=3"},
		{"one ramp", Query{RampPercent: &seventy}, "treatment[70]=2"},
		{"by surface", Query{Slice: []string{"surface"}}, "control[30 80]=4 surface:home=3 surface:search=1; treatment[20 70]=3 surface:home=1"},
		{"by both, in any order", Query{Slice: []string{"surface", "country"}},
			"control[30 80]=4 country:de,surface:home=2 country:jp,surface:home=1; treatment[20 70]=3 country:jp,surface:home=1"},
		{"where", Query{Where: where("surface=home")}, "control[30 80]=3; treatment[20]=1"},
		{"where nothing is", Query{Where: where("surface=nowhere")}, ""},
		{"where two", Query{Where: where("surface=home", "country=de")}, "control[80]=2"},
		{"by surface where country", Query{Slice: []string{"surface"}, Where: where("country=jp")}, "control[30]=1 surface:home=1; treatment[20]=1 surface:home=1"},
		{"by surface where surface", Query{Slice: []string{"surface"}, Where: where("surface=search")}, "control[80]=1 surface:search=1"},
		{"by surface at one ramp", Query{Slice: []string{"surface"}, RampPercent: &seventy}, "treatment[70]=2"},
		{"before all", Query{FromMs: 1, ToMs: 2}, ""},
	} {
		tc.q.Experiment = "x"
		got, err := s.merged.Summary(tc.q)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		} else if b := brief(got); b != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, b, tc.want)
		}
	}
	for _, tc := range []struct {
		name string
		q    Query
		err  error
		text string
	}{
		{"unknown experiment", Query{Experiment: "y"}, ErrUnknownExperiment, `experiment "y": no auction of it was seen: unknown experiment`},
		{"slice not kept", Query{Experiment: "x", Slice: []string{"country"}}, ErrSliceNotKept, `slice "country": kept are "country,surface", "surface": slice is not kept`},
		{"filter not kept", Query{Experiment: "x", Where: where("unit=1")}, ErrSliceNotKept, ""},
	} {
		_, err := s.merged.Summary(tc.q)
		if !errors.Is(err, tc.err) || tc.text != "" && err.Error() != tc.text {
			t.Errorf("%s: %v, want %s: %v", tc.name, err, tc.text, tc.err)
		}
		if _, err := s.merged.Series(tc.q, time.Minute); !errors.Is(err, tc.err) {
			t.Errorf("%s: Series: %v, want %v", tc.name, err, tc.err)
		}
	}
	if d := cmp.Diff([][]string{{"country", "surface"}, {"surface"}}, s.merged.Slices("x")); d != "" {
		t.Errorf("Slices (-want +got):\n%s", d)
	}
	if got := s.merged.Slices("y"); got != nil {
		t.Errorf("Slices of an unknown experiment = %v", got)
	}
}

// Each dimension is kept singly when asked for, beside the slices.
func TestEachDimension(t *testing.T) {
	opts := testOptions()
	opts.Slices, opts.EachDimension = nil, true
	s := newSources(opts, 1)
	tell(s.partitions[0], start, "control", 50, "country=de", "surface=home")
	s.flush(0)
	if d := cmp.Diff([][]string{{"country"}, {"surface"}}, s.merged.Slices("x")); d != "" {
		t.Errorf("Slices (-want +got):\n%s", d)
	}
}

// Bounds are widened to whole panes, of the width that they have at their age.
func TestSummaryBounds(t *testing.T) {
	opts := testOptions() // minutes after 6 min, hours after 130 min, nothing after 4 h
	hour := floorTo(start, 3_600_000)
	newest := hour + 4*3_600_000
	s := newSources(opts, 1)
	p := s.partitions[0]
	minutes := func(m, sec int64) int64 { return hour + (m*60+sec)*1000 }
	p.Observe(newest)
	for _, ms := range []int64{minutes(10, 0), minutes(200, 30), minutes(239, 25), newest} {
		tell(p, ms, "control", 50)
	}
	s.flush(0)
	for _, tc := range []struct {
		name               string
		from, to           int64
		wantFrom, wantTo   int64
		candidates         int64
		steps, pointsWidth int64
	}{
		{"all", 0, 0, hour, newest + 10_000, 4, 4, 10_000},
		{"inside a fine pane", minutes(239, 27), minutes(239, 28), minutes(239, 20), minutes(239, 30), 1, 1, 10_000},
		{"to is not included", minutes(239, 10), minutes(239, 20), minutes(239, 10), minutes(239, 20), 0, 0, 10_000},
		{"inside a minute", minutes(200, 1), minutes(200, 2), minutes(200, 0), minutes(201, 0), 1, 1, 10_000},
		{"inside an hour", minutes(50, 0), minutes(51, 0), hour, minutes(60, 0), 1, 1, 10_000},
		{"from only", minutes(200, 0), 0, minutes(200, 0), newest + 10_000, 3, 3, 10_000},
		{"to only", 0, minutes(200, 1), hour, minutes(201, 0), 2, 2, 10_000},
		{"older than the retention", 1000, 0, hour, newest + 10_000, 4, 4, 10_000},
		{"in steps of an hour", 0, 0, hour, newest + 10_000, 4, 3, 3_600_000},
	} {
		q := Query{Experiment: "x", FromMs: tc.from, ToMs: tc.to}
		got, err := s.merged.Summary(q)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for _, a := range got.Arms {
			n += a.Total.Candidates.All.N
		}
		if got.FromMs != tc.wantFrom || got.ToMs != tc.wantTo || n != tc.candidates {
			t.Errorf("%s: [%d, %d) with %d candidates, want [%d, %d) with %d", tc.name,
				got.FromMs-hour, got.ToMs-hour, n, tc.wantFrom-hour, tc.wantTo-hour, tc.candidates)
		}
		series, err := s.merged.Series(q, time.Duration(tc.pointsWidth)*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		points := series.Arms["control"]
		if int64(len(points)) != tc.steps || !slices.IsSortedFunc(points, func(a, b Point) int { return int(a.StartMs - b.StartMs) }) {
			t.Errorf("%s: series of %d steps, want %d in order: %+v", tc.name, len(points), tc.steps, points)
		}
		var total int64
		for _, pt := range points {
			if pt.StartMs%tc.pointsWidth != 0 {
				t.Errorf("%s: a step starts at %d", tc.name, pt.StartMs)
			}
			total += pt.Sums.Candidates.All.N
		}
		if total != tc.candidates {
			t.Errorf("%s: series of %d candidates, want %d", tc.name, total, tc.candidates)
		}
	}
}

// Roll-up moves sums to the panes that Levels.At says, and keeps the total.
func TestRollUpKeepsTotals(t *testing.T) {
	for seed := range uint64(10) {
		r := newRand(seed)
		opts := testOptions()
		opts.Slices = nil
		opts.Levels.Retention = 100 * time.Hour
		s := newSources(opts, 1)
		p := s.partitions[0]
		for _, f := range randomFacts(r, 60, 20*time.Minute) {
			f.apply(p)
		}
		s.flush(0)
		total := func() string {
			got, err := s.merged.Summary(Query{Experiment: "x"})
			if err != nil {
				t.Fatal(err)
			}
			var all Sums
			for _, a := range got.Arms {
				all.Add(a.Total)
			}
			all.Winners.Ages = nil
			return dump(&all)
		}
		want := total()
		for _, later := range []time.Duration{time.Minute, 7 * time.Minute, 30 * time.Minute, 2 * time.Hour, 4 * time.Hour, 90 * time.Hour} {
			newest := start + later.Milliseconds() + r.Int64N(60_000)
			p.Observe(newest)
			s.flush(0)
			if got := total(); got != want {
				t.Fatalf("seed %d, %v later: the total has changed", seed, later)
			}
			for _, tr := range s.merged.tracks {
				for i := range tr.panes {
					if pane := tr.panes[i].pane; pane != opts.Levels.At(pane.StartMs, p.NewestMs()) {
						t.Fatalf("seed %d, %v later: a pane of %+v is left", seed, later, pane)
					}
				}
			}
		}
		p.Observe(start + (102 * time.Hour).Milliseconds())
		s.flush(0)
		if n := len(s.merged.tracks) + len(p.store.tracks); n != 0 {
			t.Fatalf("seed %d: %d cells are left beyond the retention", seed, n)
		}
	}
}

func TestLabelMaturity(t *testing.T) {
	opts := testOptions() // attribution window: 20 min
	s := newSources(opts, 1)
	p := s.partitions[0]
	route := p.Route(ordinaryAuction(event.Candidates{}))
	base := floorTo(start, 3_600_000)
	for _, ms := range []int64{base + 1, base + 9_999, base + 10_000} {
		p.Winner(&Winner{Route: route, TimeMs: ms, Prediction: 0.5, Weight: 1, Families: -1, OptTypes: -1})
	}
	for _, tc := range []struct {
		newest int64
		mature float64
	}{
		{base + 1_200_000 + 9_999, 0}, // the minute pane that all are in by now has not ended that long ago
		{base + 1_200_000 + 59_999, 0},
		{base + 1_200_000 + 60_000, 1},
	} {
		p.Observe(tc.newest)
		s.flush(0)
		got, err := s.merged.Summary(Query{Experiment: "x"})
		if err != nil {
			t.Fatal(err)
		}
		w := got.Arms[0].Total.Read(got.Curves).Winners
		wantNumber(t, fmt.Sprintf("label_maturity with the newest event %d ms after the first", tc.newest-base), w.LabelMaturity, tc.mature, true)
	}
}

func TestExperiments(t *testing.T) {
	opts := testOptions()
	opts.Levels = DefaultLevels()
	s := newSources(opts, 2)
	at := func(sec int64) int64 { return floorTo(start, 3_600_000) + sec*1000 }
	for i, a := range []struct {
		sec  int64
		arm  string
		ramp float64
	}{
		{0, "control", 80}, {1, "treatment", 20}, {30, "treatment", 20}, {41, "treatment", 70}, {44, "control", 30}, {90, "treatment", 70},
		// One straggler at the old ramp, in the middle of the new one.
		{45, "control", 80}, {52, "control", 30}, {95, "control", 30},
	} {
		tell(s.partitions[i%2], at(a.sec), a.arm, a.ramp, "surface=home")
	}
	s.settle()
	want := []Experiment{{
		Name: "x", FirstMs: at(0), LastMs: at(95),
		Arms: []Arm{{"control", 30, at(52)}, {"treatment", 70, at(41)}},
	}}
	if d := cmp.Diff(want, s.merged.Experiments()); d != "" {
		t.Errorf("Experiments (-want +got):\n%s", d)
	}
}

func TestLabels(t *testing.T) {
	for _, tc := range []struct {
		labels []Label
		names  string
	}{
		{nil, ""},
		{[]Label{{"a", "1"}}, "a"},
		{[]Label{{"b", ""}, {"a", "x=,\"ü"}}, "a,b"},
	} {
		l := MakeLabels(tc.labels)
		sorted := slices.SortedFunc(slices.Values(tc.labels), func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
		if d := diff(sorted, l.List()); d != "" || l.Names() != tc.names {
			t.Errorf("%v: names %q, list (-want +got):\n%s", tc.labels, l.Names(), d)
		}
	}
	// Separators in a value must not make two labels of one.
	if got := MakeLabels([]Label{{"a", "1\x01b\x022"}}).List(); len(got) != 1 {
		t.Errorf("one label is read back as %d: %v", len(got), got)
	}
}
