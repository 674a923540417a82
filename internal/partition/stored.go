package partition

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
)

// ErrFenced means that a newer owner has had the state: this one's time is over.
var ErrFenced = errors.New("state belongs to a newer owner of the partition")

// ErrSettings means that the state was made with other settings, on which the
// numbers depend.
var ErrSettings = errors.New("the numbers depend on it: go back to what was, or delete the directory: it is made anew from the topics")

// ErrFormat means that the state is of a format that this program does not know.
var ErrFormat = errors.New("written by a newer rampgauge: upgrade this instance, or delete the directory: it is made anew from its checkpoint or from the topics")

// ErrOldFormat means that the state is of a format without what this program counts.
var ErrOldFormat = errors.New("written by an older rampgauge, which counted less: delete the directory, and its checkpoints if there are any: it is made anew from the topics")

// ErrState means that the state contradicts itself.
var ErrState = errors.New("not as it was written: delete the directory: it is made anew from its checkpoint or from the topics")

// metaFormat is that of all that a Core stores. A change that older programs
// would misread gets the next number, and readers for those before it.
//
// State of format 1 did not know who converted when. What was counted without
// cannot be counted again but from the topics, so it is refused.
const metaFormat = 2

// meta is what is stored of a Core besides rows and entries.
type meta struct {
	Format   int
	Epoch    uint64
	Sequence uint64 // of commits, within the epoch and over all of them
	Settings string
	// Applied are the offsets below which records have been counted, and Retain
	// that of the oldest prediction that memory needs.
	Applied  [event.NumStreams]int64
	Retain   int64
	Consumed [event.NumStreams]int64
	Dead     [event.NumStreams]int64
	DeadBy   [event.NumStreams][event.NumReasons]int64
	Expired  int64
	Join     join.Saved
}

// The first byte of an entry's key says what it is. Entries come back in the
// order of their keys.
const (
	tableEntry = 't' // and table, number: what a number stands for
	paneEntry  = 'p' // and the key of the pane's record
	spanEntry  = 's' // and bucket: where its predictions are
)

// Open returns the Core that a State holds, or an empty one that begins with
// the topics' oldest records. It claims the State for o.Epoch, durably, before
// it returns. The error is ErrFenced, ErrSettings, ErrFormat, ErrState or the
// State's; the State then still belongs to the caller.
func Open(o Options, state State) (*Core, error) {
	o.Join.Seek = o.Reread != nil
	c := &Core{
		opts: o, settings: settings(&o), state: state,
		decoder: event.NewDecoder(event.Options{}),
		agg:     aggregator.NewPartition(o.Aggregator),
	}
	c.join = join.New(o.Join, state, sink{c.agg})
	for s := range c.next {
		c.next[s], c.applied[s] = consumer.Earliest, consumer.Earliest
	}
	if err := c.restore(); err != nil {
		return nil, fmt.Errorf("partition %d: %w", o.Partition, err)
	}
	c.agg.SetEpoch(o.Epoch)
	if err := c.store(nil); err != nil {
		return nil, err
	}
	return c, nil
}

// Stored is what others need to know of a State before it is opened.
type Stored struct {
	Epoch   uint64                  // of its last owner, 0 without one
	Applied [event.NumStreams]int64 // the offsets below which records are counted
}

// ReadStored reads the Meta of a State. The error is ErrFormat or ErrState.
func ReadStored(b []byte) (Stored, error) {
	m, err := readMeta(b)
	return Stored{m.Epoch, m.Applied}, err
}

func readMeta(b []byte) (meta, error) {
	m := meta{Applied: [event.NumStreams]int64{consumer.Earliest, consumer.Earliest, consumer.Earliest}}
	if b == nil {
		return m, nil
	}
	var probe struct{ Format int }
	if err := json.Unmarshal(b, &probe); err != nil {
		return m, fmt.Errorf("meta: %w: %w", err, ErrState)
	}
	switch {
	case probe.Format > metaFormat:
		return m, fmt.Errorf("meta of format %d, known are those to %d: %w", probe.Format, metaFormat, ErrFormat)
	case probe.Format == metaFormat-1:
		return m, fmt.Errorf("meta of format %d, ours is %d: %w", probe.Format, metaFormat, ErrOldFormat)
	case probe.Format < metaFormat:
		return m, fmt.Errorf("meta of format %d, which never was: %w", probe.Format, ErrState)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("meta: %w: %w", err, ErrState)
	}
	return m, nil
}

