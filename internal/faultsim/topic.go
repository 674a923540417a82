package faultsim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/rampgauge/rampgauge/aggregator"
)

// message is a record of the panes topic. Without value it is a tombstone,
// whose version is in a header.
type message struct {
	offset     int64
	source     int32
	key, value []byte
	version    aggregator.Version
}

// topic is the panes topic.
type topic struct {
	messages []message
	end      int64 // offset of the next message
}

func (t *topic) append(m message) {
	m.offset = t.end
	t.end++
	t.messages = append(t.messages, m)
}

// from lists the messages from an offset on.
func (t *topic) from(offset int64) []message {
	i := sort.Search(len(t.messages), func(i int) bool { return t.messages[i].offset >= offset })
	return t.messages[i:]
}

// compact removes, below a point of its choice, what is not the last message of
// its key, and some of the tombstones that no reader on its way has before it.
func (t *topic) compact(rng *rand.Rand, readers []int64, tombstones bool) (removed, dropped int64) {
	upTo := t.messages[rng.IntN(len(t.messages))].offset
	last := map[string]int64{}
	for i := range t.messages {
		if m := &t.messages[i]; m.offset <= upTo {
			last[string(m.key)] = m.offset
		}
	}
	t.messages = slices.DeleteFunc(t.messages, func(m message) bool {
		switch {
		case m.offset > upTo:
			return false
		case last[string(m.key)] != m.offset:
			removed++
			return true
		case m.value != nil || !tombstones || rng.IntN(3) == 0:
			return false
		}
		for _, at := range readers {
			if at > 0 && at <= m.offset {
				return false // it would never know
			}
		}
		dropped++
		return true
	})
	return removed, dropped
}

// reader is one process's view of the topic.
type reader struct {
	merged    *aggregator.Merged
	decoder   *aggregator.Decoder
	next      int64 // offset
	replaying bool
	// published is what the topic holds, by source.
	published map[int32]map[aggregator.CellPane]aggregator.Version
	// highest is the newest message read of each key.
	highest map[string]*message
}

func newReader(o aggregator.Options) *reader {
	r := &reader{
		merged: aggregator.NewMerged(o), decoder: aggregator.NewDecoder(o.Levels), replaying: true,
		published: map[int32]map[aggregator.CellPane]aggregator.Version{}, highest: map[string]*message{},
	}
	r.merged.BeginReplay()
	return r
}

// read takes up to n messages, and calls each with every one.
func (r *reader) read(t *topic, n int, check bool, each func(m *message, k *aggregator.RecordKey)) error {
	ms := t.from(r.next)
	ms = ms[:min(n, len(ms))]
	for i := range ms {
		m := ms[i] // compaction moves the messages
		if err := r.take(&m, check, each); err != nil {
			return err
		}
	}
	if len(t.from(r.next)) == 0 {
		r.next = t.end
		if r.replaying {
			r.replaying = false
			r.merged.EndReplay()
		}
	}
	return nil
}

func (r *reader) take(m *message, check bool, each func(m *message, k *aggregator.RecordKey)) error {
	r.next = m.offset + 1
	k, err := r.decoder.Key(m.key)
	if err != nil {
		return fmt.Errorf("panes at %d: %w", m.offset, err)
	}
	u, newest := aggregator.Upsert{Key: k.Key, Pane: k.Pane, Version: m.version}, int64(0)
	if m.value != nil {
		if u, newest, err = r.decoder.Value(k, m.value); err != nil {
			return fmt.Errorf("panes at %d: %w", m.offset, err)
		}
	}
	standing := r.merged.Standing(&k, u.Version, m.value == nil)
	if !k.Progress {
		c := aggregator.CellPane{Key: k.Key, Pane: k.Pane}
		of := r.published[k.Source]
		if of == nil {
			of = map[aggregator.CellPane]aggregator.Version{}
			r.published[k.Source] = of
		}
		switch {
		case m.value == nil:
			delete(of, c)
		case standing == aggregator.Stale:
			of[c] = aggregator.Version{} // whoever owns the pane replaces it
		default:
			of[c] = u.Version
		}
	}
	each(m, &k)
	if !check || standing == aggregator.Fresh {
		r.merged.Publish(k.Source, newest, []aggregator.Upsert{u})
	}
	return r.believe(m, &k)
}

// believe fails when something older has taken the place of the newest message
// of a key, be it for a moment.
func (r *reader) believe(m *message, k *aggregator.RecordKey) error {
	h := r.highest[string(m.key)]
	if h == nil || h.version.Less(m.version) {
		r.highest[string(m.key)] = m
		return nil
	}
	if h.value != nil && r.merged.Standing(k, h.version, false) == aggregator.Fresh && !k.Progress {
		return fmt.Errorf("panes at %d: version %v was believed where %v was known", m.offset, m.version, h.version)
	}
	return nil
}
