// Package durable keeps the state of one partition on disk: the join's rows,
// the aggregator's panes, and what the partition's core says of itself. It
// implements partition.State on Pebble.
//
// It knows nothing of what the rows mean beyond their encoding, nothing of the
// panes, and no Kafka.
//
// A million rows, winners of some 70 bytes, take 70 to 110 MB of disk and 9 to
// 14 MB of memory; with it a new id is told without a look at the disk. Besides,
// a DB may use Options.MemoryBytes for rows stored of late, Options.CacheBytes
// for blocks of tables, and twice Options.WriteBytes for what is in the log.
//
// What is damaged on the disk is found by checksums when it is read: rows and
// what Pebble knows of its tables by Open, which reads all rows; panes by
// EachPane. One thing cannot be told: whether the last commit before a crash was
// damaged afterwards, or cut short by the crash. The state is then the one of
// the commit before.
package durable

import (
	"math"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// DB is the durable state of one partition. It belongs to one goroutine.
type DB struct {
	dir      string
	opts     Options
	bucketMs int64
	faults   *faults
	locked   *pebble.Lock
	closed   bool
	pebble   *pebble.DB
	rotated  atomic.Bool // Pebble began a new log since COMMITTED was written
	err      error

	cache      cache
	index      index
	chunks     []chunk
	freeChunks []uint32
	replaced   []uint64 // by the rows being stored in a bucket: chunk and place
	slabs      slabs
	memory     int64    // bytes that may be in use for what is stored already
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
	storedBytes   int64  // in chunks
	reclaimer     reclaimer

	batch   *pebble.Batch
	build   builder
	key     []byte
	scratch []byte
	row     join.Row
	seen    view // of the chunk looked at
	taken   view // of the chunk being packed anew
	waiting join.Row
	numbers []uint32
	fresh   []join.ID // rows of the chunk being built that are in no other
}

func newDB(dir string, o Options) *DB {
	return &DB{
		dir: dir, opts: o.withDefaults(), faults: newFaults(dir), cache: newCache(), slabs: newSlabs(),
		buckets: map[uint32]*bucket{}, memory: math.MaxInt64,
	}
}

// fail keeps the first error.
func (d *DB) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Err implements partition.State. What Pebble meets in the background is an
// error of the DB too.
func (d *DB) Err() error {
	if d.err == nil {
		d.err = d.faults.first()
	}
	return d.err
}

// explain is an error of reading.
func (d *DB) explain(err error) error { return d.faults.explain("read", err) }

// Meta implements partition.State.
func (d *DB) Meta() []byte { return d.meta }

// EvictedMs implements join.Store.
func (d *DB) EvictedMs() int64 { return d.evictedMs }

// Bytes implements join.Store: the rows in memory, and what finds the others.
// Pebble's own memory is not in it.
func (d *DB) Bytes() int64 {
	return d.cache.bytes() + d.slabs.bytes() + d.index.bytes + int64(len(d.chunks))*chunkBytes
}

// shrink lets go of what is in memory and on disk.
func (d *DB) shrink() {
	d.slabs.shrink(min(d.opts.MemoryBytes, d.memory-d.Bytes()+d.slabs.bytes()))
}

// Get implements join.Store.
func (d *DB) Get(id join.ID, row *join.Row) bool {
	if r, _ := d.cache.find(id); r != nil {
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
	v := &d.seen
	done, err := d.view(i, v)
	if err != nil {
		return -1, err
	}
	defer done()
	ord = v.find(id, d.chunks[i].live)
	if ord < 0 {
		return -1, nil
	}
	d.row.ID = id
	if err := join.ParseRow(v.row(ord), &d.row); err != nil {
		return -1, d.explain(err)
	}
	return ord, nil
}

func nothing() {}

// view takes a stored chunk apart, which is valid until done is called.
func (d *DB) view(i uint32, v *view) (done func(), err error) {
	c := &d.chunks[i]
	if b := d.slabs.get(c); b != nil {
		return nothing, d.explain(v.parse(b))
	}
	b, closer, err := d.pebble.Get(d.chunkKey(kindRows, c.bucket, c.seq))
	if err != nil {
		return nil, d.explain(err)
	}
	if err := v.parse(b); err != nil {
		_ = closer.Close()
		return nil, d.explain(err)
	}
	return func() { _ = closer.Close() }, nil
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
		return d.explain(err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = d.explain(e)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return d.explain(err)
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
	v := &d.seen
	done, err := d.view(i, v)
	if err != nil {
		return err
	}
	// Not in place, since f may look for rows.
	var waiting []join.Row
	for k := range v.n() {
		if d.chunks[i].live&(1<<k) == 0 || !join.Waiting(v.row(k)) {
			continue
		}
		if cached, _ := d.cache.find(v.id(k)); cached != nil && cached.state == rowDirty {
			continue
		}
		row := join.Row{Facts: join.Facts{ID: v.id(k)}}
		if err := join.ParseRow(v.row(k), &row); err != nil {
			done()
			return d.explain(err)
		}
		waiting = append(waiting, row)
	}
	done()
	for k := range waiting {
		f(&waiting[k])
	}
	return nil
}
