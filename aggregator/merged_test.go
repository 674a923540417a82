package aggregator

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// recomputed is what a window holds, from the panes alone.
func (m *Merged) recomputed(t *track, window time.Duration) *Sums {
	var sum Sums
	from := m.opts.Levels.At(m.newest, m.newest).EndMs() - window.Milliseconds()
	for i := range t.panes {
		e := &t.panes[i]
		if m.opts.Levels.At(e.pane.StartMs, m.newest).EndMs() > from {
			for _, p := range e.parts {
				p.packed.addTo(&sum, &Sums{})
			}
		}
	}
	return &sum
}

func (m *Merged) wantWindows(t *testing.T, when string) {
	t.Helper()
	for _, tr := range m.tracks {
		for w := range tr.windows {
			want, got := m.recomputed(tr, m.opts.Windows[w]), &tr.windows[w].sum
			if withoutSpan(want) != withoutSpan(got) {
				t.Errorf("%s: %+v, window of %v (-want +got):\n%s", when, tr.key, m.opts.Windows[w], diff(want, got))
				return
			}
		}
	}
}

// Sources publish at different progress, labels come late, panes roll up and
// expire: at every moment the running sums are those of the panes inside.
func TestWindowsAreTheSumsOfTheirPanes(t *testing.T) {
	for seed := range uint64(6) {
		r := newRand(seed)
		opts := testOptions()
		opts.Slices = nil
		n := 1 + r.IntN(3)
		s := newSources(opts, n)
		facts := randomFacts(r, 120, pick(r, 20*time.Minute, 5*time.Hour))
		step := 0
		publish := func(k int) {
			s.flush(k)
			step++
			s.merged.wantWindows(t, fmt.Sprintf("seed %d, publication %d", seed, step))
		}
		for len(facts) > 0 && !t.Failed() {
			// Mostly the next fact, at times one from further on, but never a
			// label before its winner.
			i := 0
			if r.IntN(4) == 0 {
				a := facts[r.IntN(min(100, len(facts)))].auction
				i = slices.IndexFunc(facts, func(f fact) bool { return f.auction == a })
			}
			k := int(facts[i].auction.EventTimeMs) % n
			facts[i].apply(s.partitions[k])
			facts = append(facts[:i:i], facts[i+1:]...)
			switch r.IntN(40) {
			case 0, 1:
				publish(k)
			case 2:
				publish(r.IntN(n))
			case 3:
				s.partitions[k].Republish()
				publish(k)
			case 4:
				if r.IntN(4) == 0 {
					s.merged.Remove(int32(k))
					s.merged.wantWindows(t, fmt.Sprintf("seed %d, after removing %d", seed, k))
					s.partitions[k].Republish()
				}
			}
		}
		s.settle()
		s.merged.wantWindows(t, fmt.Sprintf("seed %d, at the end", seed))
		if t.Failed() {
			return
		}
	}
}

// A pane that ages becomes part of a wider one, whose end may lie in a window
// that the pane itself had left.
func TestWindowTakesBackWhatWidens(t *testing.T) {
	opts := testOptions()
	opts.Windows = []time.Duration{opts.Levels.FineFor + 20*time.Second}
	opts.Slices = nil
	s := newSources(opts, 1)
	p := s.partitions[0]
	base := floorTo(start, 3_600_000)
	old := randomAuction(newRand(1), base+10_000)
	p.Candidates(p.Route(old), old, 1, true)
	for _, after := range []time.Duration{0, opts.Levels.FineFor + 30*time.Second, opts.Levels.FineFor + time.Minute} {
		p.Observe(base + after.Milliseconds())
		s.flush(0)
		s.merged.wantWindows(t, fmt.Sprintf("newest event at +%v", after))
	}
}

func TestRemoveForgetsASourceAndRepublishBringsItBack(t *testing.T) {
	for seed := range uint64(10) {
		r := newRand(seed)
		s := run(testOptions(), randomFacts(r, 60, 5*time.Hour), 3, 0.1, r)
		before := everything(t, s.merged)
		s.merged.Remove(1)
		s.merged.wantWindows(t, "after Remove")
		for _, tr := range s.merged.tracks {
			for i := range tr.panes {
				for _, p := range tr.panes[i].parts {
					if p.source == 1 {
						t.Fatalf("seed %d: %+v of source 1 is left in %+v", seed, tr.panes[i].pane, tr.key)
					}
				}
			}
		}
		if everything(t, s.merged) == before {
			t.Fatalf("seed %d: nothing of source 1 shows", seed)
		}
		s.partitions[1].Republish()
		s.flush(1)
		wantSameText(t, fmt.Sprintf("seed %d: after Republish", seed), before, everything(t, s.merged))

		// A new reader gets all that there is.
		fresh := NewMerged(testOptions())
		for i, p := range s.partitions {
			p.Republish()
			fresh.Publish(int32(i), p.NewestMs(), p.Flush())
		}
		wantSameText(t, fmt.Sprintf("seed %d: a new reader", seed), before, everything(t, fresh))

		// And a source that begins anew counts again from its first version.
		s.merged.Remove(1)
		again := NewPartition(testOptions())
		again.Observe(s.merged.NewestMs())
		s.merged.Publish(1, again.NewestMs(), again.Flush())
		e := randomAuction(r, s.merged.NewestMs())
		again.Candidates(again.Route(e), e, 1, true)
		s.merged.Publish(1, again.NewestMs(), again.Flush())
		if got, err := s.merged.Summary(Query{Experiment: "x", FromMs: s.merged.NewestMs()}); err != nil || len(got.Arms) == 0 {
			t.Fatalf("seed %d: the first upserts of a new source are not there: %+v, %v", seed, got, err)
		}
	}
}

// An upsert is cumulative: twice or too late changes nothing.
func TestUpsertsAreIdempotent(t *testing.T) {
	r := newRand(5)
	m, p := NewMerged(testOptions()), NewPartition(testOptions())
	var stale []Upsert
	for _, f := range randomFacts(r, 50, 4*time.Minute) {
		f.apply(p)
		upserts := p.Flush()
		m.Publish(0, p.NewestMs(), upserts)
		m.Publish(0, p.NewestMs(), upserts)
		stale = append(stale, upserts...)
	}
	want := everything(t, m)
	slices.Reverse(stale)
	m.Publish(0, 0, stale)
	wantSameText(t, "after publishing everything again", want, everything(t, m))
}
