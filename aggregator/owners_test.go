package aggregator

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// message is a record of the panes topic: an upsert as bytes.
type message struct {
	key, value []byte // value nil: a tombstone
	version    Version
	epoch      uint64 // of its writer
}

func messagesOf(source int32, newest int64, upserts []Upsert, epoch uint64) []message {
	var out []message
	for i := range upserts {
		u := &upserts[i]
		out = append(out, message{u.AppendKey(nil, source), u.AppendValue(nil, newest), u.Version, epoch})
	}
	return out
}

// topicLog is the panes topic and what a reader of all of it knows.
type topicLog struct {
	t        *testing.T
	decoder  *Decoder
	messages []message
}

func (l *topicLog) key(m *message) RecordKey {
	l.t.Helper()
	k, err := l.decoder.Key(m.key)
	if err != nil {
		l.t.Fatal(err)
	}
	return k
}

// held is what the topic holds of a source: the last record of each key, where
// that has a value.
func (l *topicLog) held(source int32) iter.Seq2[CellPane, Version] {
	last := map[CellPane]*message{}
	for i := range l.messages {
		m := &l.messages[i]
		if k := l.key(m); k.Source == source && !k.Progress {
			last[CellPane{k.Key, k.Pane}] = m
		}
	}
	return func(yield func(CellPane, Version) bool) {
		for c, m := range last {
			if m.value != nil && !yield(c, m.version) {
				return
			}
		}
	}
}

// compacted is what a cleaner leaves of the topic: of the records below a
// point, the last of each key, and of tombstones some.
func (l *topicLog) compacted(r *rand.Rand) []message {
	upTo := r.IntN(len(l.messages) + 1)
	last := map[string]int{}
	for i, m := range l.messages[:upTo] {
		last[string(m.key)] = i
	}
	var out []message
	for i, m := range l.messages {
		if i < upTo && (last[string(m.key)] != i || m.value == nil && r.IntN(2) == 0) {
			continue
		}
		out = append(out, m)
	}
	return out
}

// read gives m the messages, as a reader of the topic does.
func (l *topicLog) read(m *Merged, messages []message) {
	l.t.Helper()
	for i := range messages {
		k := l.key(&messages[i])
		u, newest := Upsert{Key: k.Key, Pane: k.Pane, Version: messages[i].version}, int64(0)
		if messages[i].value != nil {
			var err error
			if u, newest, err = l.decoder.Value(k, messages[i].value); err != nil {
				l.t.Fatal(err)
			}
			if u.Version != messages[i].version {
				l.t.Fatalf("version %v, want %v", u.Version, messages[i].version)
			}
		}
		if m.Standing(&k, u.Version, messages[i].value == nil) != Fresh && r0.IntN(2) == 0 {
			continue
		}
		m.Publish(k.Source, newest, []Upsert{u})
	}
}

// r0 only varies what must not matter.
var r0 = newRand(99)

// durable is what one source's state holds: its records, without tombstones.
type durable map[string][]byte

func (d durable) commit(ms []message) {
	for _, m := range ms {
		if m.value == nil {
			delete(d, string(m.key))
		} else {
			d[string(m.key)] = m.value
		}
	}
}

func (d durable) restore(t *testing.T, opts Options, epoch uint64) *Partition {
	t.Helper()
	p := NewPartition(opts)
	decoder := NewDecoder(opts.Levels)
	for k, v := range d {
		if err := p.Restore(decoder, []byte(k), v); err != nil {
			t.Fatal(err)
		}
	}
	p.SetEpoch(epoch)
	return p
}

func messagesInAnyOrder(r *rand.Rand, ms []message) []message {
	out := slices.Concat(ms, ms[:r.IntN(len(ms)+1)])
	r.Shuffle(len(out), func(i, k int) { out[i], out[k] = out[k], out[i] })
	return out
}

