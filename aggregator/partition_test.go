package aggregator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// testOptions age fast, so that a few hours of events reach every level.
func testOptions() Options {
	return Options{
		Levels:            Levels{Fine: 10 * time.Second, FineFor: 6 * time.Minute, MinuteFor: 130 * time.Minute, Retention: 4 * time.Hour},
		Windows:           []time.Duration{20 * time.Second, 5 * time.Minute, 6*time.Minute + 30*time.Second, time.Hour, 3 * time.Hour},
		Slices:            [][]string{{"surface"}, {"country", "surface"}},
		AttributionWindow: 20 * time.Minute,
	}
}

// sources are Partitions that publish to one Merged.
type sources struct {
	partitions []*Partition
	merged     *Merged
}

func newSources(opts Options, n int) *sources {
	s := &sources{merged: NewMerged(opts)}
	for range n {
		s.partitions = append(s.partitions, NewPartition(opts))
	}
	return s
}

func (s *sources) flush(i int) {
	p := s.partitions[i]
	upserts := p.Flush()
	s.merged.Publish(int32(i), p.NewestMs(), upserts)
}

// settle lets every source know the newest event of all, as commits do.
func (s *sources) settle() {
	for i, p := range s.partitions {
		p.Observe(s.merged.NewestMs())
		s.flush(i)
	}
	for i, p := range s.partitions {
		p.Observe(s.merged.NewestMs())
		s.flush(i)
	}
}

// run spreads the facts over n sources, each flushed now and then.
func run(opts Options, facts []fact, n int, flushes float64, r *rand.Rand) *sources {
	s := newSources(opts, n)
	place := map[any]int{}
	for i := range facts {
		f := &facts[i]
		k, ok := place[f.auction]
		if !ok {
			k = r.IntN(n)
			place[f.auction] = k
		}
		f.apply(s.partitions[k])
		if r.Float64() < flushes {
			s.flush(k)
		}
	}
	s.settle()
	return s
}

// everything that can be asked of m, as text.
func everything(t *testing.T, m *Merged) string {
	t.Helper()
	var b strings.Builder
	summary := func(q Query) {
		s, err := m.Summary(q)
		fmt.Fprintf(&b, "summary %+v: %v\n", q, err)
		if err != nil {
			return
		}
		fmt.Fprintf(&b, " [%d, %d)\n", s.FromMs, s.ToMs)
		for _, a := range s.Arms {
			fmt.Fprintf(&b, " %s %v total %s\n", a.Arm, a.RampPercents, dump(a.Total))
			for _, sl := range a.Slices {
				fmt.Fprintf(&b, "  %v %s\n", sl.Labels, dump(sl.Sums))
			}
		}
	}
	experiments := m.Experiments()
	fmt.Fprintf(&b, "newest %d\n%+v\n", m.NewestMs(), experiments)
	for _, e := range experiments {
		q := Query{Experiment: e.Name}
		summary(q)
		for _, names := range m.Slices(e.Name) {
			q.Slice = names
			summary(q)
		}
		for _, back := range []int64{60_000, 1_000_000, 9_000_000} {
			summary(Query{Experiment: e.Name, FromMs: m.NewestMs() - back, ToMs: m.NewestMs() - back/3})
		}
		series, err := m.Series(Query{Experiment: e.Name}, 10*time.Minute)
		fmt.Fprintf(&b, "series %v\n", err)
		for _, arm := range []string{"control", "treatment"} {
			for _, p := range series.Arms[arm] {
				fmt.Fprintf(&b, " %s %d %s\n", arm, p.StartMs, dump(p.Sums))
			}
		}
	}
	for _, w := range m.Windows() {
		fmt.Fprintf(&b, "window %+v %v %s\n", w.Key, w.Window, withoutSpan(w.Sums))
	}
	return b.String()
}

func wantSameText(t *testing.T, what, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			t.Errorf("%s: line %d differs\nwant %.2000s\n got %.2000s", what, i, w[i], g[i])
			return
		}
	}
	if len(w) != len(g) {
		t.Errorf("%s: %d lines, want %d", what, len(g), len(w))
	}
}

// Sums are a function of the set of facts: partitions, flushes and order must
// not show anywhere, in no bit.
func TestPartitionsAndFlushesDoNotShow(t *testing.T) {
	for seed := range uint64(25) {
		r := newRand(seed)
		facts := randomFacts(r, 40, 5*time.Hour)
		want := everything(t, run(testOptions(), facts, 1, 0, r).merged)
		for range 3 {
			shuffled := make([]fact, len(facts))
			for i, k := range r.Perm(len(facts)) {
				shuffled[i] = facts[k]
			}
			order := pick(r, facts, shuffled)
			n, flushes := 1+r.IntN(4), pick(r, 0, 0.1, 1)
			got := everything(t, run(testOptions(), order, n, flushes, r).merged)
			wantSameText(t, fmt.Sprintf("seed %d, %d partitions, flushed after %v of the facts", seed, n, flushes), want, got)
		}
		if t.Failed() {
			return
		}
	}
}

func TestExpiredIsCountedAndLeftOut(t *testing.T) {
	s := newSources(testOptions(), 1)
	p := s.partitions[0]
	e := randomAuction(newRand(3), start)
	e.Assignments = e.Assignments[:1]
	p.Observe(testOptions().Levels.Retention.Milliseconds() + start + 3_600_000)
	p.Candidates(p.Route(e), e, 1, true)
	s.flush(0)
	if got := p.Expired(); got != 1 {
		t.Errorf("Expired = %d, want 1", got)
	}
	if got := s.merged.Experiments(); len(got) != 0 {
		t.Errorf("Experiments = %+v, want none", got)
	}
}

// One auction in three experiments is three times the same numbers.
func TestAuctionInSeveralExperiments(t *testing.T) {
	for seed := range uint64(50) {
		r := newRand(seed)
		e := randomAuction(r, start)
		e.Candidates = randomCandidates(r, 50)
		e.Assignments = e.Assignments[:1]
		e.Assignments[0].Experiment = []byte("x")
		alone := newSources(testOptions(), 1)
		f := fact{auction: e, winner: -1}
		f.apply(alone.partitions[0])
		alone.settle()
		together := newSources(testOptions(), 1)
		for _, x := range []string{"y", "z"} {
			a := e.Assignments[0]
			a.Experiment = []byte(x)
			e.Assignments = append(e.Assignments, a)
		}
		f.apply(together.partitions[0])
		together.settle()
		want, err := alone.merged.Summary(Query{Experiment: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []string{"x", "y", "z"} {
			got, err := together.merged.Summary(Query{Experiment: x})
			if err != nil {
				t.Fatal(err)
			}
			wantSame(t, fmt.Sprintf("seed %d, experiment %s", seed, x), want.Arms[0].Total, got.Arms[0].Total)
		}
	}
}
