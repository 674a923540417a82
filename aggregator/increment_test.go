package aggregator

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/fixed"
)

// incrementOptions have cohorts that close as fine panes, minutes and hours.
func incrementOptions() Options {
	return Options{
		Levels:            Levels{Fine: 10 * time.Second, FineFor: 6 * time.Minute, MinuteFor: 130 * time.Minute, Retention: 12 * time.Hour},
		Windows:           []time.Duration{time.Minute, 6 * time.Hour},
		Slices:            [][]string{{"surface"}},
		AttributionWindow: 3 * time.Hour,
	}
}

// shown is one impression of the workload, with its conversion, if any.
type shown struct {
	arm, surface, opt string
	source            int
	ms, delay         int64 // delay below 0: none
	p                 float32
}

// moment is one thing that happens to a source, at its time.
type moment struct {
	ms    int64
	of    *shown
	label bool
}

// workload has impressions over the first hour and their conversions, in order.
func workload(r *rand.Rand, n int, attribution time.Duration) (all []shown, moments []moment) {
	for range n {
		s := shown{
			arm: pick(r, "control", "treatment"), surface: pick(r, "home", "search"), opt: pick(r, "CPC", "oCPM"),
			source: r.IntN(2), ms: start + r.Int64N(time.Hour.Milliseconds()), delay: -1, p: 0.05 + 0.9*r.Float32(),
		}
		if r.IntN(2) == 0 {
			s.delay = int64(math.Exp(math.Log(float64(attribution.Milliseconds())) * r.Float64()))
		}
		all = append(all, s)
	}
	for i := range all {
		s := &all[i]
		moments = append(moments, moment{s.ms, s, false})
		if s.delay >= 0 {
			moments = append(moments, moment{s.ms + s.delay, s, true})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return int(a.ms - b.ms) })
	return all, moments
}

func (m *moment) apply(p *Partition) {
	s := m.of
	e := ordinaryAuction(event.Candidates{OptTypes: list("CPC", "oCPM"), OptTypeIdx: []uint32{0}})
	e.EventTimeMs = s.ms
	e.Assignments = []event.Assignment{{Experiment: []byte("x"), Arm: []byte(s.arm), RampPercent: 50}}
	e.Dimensions = []event.Dimension{{Key: []byte("surface"), Value: []byte(s.surface)}}
	route := p.Route(e)
	w := Winner{
		Route: route, TimeMs: s.ms, Prediction: s.p, Weight: 1, Families: -1, OptTypes: p.OptTypes(e),
		OptType: uint8(slices.Index([]string{"CPC", "oCPM"}, s.opt)), Cluster: uint64(s.ms) * 0x9e3779b97f4a7c15,
	}
	p.Observe(m.ms)
	if m.label {
		p.Label(&w, Outcome{}, Outcome{Positive: true, DelayMs: s.delay, Type: p.ConversionType([]byte("buy"))})
		return
	}
	p.Candidates(route, e, w.Cluster, true)
	p.Winner(&w)
}

// cohortKey names a cohort in a test, by the window that it is reported in.
type cohortKey struct {
	windowMs          int64
	arm, surface, opt string
	fromMs, upToMs    int64
}

type cohortWant struct {
	Labels   int64
	Expected float64
}

// wantCohorts works out, impression by impression, which window closes what.
func wantCohorts(o Options, all []shown, width int64) map[cohortKey]cohortWant {
	out := map[cohortKey]cohortWant{}
	for _, s := range all {
		from := int64(-1)
		for _, upTo := range edgesOf(o.AttributionWindow) {
			group := int64(10_000)
			if upTo > 255_000 { // 7/8 of 6 minutes, less a minute
				group = 60_000
			}
			if upTo > 3_225_000 { // 7/8 of 130 minutes, less an hour
				group = 3_600_000
			}
			closes := (s.ms/group+1)*group + upTo
			window := (closes+width-1)/width*width - width // the one with closes in (from, to]
			for _, surface := range []string{"", s.surface} {
				k := cohortKey{window, s.arm, surface, s.opt, from, upTo}
				v := out[k]
				v.Expected += float64(s.p)
				if s.delay > from && s.delay <= upTo {
					v.Labels++
				}
				out[k] = v
			}
			from = upTo
		}
	}
	return out
}

func surfaceOf(l Labels) string {
	for _, label := range l.List() {
		return label.Value
	}
	return ""
}

