package durable

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// Commit implements partition.State.
func (d *DB) Commit(meta []byte, panes []partition.Pane) error {
	if err := d.Err(); err != nil {
		return err
	}
	if err := d.commit(meta, panes); err != nil {
		d.fail(err)
		return err
	}
	return nil
}

func (d *DB) commit(meta []byte, panes []partition.Pane) error {
	d.batch.Reset()
	if d.dropFrom < d.dropTo {
		// Before the rows: some may be put in a bucket that was dropped.
		for _, kind := range []byte{kindOld, kindRows} {
			if err := d.batch.DeleteRange(appendChunkKey(nil, kind, d.dropFrom, 0), appendChunkKey(nil, kind, d.dropTo, 0), nil); err != nil {
				return d.faults.explain("commit", err)
			}
		}
		d.reclaimer.dropped(d.dropFrom, d.dropTo)
		d.dropFrom, d.dropTo = 0, 0
	}
	if d.evictedStored != d.evictedMs {
		if err := d.batch.Set(evictedKey, appendUint64(nil, uint64(d.evictedMs)), nil); err != nil {
			return d.faults.explain("commit", err)
		}
		d.evictedStored = d.evictedMs
	}
	d.numbers = d.numbers[:0]
	for number, b := range d.buckets {
		if b.first != 0 {
			d.numbers = append(d.numbers, number)
		}
	}
	slices.Sort(d.numbers)
	for _, number := range d.numbers {
		if err := d.storeBucket(d.buckets[number]); err != nil {
			return err
		}
	}
	for i := range panes {
		if err := d.storePane(&panes[i]); err != nil {
			return d.faults.explain("commit", err)
		}
	}
	d.commits++
	d.scratch = append(appendUint64(d.scratch[:0], d.commits), meta...)
	if err := d.batch.Set(metaKey, d.scratch, nil); err != nil {
		return d.faults.explain("commit", err)
	}
	if err := d.faults.guard("commit", d.sync); err != nil {
		return err
	}
	d.meta = append(d.meta[:0], meta...)
	d.cache.reset()
	d.shrink()
	d.reclaim()
	return nil
}

func (d *DB) sync() error {
	if err := d.batch.Commit(pebble.Sync); err != nil {
		return err
	}
	// Before the log goes that has these commits.
	if d.rotated.Swap(false) {
		return d.writeCommitted(&gate{d.opts.FS, d.faults}, d.dir)
	}
	return nil
}

func (d *DB) storePane(p *partition.Pane) error {
	d.key = append(append(d.key[:0], kindPane), p.Key...)
	if p.Value == nil {
		return d.batch.Delete(d.key, nil)
	}
	return d.batch.Set(d.key, p.Value, nil)
}

// packer writes rows of one bucket into chunks.
type packer struct {
	d     *DB
	b     *bucket
	chunk uint32
}

// storeBucket packs the rows put since the last commit into chunks.
func (d *DB) storeBucket(b *bucket) error {
	p := packer{d: d, b: b}
	if err := p.open(); err != nil {
		return err
	}
	for next := b.first; next != 0; {
		r := d.cache.at(next - 1)
		next = r.nextDirty
		if err := p.put(r); err != nil {
			return err
		}
	}
	b.first, b.last = 0, 0
	if err := p.packAnew(); err != nil {
		return err
	}
	if err := p.close(); err != nil {
		return err
	}
	return d.storeReplaced(b)
}

// storeReplaced stores which rows of the bucket are in later chunks now.
func (d *DB) storeReplaced(b *bucket) error {
	if len(d.replaced) == 0 {
		return nil
	}
	d.scratch = d.scratch[:0]
	for _, r := range d.replaced {
		d.scratch = binary.AppendUvarint(d.scratch, uint64(b.seq)<<ordBits-r)
	}
	d.replaced = d.replaced[:0]
	if err := d.batch.Set(d.chunkKey(kindOld, b.number, b.seq), d.scratch, nil); err != nil {
		return d.faults.explain("commit", err)
	}
	return nil
}

func (p *packer) open() (err error) {
	p.b.seq++
	p.chunk, err = p.d.newChunk(p.b, p.b.seq)
	p.d.build.reset()
	return err
}