func (c *Core) restore() error {
	b := c.state.Meta()
	if b == nil {
		return nil
	}
	m, err := readMeta(b)
	if err != nil {
		return err
	}
	if m.Epoch > c.opts.Epoch {
		return fmt.Errorf("epoch %d, ours is %d: %w", m.Epoch, c.opts.Epoch, ErrFenced)
	}
	if m.Settings != c.settings {
		return fmt.Errorf("%s; %w", changes(m.Settings, c.settings), ErrSettings)
	}
	c.next, c.applied = m.Applied, m.Applied
	c.next[event.Predictions] = m.Retain
	c.report.Consumed, c.report.Dead, c.report.DeadBy = m.Consumed, m.Dead, m.DeadBy
	c.agg.RestoreExpired(m.Expired)
	c.join.Restore(m.Join)
	c.news.known = min(m.Join.NewestMs, c.opts.NowMs())
	decoder := aggregator.NewDecoder(c.opts.Aggregator.Levels)
	if err := c.state.EachPane(func(key, value []byte) error { return c.restoreEntry(decoder, key, value) }); err != nil {
		return err
	}
	return c.state.EachWaiting(c.join.RestoreRow)
}

func (c *Core) restoreEntry(d *aggregator.Decoder, key, value []byte) error {
	err := ErrState
	switch {
	case len(key) == 6 && key[0] == tableEntry:
		err = c.agg.RestoreTable(aggregator.Table(key[1]), int32(binary.BigEndian.Uint32(key[2:])), value)
	case len(key) > 1 && key[0] == paneEntry:
		err = c.agg.Restore(d, key[1:], value)
	case len(key) == 5 && key[0] == spanEntry && len(value) == 16:
		c.join.RestoreSpan(binary.BigEndian.Uint32(key[1:]), join.Span{
			First: int64(binary.BigEndian.Uint64(value)), Last: int64(binary.BigEndian.Uint64(value[8:])),
		})
		err = nil
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrState):
		return fmt.Errorf("entry %x: %w", key, err)
	case errors.Is(err, aggregator.ErrFormat):
		return fmt.Errorf("entry %x: %w: %w", key, err, ErrFormat)
	}
	return fmt.Errorf("entry %x: %w: %w", key, err, ErrState)
}

// store commits all that has changed, upserts among it.
func (c *Core) store(upserts []aggregator.Upsert) error {
	if err := c.state.Err(); err != nil {
		return err
	}
	m := meta{
		Format: metaFormat, Epoch: c.opts.Epoch, Sequence: c.agg.Version().Sequence, Settings: c.settings,
		Applied: c.next, Retain: c.next[event.Predictions],
		Consumed: c.report.Consumed, Dead: c.report.Dead, DeadBy: c.report.DeadBy,
		Expired: c.agg.Expired(), Join: c.join.Saved(),
	}
	if m.Retain >= 0 {
		m.Retain = c.join.Retain(m.Retain)
	}
	for s := range m.Applied {
		m.Applied[s] = max(m.Applied[s], c.applied[s])
	}
	b, err := json.Marshal(&m)
	if err != nil {
		return fmt.Errorf("partition %d: meta: %w", c.opts.Partition, err)
	}
	return c.state.Commit(b, c.changed(upserts))
}

// changed lists the entries that are new. They are good until the next call.
func (c *Core) changed(upserts []aggregator.Upsert) []Pane {
	c.entries, c.arena = c.entries[:0], c.arena[:0]
	// Growing the arena leaves what was cut from it before where it is.
	cut := func(from int) []byte { return c.arena[from:len(c.arena):len(c.arena)] }
	c.agg.NewTables(func(t aggregator.Table, number int32, meaning []byte) {
		from := len(c.arena)
		c.arena = binary.BigEndian.AppendUint32(append(c.arena, tableEntry, byte(t)), uint32(number))
		c.entries = append(c.entries, Pane{cut(from), meaning})
	})
	for i := range upserts {
		u := &upserts[i]
		from := len(c.arena)
		c.arena = u.AppendKey(append(c.arena, paneEntry), c.opts.Partition)
		key := cut(from)
		from = len(c.arena)
		c.arena = u.AppendValue(c.arena, c.agg.NewestMs())
		value := cut(from)
		if len(value) == 0 {
			value = nil
		}
		c.entries = append(c.entries, Pane{key, value})
	}
	c.join.Spans(func(bucket uint32, s join.Span, known bool) {
		from := len(c.arena)
		c.arena = binary.BigEndian.AppendUint32(append(c.arena, spanEntry), bucket)
		key := cut(from)
		if !known {
			c.entries = append(c.entries, Pane{Key: key})
			return
		}
		from = len(c.arena)
		c.arena = binary.BigEndian.AppendUint64(c.arena, uint64(s.First))
		c.arena = binary.BigEndian.AppendUint64(c.arena, uint64(s.Last))
		c.entries = append(c.entries, Pane{key, cut(from)})
	})
	return c.entries
}