// stepper asks for stretch after stretch while records come.
type stepper struct {
	s       *sources
	moments []moment
	next    int
	through int64
	lags    bool // the second source hears of no time but that of its own records
}

// until tells the sources all that happens up to ms, and publishes it.
func (s *stepper) until(ms int64) {
	for ; s.next < len(s.moments) && s.moments[s.next].ms < ms; s.next++ {
		s.moments[s.next].apply(s.s.partitions[s.moments[s.next].of.source])
	}
	for i, p := range s.s.partitions {
		if i == 0 || !s.lags {
			p.Observe(ms)
		}
		s.s.flush(i)
	}
}

func (s *stepper) ask(t *testing.T, to int64) *Increment {
	t.Helper()
	in, err := s.s.merged.Increment("x", s.through, to)
	s.through = to
	if err != nil {
		if s.next == 0 {
			return &Increment{} // no auction has come yet
		}
		t.Fatal(err)
	}
	return in
}

// Asked in time, each stretch has exactly the cohorts that close in it, and all of
// them together each impression once and each conversion once.
func TestIncrementsHaveEachCohortOnce(t *testing.T) {
	const width = 10_000
	o := incrementOptions()
	all, moments := workload(newRand(1), 300, o.AttributionWindow)
	begin := floorTo(start, width)
	s := &stepper{s: newSources(o, 2), moments: moments, through: begin}
	got := map[cohortKey]cohortWant{}
	auctions, complete := map[string]int64{}, map[string]int64{}
	r := newRand(2)
	s.until(begin + 2*width)
	for s.through < begin+int64((6*time.Hour)/time.Millisecond) {
		to := s.through + width
		s.until(to + width + r.Int64N(40_000)) // asked a little late
		in := s.ask(t, to)
		for _, c := range in.Cells {
			if c.RampPercent != 50 {
				t.Fatalf("ramp of %s: got %v, want 50", c.Arm, c.RampPercent)
			}
			at := c.Arm + surfaceOf(c.Labels)
			auctions[at] += c.Sums.Candidates.Auctions
			if c.Complete != nil {
				complete[at] += c.Complete.All.N
			}
			for _, k := range c.Cohorts {
				got[cohortKey{in.FromMs, c.Arm, surfaceOf(c.Labels), k.OptimizationType, k.FromMs, k.UpToMs}] = cohortWant{k.Labels, k.Expected}
			}
		}
	}
	if d := cmp.Diff(wantCohorts(o, all, width), got, cmpopts.EquateApprox(1e-9, 1e-12)); d != "" {
		t.Errorf("cohorts (-want +got):\n%.3000s", d)
	}
	want := map[string]int64{}
	for _, s := range all {
		want[s.arm]++
		want[s.arm+s.surface]++
	}
	for what, got := range map[string]map[string]int64{"auctions": auctions, "winners whose window closed": complete} {
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
}

// Asked at any time, by windows of any length and across roll-ups, nothing comes
// twice; and of what is lost there is no more than a pane at each pause.
func TestLateIncrementsHaveNothingTwice(t *testing.T) {
	o := incrementOptions()
	edges := edgesOf(o.AttributionWindow)
	for seed := range uint64(60) {
		r := newRand(seed)
		all, moments := workload(r, 40, o.AttributionWindow)
		begin := floorTo(start, 10_000)
		s := &stepper{s: newSources(o, 2), moments: moments, through: begin, lags: seed%2 == 0}
		newest := begin
		expected, labels, pauses := map[int64]fixed.Int128{}, int64(0), 0
		auctions := int64(0)
		for s.through < begin+int64((7*time.Hour)/time.Millisecond) {
			to := s.through + pick[int64](r, 10_000, 10_000, 60_000, 600_000)
			if newest < to+10_000 {
				pause := pick[int64](r, 0, 0, 0, 0, 0, 0, 0, 600_000, 3*3_600_000)
				newest = to + 10_000 + pause
				if pause > 0 {
					pauses++
				}
				s.until(newest)
			}
			for _, c := range s.ask(t, to).Cells {
				if c.Labels != "" {
					continue
				}
				auctions += c.Sums.Candidates.Auctions
				for _, k := range c.Cohorts {
					expected[k.UpToMs] = expected[k.UpToMs].Add(fixed.FromFloat(k.Expected, fixed.ProbBits))
					labels += k.Labels
				}
			}
		}
		var total fixed.Int128
		converted := int64(0)
		for _, s := range all {
			total = total.Add(fixed.FromFloat(float64(s.p), fixed.ProbBits))
			if s.delay >= 0 {
				converted++
			}
		}
		for _, edge := range edges {
			if got, most := expected[edge].Float(fixed.ProbBits), total.Float(fixed.ProbBits); got > most*(1+1e-9) || pauses == 0 && got < most*(1-1e-9) {
				t.Errorf("seed %d: delays up to %d: expected %v of %v, after %d pauses", seed, edge, got, most, pauses)
			}
		}
		if labels > converted || auctions > int64(len(all)) || pauses == 0 && (labels < converted || auctions < int64(len(all))) {
			t.Errorf("seed %d: %d labels of %d, %d auctions of %d, after %d pauses", seed, labels, converted, auctions, len(all), pauses)
		}
	}
}

// The level of an arm: over all cohorts as many conversions have matured as were
// predicted, and a curve that is known splits them by delay.
func TestCohortsMature(t *testing.T) {
	o := incrementOptions()
	_, moments := workload(newRand(3), 2000, o.AttributionWindow)
	begin := floorTo(start, 3_600_000)
	s := &stepper{s: newSources(o, 2), moments: moments, through: begin}
	s.until(begin + int64((6*time.Hour)/time.Millisecond))
	// All windows have closed by then, in this one stretch.
	in := s.ask(t, begin+int64((6*time.Hour)/time.Millisecond))
	for _, c := range in.Cells {
		var matured, all float64
		byType := map[string]float64{}
		for _, k := range c.Cohorts {
			matured += k.Matured
			byType[k.OptimizationType] = max(byType[k.OptimizationType], k.Expected)
		}
		for _, v := range byType {
			all += v
		}
		if math.Abs(matured-all) > 1e-6*all {
			t.Errorf("%s: %v have matured of %v", fmt.Sprint(c.Arm, c.Labels), matured, all)
		}
		if len(c.Delays) != 2 || c.Complete == nil {
			t.Fatalf("%s: delays %+v", c.Arm, c.Delays)
		}
		for _, d := range c.Delays {
			if share := float64(d.Early) / float64(d.All); share < 0.4 || share > 0.75 {
				t.Errorf("%s: %s: %d of %d within %d ms, want a little over half", c.Arm, d.OptimizationType, d.Early, d.All, d.EarlyMs)
			}
		}
		if c.DesignEffect < 1 || c.DesignEffect > 1.6 {
			t.Errorf("%s: design effect of impressions that are independent: got %v", c.Arm, c.DesignEffect)
		}
	}
}

func TestIncrementOfNothing(t *testing.T) {
	if _, err := newSources(incrementOptions(), 1).merged.Increment("x", 0, 10_000); !errors.Is(err, ErrUnknownExperiment) {
		t.Errorf("got %v, want %v", err, ErrUnknownExperiment)
	}
}

// The ramp of an arm is the one that most of its auctions had, and while it has
// none the one that it had last.
func TestIncrementRamp(t *testing.T) {
	begin := floorTo(start, 60_000)
	s := newSources(incrementOptions(), 1)
	p := s.partitions[0]
	auctionAt := func(ms int64, ramp float64, n int) {
		for i := range n {
			e := ordinaryAuction(event.Candidates{})
			e.EventTimeMs = ms + int64(i)
			e.Assignments[0].RampPercent = ramp
			p.Observe(e.EventTimeMs)
			p.Candidates(p.Route(e), e, 0, true)
		}
	}
	auctionAt(begin, 20, 5)
	auctionAt(begin+10_000, 20, 3)
	auctionAt(begin+12_000, 70, 2)
	auctionAt(begin+20_000, 20, 1)
	auctionAt(begin+22_000, 70, 6)
	e := ordinaryAuction(event.Candidates{})
	e.Assignments[0].RampPercent = 20
	w := Winner{Route: p.Route(e), TimeMs: begin + 31_000, Prediction: 0.5, Weight: 1, Families: -1, OptTypes: -1}
	p.Winner(&w) // of an auction before the step
	p.Observe(begin + 60_000)
	s.flush(0)
	for i, want := range []float64{20, 20, 70, 70} {
		in, err := s.merged.Increment("x", begin+int64(i)*10_000, begin+int64(i+1)*10_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(in.Cells) != 1 || in.Cells[0].RampPercent != want {
			t.Errorf("window %d: got %+v, want one cell at %v", i, in.Cells, want)
		}
	}
}