// close stores the chunk, if there is anything in it.
func (p *packer) close() error {
	d, w := p.d, &p.d.build
	d.index.addAll(d.fresh, p.chunk, d.isDropped)
	d.fresh = d.fresh[:0]
	if w.n == 0 {
		p.b.seq--
		d.freeChunk(p.chunk)
		return nil
	}
	size := w.size()
	c := &d.chunks[p.chunk]
	var b []byte
	c.slab, c.offset, b = d.slabs.alloc(size)
	w.encode(b)
	if err := d.batch.Set(d.chunkKey(kindRows, c.bucket, c.seq), b, nil); err != nil {
		return d.faults.explain("commit", err)
	}
	d.closeChunk(p.b, p.chunk, w.n, size, allLive(w.n), w.flags)
	return nil
}

func (p *packer) turn() error {
	if !p.d.build.full() {
		return nil
	}
	if err := p.close(); err != nil {
		return err
	}
	return p.open()
}

// put stores a cached row.
func (p *packer) put(r *cachedRow) error {
	d, w := p.d, &p.d.build
	d.cache.load(r, &d.row)
	before := len(w.rows)
	w.rows = join.AppendRow(w.rows, &d.row)
	w.add(r.facts.ID, before, d.row.Waits())
	if err := p.placed(r.facts.ID, r.chunk, int(r.ord)); err != nil {
		return err
	}
	r.chunk, r.ord, r.state = p.chunk+1, uint8(w.n-1), rowClean
	return p.turn()
}

// placed makes the index say that a row is in this chunk, and the chunk before
// (plus one; 0: none) that it is not there.
func (p *packer) placed(id join.ID, before uint32, ord int) error {
	d := p.d
	if before == 0 {
		d.fresh = append(d.fresh, id)
		return nil
	}
	i := before - 1
	if !d.index.move(id, i, p.chunk) {
		return d.explain(fmt.Errorf("BUG: a stored row is not in the index: %w", ErrDamaged))
	}
	if err := d.replace(p.b, i, ord); err != nil {
		return d.faults.explain("commit", err)
	}
	return nil
}

// packAnew fills the chunk with what is left of others: of those that are not
// larger, so that a row is packed a few times only; and of those mostly
// replaced, so that no more than half of what is stored is waste.
func (p *packer) packAnew() error {
	d, b := p.d, p.b
	for b.stored > 2*b.live+4*maxRows && len(b.sparse) > 0 {
		i := b.sparse[len(b.sparse)-1]
		b.sparse = b.sparse[:len(b.sparse)-1]
		if err := p.take(i); err != nil {
			return err
		}
	}
	for d.build.n > 0 {
		at := -1
		for k := 0; k < len(b.open); k++ {
			i := b.open[k]
			live := d.chunks[i].liveRows()
			if live == 0 {
				d.freeChunk(i)
				b.open = slices.Delete(b.open, k, k+1)
				k--
				continue
			}
			if live <= d.build.n && live+d.build.n <= maxRows && (at < 0 || live < d.chunks[b.open[at]].liveRows()) {
				at = k
			}
		}
		if at < 0 {
			return nil
		}
		i := b.open[at]
		b.open = slices.Delete(b.open, at, at+1)
		if err := p.take(i); err != nil {
			return err
		}
	}
	return nil
}

// take packs what is left of a chunk that is on no list any more.
func (p *packer) take(i uint32) error {
	d := p.d
	c := &d.chunks[i]
	c.flags &^= chunkOpen | chunkSparse
	if c.live == 0 {
		d.freeChunk(i)
		return nil
	}
	v := &d.taken
	done, err := d.view(i, v)
	if err != nil {
		return err
	}
	defer done()
	live, w := c.live, &d.build
	for k := range v.n() {
		if live&(1<<k) == 0 {
			continue
		}
		id := v.id(k)
		before := len(w.rows)
		w.rows = append(w.rows, v.row(k)...)
		w.add(id, before, join.Waiting(v.row(k)))
		if err := p.placed(id, i+1, k); err != nil {
			return err
		}
		if err := p.turn(); err != nil {
			return err
		}
	}
	return nil
}
