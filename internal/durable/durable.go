// Package durable keeps the state of one partition on disk: the join's rows,
// the aggregator's panes, and what the partition's core says of itself. It
// implements partition.State on Pebble.
//
// It knows nothing of what the rows mean beyond their encoding, nothing of the
// panes, and no Kafka.
package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// Options configures a DB.
type Options struct {
	// FS is the file system, nil: the disk.
	FS vfs.FS
	// CacheBytes is for blocks of tables in memory; below 8 MB a look-up on the
	// disk takes several times as long. 0: 32 MB.
	CacheBytes int64
	// MemoryBytes is for rows in memory that are stored already. 0: 16 MB.
	MemoryBytes int64
	// BucketMs is the span of the buckets that Evict drops, 0: an hour. A
	// directory keeps the span that it was made with.
	BucketMs int64
	// Logger receives what Pebble says, at debug level; nil: nobody does.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 16 << 20
	}
	if o.BucketMs == 0 {
		o.BucketMs = 3_600_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// DB is the durable state of one partition. It belongs to one goroutine.
type DB struct {
	dir      string
	opts     Options
	bucketMs int64
	pebble   *pebble.DB
	err      error

	cache      cache
	index      index
	chunks     []chunk
	freeChunks []uint32
	changed    []uint32 // chunks whose live is to be stored
	deadChunks []uint32 // of dropped buckets: still in the index
	deadRows   int
	buckets    map[uint32]*bucket
	latest     *bucket // that was looked for
	missed     join.ID // that the last look-up did not find
	isMissed   bool    // there is one

	meta          []byte
	commits       uint64
	evictedMs     int64
	evictedStored int64
	dropFrom      uint32 // buckets to be dropped with the next commit: from here
	dropTo        uint32 // to below there

	batch   *pebble.Batch
	build   builder
	key     []byte
	scratch []byte
	row     join.Row
	waiting join.Row
	numbers []uint32
}

// Open opens the state in dir, which is made if it does not exist.
func Open(dir string, o Options) (*DB, error) {
	d := &DB{
		dir: dir, opts: o.withDefaults(), cache: newCache(), buckets: map[uint32]*bucket{},
	}
	var err error
	d.pebble, err = pebble.Open(dir, d.pebbleOptions())
	if err != nil {
		return nil, d.errorf("open: %w", err)
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, d.pebble.Close())
	}
	d.batch = d.pebble.NewBatch()
	return d, nil
}

func (d *DB) pebbleOptions() *pebble.Options {
	return &pebble.Options{
		FS:                 d.opts.FS,
		CacheSize:          d.opts.CacheBytes,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       16 << 20,
		Logger:             pebbleLogger{d.opts.Logger},
	}
}

type pebbleLogger struct{ l *slog.Logger }

