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
	for seed := range uint64(24) {
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

func (m message) String() string {
	return fmt.Sprintf("%x = %x (%v)", m.key, m.value[:min(8, len(m.value))], m.version)
}