// twoOwners has an owner of epoch 1 that loses its partition without noticing,
// and one of epoch 2 that goes on from what the first has stored by then, or
// from nothing. What the first writes after that reaches the topic at any time.
// It returns the topic and the second owner. astray says that the first may
// roll up what the second never will, and that of a lost disk the topics of the
// input may hold the end only.
func twoOwners(t *testing.T, r *rand.Rand, opts Options, facts []fact, astray bool) (*topicLog, *Partition) {
	t.Helper()
	l := &topicLog{t: t, decoder: NewDecoder(opts.Levels)}
	first, state := NewPartition(opts), durable{}
	first.SetEpoch(1)
	lost := r.IntN(len(facts))
	from, diverged := 0, false
	var late []message // of the first, once it is a zombie
	zombieEnds := lost + r.IntN(len(facts)-lost)
	for i := range facts[:zombieEnds] {
		facts[i].apply(first)
		if r.IntN(6) > 0 {
			continue
		}
		if astray && i >= lost && r.IntN(2) == 0 {
			first.Observe(first.NewestMs() + r.Int64N(3*time.Hour.Milliseconds()))
		}
		ms := messagesOf(0, first.NewestMs(), first.Flush(), 1)
		if diverged = diverged || i >= lost; diverged {
			late = append(late, ms...)
			continue
		}
		state.commit(ms)
		l.messages = append(l.messages, ms...)
		from = i + 1
	}
	if r.IntN(4) == 0 {
		state = durable{} // the disk is lost
		if from = 0; astray {
			from = r.IntN(lost + 1)
		}
	}
	writeLate := func(n int) (written []message) {
		n = min(n, len(late))
		written, late = late[:n], late[n:]
		l.messages = append(l.messages, written...)
		return written
	}
	writeLate(r.IntN(20)) // before the second looks

	second := state.restore(t, opts, 2)
	commit := func() {
		l.messages = append(l.messages, messagesOf(0, second.NewestMs(), second.Flush(), 2)...)
		for _, m := range writeLate(r.IntN(30)) {
			if k := l.key(&m); !k.Progress {
				second.Correct(CellPane{k.Key, k.Pane})
			}
		}
	}
	caughtUp := from + r.IntN(len(facts)-from)
	reconciled := false
	for i := from; i < len(facts); i++ {
		facts[i].apply(second)
		switch {
		case i >= caughtUp && !reconciled:
			reconciled = true
			second.Reconcile(l.held(0))
			commit()
		case r.IntN(6) > 0:
		case reconciled:
			commit()
		default:
			second.Flush() // stored, not published
		}
	}
	for range 3 {
		commit()
		writeLate(0)
	}
	for len(late) > 0 {
		commit()
	}
	commit()
	return l, second
}

// What a reader holds in the end is what the partition's owner holds: a zombie
// of an older epoch, duplicates, readings from the start and what a cleaner has
// taken out of the topic do not show, in whatever order the records come.
func TestZombiesDoNotShow(t *testing.T) {
	for seed := range uint64(40) {
		r := newRand(seed)
		opts := testOptions()
		if seed%4 > 0 {
			opts.Slices = nil
		}
		facts := randomFacts(r, 20, pick(r, 10*time.Minute, 5*time.Hour))
		astray := r.IntN(2) == 0
		l, owner := twoOwners(t, r, opts, facts, astray)
		asWritten := NewMerged(opts)
		l.read(asWritten, l.messages)
		reference := NewMerged(opts)
		if astray {
			owner.Republish()
			reference.Publish(0, asWritten.NewestMs(), owner.Flush())
		} else {
			alone := NewPartition(opts)
			for i := range facts {
				facts[i].apply(alone)
			}
			reference.Publish(0, alone.NewestMs(), alone.Flush())
		}
		want := everything(t, reference)
		for what, ms := range map[string][]message{
			"as written":             l.messages,
			"in any order and twice": messagesInAnyOrder(r, l.messages),
			"compacted":              l.compacted(r),
			"compacted in any order": messagesInAnyOrder(r, l.compacted(r)),
			"read twice":             slices.Concat(l.messages, l.compacted(r)),
		} {
			m := NewMerged(opts)
			replay := r.IntN(2) == 0
			if replay {
				m.BeginReplay()
			}
			n := r.IntN(len(ms) + 1)
			l.read(m, ms[:n])
			if replay {
				m.EndReplay()
			}
			l.read(m, ms[n:])
			m.Publish(1, asWritten.NewestMs(), nil) // which a cleaner may have taken out of what source 0 says
			what := fmt.Sprintf("seed %d, %s, replay %v", seed, what, replay)
			wantSameText(t, what, want, everything(t, m))
			m.wantWindows(t, what)
			wantDisjoint(t, what, m)
		}
		if t.Failed() {
			return
		}
	}
}

// wantDisjoint checks that no two panes of one source and cell overlap, and
// that no more is remembered than may come back.
func wantDisjoint(t *testing.T, what string, m *Merged) {
	t.Helper()
	for _, tr := range m.tracks {
		end := map[int32]int64{}
		for _, e := range tr.panes {
			for _, p := range e.parts {
				if e.pane.StartMs < end[p.source] {
					t.Errorf("%s: %+v: pane %+v of source %d overlaps the one before", what, tr.key, e.pane, p.source)
				}
				end[p.source] = e.pane.EndMs()
			}
		}
	}
	for k, of := range m.graves {
		for _, g := range of {
			if g.pane.StartMs < m.opts.Levels.Horizon(m.newest) {
				t.Errorf("%s: %+v: pane %+v is beyond the horizon and remembered", what, k, g.pane)
			}
		}
	}
}

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
			p.Candidates(p.Route(e), e)
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

func (m message) String() string {
	return fmt.Sprintf("%x = %x (%v)", m.key, m.value[:min(8, len(m.value))], m.version)
}