func (p pebbleLogger) Infof(format string, args ...any) {
	p.l.Debug("pebble", "says", fmt.Sprintf(format, args...))
}
func (p pebbleLogger) Errorf(format string, args ...any) { p.Infof(format, args...) }
func (p pebbleLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// errorf is an error that names the directory.
func (d *DB) errorf(format string, args ...any) error {
	return fmt.Errorf("state %s: "+format, append([]any{d.dir}, args...)...)
}

// fail keeps the first error.
func (d *DB) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Err implements partition.State.
func (d *DB) Err() error { return d.err }

// Meta implements partition.State.
func (d *DB) Meta() []byte { return d.meta }

// EvictedMs implements join.Store.
func (d *DB) EvictedMs() int64 { return d.evictedMs }

// Bytes implements join.Store: the rows in memory, and what finds the others.
// Pebble's own memory is not in it.
func (d *DB) Bytes() int64 {
	return d.cache.bytes() + d.index.bytes + int64(len(d.chunks))*chunkBytes
}

const chunkBytes = 24

// Close implements partition.State.
func (d *DB) Close() error {
	if err := errors.Join(d.batch.Close(), d.pebble.Close()); err != nil {
		return d.errorf("close: %w", err)
	}
	return nil
}

// Get implements join.Store.
func (d *DB) Get(id join.ID, row *join.Row) bool {
	if r, _ := d.cache.find(id); r != nil {
		r.used = true
		d.cache.load(r, row)
		return true
	}
	r := d.fetch(id)
	if r == nil {
		return false
	}
	d.cache.load(r, row)
	return true
}

// fetch brings a stored row into the cache.
func (d *DB) fetch(id join.ID) *cachedRow {
	p := d.index.probe(id)
	for {
		i, ok := p.next()
		if !ok || d.err != nil {
			d.missed, d.isMissed = id, true
			return nil
		}
		if d.isDropped(i) {
			continue
		}
		ord, err := d.find(id, i)
		if err != nil {
			d.fail(err)
			return nil
		}
		if ord < 0 {
			continue
		}
		r, _ := d.cache.add(id)
		d.cache.store(r, &d.row)
		r.bucket, r.chunk, r.ord = d.chunks[i].bucket, i+1, uint8(ord)
		return r
	}
}

// find looks for a row in a chunk and reads it into d.row. It returns the row's
// place, -1 when it is not there.
func (d *DB) find(id join.ID, i uint32) (ord int, err error) {
	c := &d.chunks[i]
	value, closer, err := d.pebble.Get(d.chunkKey(kindRows, c))
	if err != nil {
		return -1, d.errorf("read rows: %w", err)
	}
	defer closer.Close()
	ord = -1
	r := readChunk(value)
	var e entry
	for k := 0; r.next(&e); k++ {
		if e.id == id && c.live&(1<<k) != 0 {
			ord = k
			d.row.ID = id
			if err := join.ParseRow(e.row, &d.row); err != nil {
				return -1, d.errorf("read rows: %w", err)
			}
			break
		}
	}
	if r.err != nil {
		return -1, d.errorf("read rows: %w", r.err)
	}
	return ord, nil
}

// Put implements join.Store.
func (d *DB) Put(row *join.Row, timeMs int64) {
	r, i := d.cache.find(row.ID)
	if r == nil {
		if !d.isMissed || row.ID != d.missed {
			r = d.fetch(row.ID)
		}
		if r == nil {
			r, i = d.cache.add(row.ID)
			r.bucket = d.bucketOf(timeMs)
		} else {
			r, i = d.cache.find(row.ID)
		}
		d.isMissed = false
	}
	d.cache.store(r, row)
	if r.state == rowDirty {
		return
	}
	r.state, r.nextDirty = rowDirty, 0
	b := d.bucket(r.bucket)
	if b.first == 0 {
		b.first = i + 1
	} else {
		d.cache.at(b.last - 1).nextDirty = i + 1
	}
	b.last = i + 1
}

// EachPane implements partition.State.
func (d *DB) EachPane(f func(key, value []byte) error) error {
	return d.scan([]byte{kindPane}, paneEnd, func(k, v []byte) error { return f(k[1:], v) })
}

func (d *DB) scan(from, to []byte, f func(key, value []byte) error) (err error) {
	it, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return d.errorf("read: %w", err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = d.errorf("read: %w", e)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return d.errorf("read: %w", err)
		}
		if err := f(it.Key(), v); err != nil {
			return err
		}
	}
	return nil
}

// EachWaiting implements partition.State.
func (d *DB) EachWaiting(f func(row *join.Row)) error {
	for i := range d.cache.made {
		if r := d.cache.at(i); r.state == rowDirty {
			d.cache.load(r, &d.waiting)
			if d.waiting.Waits() {
				f(&d.waiting)
			}
		}
	}
	for i := range d.chunks {
		if c := &d.chunks[i]; c.n == 0 || c.flags&chunkWaiting == 0 || c.live == 0 {
			continue
		}
		if err := d.eachWaiting(uint32(i), f); err != nil {
			d.fail(err)
			return err
		}
	}
	return nil
}

func (d *DB) eachWaiting(i uint32, f func(row *join.Row)) error {
	c := &d.chunks[i]
	value, closer, err := d.pebble.Get(d.chunkKey(kindRows, c))
	if err != nil {
		return d.errorf("read rows: %w", err)
	}
	defer closer.Close()
	r := readChunk(value)
	var e entry
	for k := 0; r.next(&e); k++ {
		if c.live&(1<<k) == 0 || !join.Waiting(e.row) {
			continue
		}
		if cached, _ := d.cache.find(e.id); cached != nil && cached.state == rowDirty {
			continue
		}
		d.waiting.ID = e.id
		if err := join.ParseRow(e.row, &d.waiting); err != nil {
			return d.errorf("read rows: %w", err)
		}
		f(&d.waiting)
	}
	if r.err != nil {
		return d.errorf("read rows: %w", r.err)
	}
	return nil
}

func leUint64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
