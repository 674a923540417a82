package durable

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/partition"
)

func waitingRow(b []byte) bool { return join.Waiting(b) }

// Commit implements partition.State.
func (d *DB) Commit(meta []byte, panes []partition.Pane) error {
	if d.err != nil {
		return d.err
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
		for _, kind := range []byte{kindMasks, kindRows} {
			if err := d.batch.DeleteRange(appendChunkKey(nil, kind, d.dropFrom, 0), appendChunkKey(nil, kind, d.dropTo, 0), nil); err != nil {
				return d.errorf("commit: %w", err)
			}
		}
		d.dropFrom, d.dropTo = 0, 0
	}
	if d.evictedStored != d.evictedMs {
		if err := d.batch.Set(evictedKey, appendUint64(nil, uint64(d.evictedMs)), nil); err != nil {
			return d.errorf("commit: %w", err)
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
	if err := d.storeMasks(); err != nil {
		return d.errorf("commit: %w", err)
	}
	for i := range panes {
		if err := d.storePane(&panes[i]); err != nil {
			return d.errorf("commit: %w", err)
		}
	}
	d.commits++
	d.scratch = append(appendUint64(d.scratch[:0], d.commits), meta...)
	if err := d.batch.Set(metaKey, d.scratch, nil); err != nil {
		return d.errorf("commit: %w", err)
	}
	if err := d.batch.Commit(pebble.Sync); err != nil {
		return d.errorf("commit: %w", err)
	}
	d.meta = append(d.meta[:0], meta...)
	d.cache.shrink(d.opts.MemoryBytes)
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
	return p.close()
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
	if w.rows == 0 {
		p.b.seq--
		d.freeChunk(p.chunk)
		return nil
	}
	if err := d.batch.Set(d.chunkKey(kindRows, &d.chunks[p.chunk]), w.b, nil); err != nil {
		return d.errorf("commit: %w", err)
	}
	d.closeChunk(p.b, p.chunk, w.rows, len(w.b), allLive(w.rows), w.flags)
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
	start := w.begin(r.facts.ID)
	w.b = join.AppendRow(w.b, &d.row)
	w.end(start, d.row.Waits())
	if err := p.placed(r.facts.ID, r.chunk, int(r.ord)); err != nil {
		return err
	}
	r.chunk, r.ord = p.chunk+1, uint8(w.rows-1)
	r.state, r.nextDirty = rowClean, 0
	return p.turn()
}

// placed makes the index say that a row is in this chunk, and the chunk before
// (plus one; 0: none) that it is not there.
func (p *packer) placed(id join.ID, before uint32, ord int) error {
	d := p.d
	if before == 0 {
		d.index.add(id, p.chunk, d.isDropped)
		return nil
	}
	i := before - 1
	if !d.index.move(id, i, p.chunk) {
		return d.errorf("BUG: a stored row is not in the index")
	}
	if err := d.replace(p.b, i, ord); err != nil {
		return d.errorf("commit: %w", err)
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
	for d.build.rows > 0 {
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
			if live <= d.build.rows && live+d.build.rows <= maxRows && (at < 0 || live < d.chunks[b.open[at]].liveRows()) {
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
	value, closer, err := d.pebble.Get(d.chunkKey(kindRows, c))
	if err != nil {
		return d.errorf("read rows: %w", err)
	}
	defer closer.Close()
	live := c.live
	r := readChunk(value)
	var e entry
	for k := 0; r.next(&e); k++ {
		if live&(1<<k) == 0 {
			continue
		}
		w := &d.build
		start := w.begin(e.id)
		w.b = append(w.b, e.row...)
		w.end(start, waitingRow(e.row))
		if cached, _ := d.cache.find(e.id); cached != nil {
			cached.chunk, cached.ord = p.chunk+1, uint8(w.rows-1)
		}
		if err := p.placed(e.id, i+1, k); err != nil {
			return err
		}
		if err := p.turn(); err != nil {
			return err
		}
	}
	if r.err != nil {
		return d.errorf("read rows: %w", r.err)
	}
	return nil
}
