package aggregator

import (
	"fmt"
	"testing"
	"time"
)

// A roll-up is one step for a reader: after every single record the candidates
// of the past are all there, once.
func TestRollUpIsOneStep(t *testing.T) {
	opts := testOptions()
	opts.Slices, opts.Windows = nil, nil
	for seed := range uint64(20) {
		r := newRand(seed)
		p := NewPartition(opts)
		p.SetEpoch(1)
		l := &topicLog{t: t, decoder: NewDecoder(opts.Levels)}
		m := NewMerged(opts)
		base := floorTo(start, 3_600_000)
		want := map[string]int64{}
		for i := range 40 {
			e := randomAuction(r, base+int64(i)*10_000)
			e.Assignments = e.Assignments[:1]
			e.Assignments[0].Experiment = []byte("x")
			p.Candidates(p.Route(e), e, 1, true)
			want[string(e.Assignments[0].Arm)] += int64(e.Candidates.Len())
		}
		p.Observe(base + 400_000)
		ms := messagesOf(0, p.NewestMs(), p.Flush(), 1)
		l.read(m, ms)
		p.Observe(base + 4*3_600_000)
		for _, late := range messagesOf(0, base+400_000, p.Flush(), 1) {
			l.read(m, []message{late})
			got := map[string]int64{}
			s, err := m.Summary(Query{Experiment: "x"})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range s.Arms {
				got[a.Arm] = a.Total.Candidates.All.N
			}
			for arm, n := range want {
				if got[arm] != n {
					t.Fatalf("seed %d: arm %s has %d candidates after %v, want %d", seed, arm, got[arm], l.key(&late), n)
				}
			}
		}
		if len(m.graves) != 0 {
			t.Errorf("seed %d: a plain roll-up leaves graves: %+v", seed, m.graves)
		}
	}
}

// After a crash the state holds what was stored; reconciling publishes what
// was not, and nothing else.
func TestReconcileAfterACrash(t *testing.T) {
	for seed := range uint64(20) {
		r := newRand(seed)
		opts := testOptions()
		facts := randomFacts(r, 30, 5*time.Hour)
		p, state := NewPartition(opts), durable{}
		p.SetEpoch(1)
		l := &topicLog{t: t, decoder: NewDecoder(opts.Levels)}
		var unpublished int
		for i := range facts {
			facts[i].apply(p)
			if i%10 == 9 {
				ms := messagesOf(0, p.NewestMs(), p.Flush(), 1)
				state.commit(ms)
				if i > len(facts)-20 {
					unpublished = len(ms)
					break
				}
				l.messages = append(l.messages, ms...)
			}
		}
		again := state.restore(t, opts, 2)
		differ := again.Reconcile(l.held(0))
		if again.Flush(); differ > unpublished {
			t.Errorf("seed %d: %d panes differ, %d records were not published", seed, differ, unpublished)
		}
		again = state.restore(t, opts, 3)
		again.Reconcile(l.held(0))
		l.messages = append(l.messages, messagesOf(0, again.NewestMs(), again.Flush(), 3)...)
		if n := again.Reconcile(l.held(0)); n != 0 {
			t.Errorf("seed %d: %d panes differ after all is published", seed, n)
		}
		direct, read := NewMerged(opts), NewMerged(opts)
		direct.Publish(0, p.NewestMs(), p.Flush())
		p.Republish()
		direct.Publish(0, p.NewestMs(), p.Flush())
		l.read(read, l.messages)
		wantSameText(t, fmt.Sprintf("seed %d", seed), everything(t, direct), everything(t, read))
	}
}

// Two sources cut at different label sets; what the readers of their records
// keep is the same, in any order and from a compacted topic.
func TestBudgetOverRecords(t *testing.T) {
	for seed := range uint64(12) {
		r := newRand(seed)
		opts := testOptions()
		opts.EachDimension = true
		opts.MaxSeries = 1 + r.IntN(40)
		facts := randomFacts(r, 20, 2*opts.Levels.FineFor)
		want := everything(t, run(opts, facts, 1, 0, r).merged)
		l := &topicLog{t: t, decoder: NewDecoder(opts.Levels)}
		parts := []*Partition{NewPartition(opts), NewPartition(opts)}
		place := map[any]int{}
		for i := range facts {
			k, ok := place[facts[i].auction]
			if !ok {
				k = r.IntN(2)
				place[facts[i].auction] = k
			}
			facts[i].apply(parts[k])
			if r.IntN(5) == 0 {
				l.messages = append(l.messages, messagesOf(int32(k), parts[k].NewestMs(), parts[k].Flush(), 1)...)
			}
		}
		newest := max(parts[0].NewestMs(), parts[1].NewestMs())
		for range 2 {
			for k, p := range parts {
				p.Observe(newest)
				l.messages = append(l.messages, messagesOf(int32(k), newest, p.Flush(), 1)...)
			}
		}
		for what, ms := range map[string][]message{"as written": l.messages, "compacted": l.compacted(r), "in any order": messagesInAnyOrder(r, l.messages)} {
			m := NewMerged(opts)
			m.BeginReplay()
			l.read(m, ms)
			m.EndReplay()
			wantSameText(t, fmt.Sprintf("seed %d, at most %d cells, %s", seed, opts.MaxSeries, what), want, everything(t, m))
		}
		// The cells that were cut have left the topic as well.
		for k := range parts {
			for c := range l.held(int32(k)) {
				if !parts[k].store.budget.keeps(c.Key) {
					t.Fatalf("seed %d: %+v is cut, and on the topic", seed, c)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
}
