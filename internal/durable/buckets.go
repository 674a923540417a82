package durable

import (
	"fmt"
	"math"
)

// bucket is the rows whose first Put had a time in one span of Options.BucketMs.
// They are dropped together.
type bucket struct {
	number uint32
	seq    uint32 // of its newest chunk
	stored int    // rows in its chunks
	live   int    // of these, not replaced
	// Chunks to be packed anew with others, some of them replaced wholly meanwhile.
	open, sparse []uint32
	// Rows to be stored with the next commit, as a list through cachedRow.nextDirty.
	first, last uint32
}

// bucketOf puts what lies before 1970 or far ahead into the outermost bucket.
func (d *DB) bucketOf(ms int64) uint32 {
	return uint32(min(max(ms/d.bucketMs, 0), math.MaxUint32-1))
}

func (d *DB) bucket(number uint32) *bucket {
	if d.latest != nil && d.latest.number == number {
		return d.latest
	}
	b := d.buckets[number]
	if b == nil {
		b = &bucket{number: number}
		d.buckets[number] = b
	}
	d.latest = b
	return b
}

// newChunk numbers a chunk.
func (d *DB) newChunk(b *bucket, seq uint32) (uint32, error) {
	var i uint32
	if n := len(d.freeChunks); n > 0 {
		i = d.freeChunks[n-1]
		d.freeChunks = d.freeChunks[:n-1]
	} else {
		if len(d.chunks) >= maxChunks {
			return 0, d.explain(fmt.Errorf("more than %d chunks of rows: give the topics more partitions: %w", maxChunks, ErrFull))
		}
		i = uint32(len(d.chunks))
		d.chunks = append(d.chunks, chunk{})
	}
	// It counts as dropped while n is 0.
	d.chunks[i] = chunk{bucket: b.number, seq: seq, n: 1}
	return i, nil
}

func (d *DB) freeChunk(i uint32) {
	d.chunks[i] = chunk{}
	d.freeChunks = append(d.freeChunks, i)
}

// closeChunk notes what a chunk holds, and lists it if it should be packed anew.
func (d *DB) closeChunk(b *bucket, i uint32, rows, bytes int, live uint64, flags chunkFlags) {
	c := &d.chunks[i]
	c.n, c.flags, c.live, c.bytes = uint8(rows), flags, live, uint32(bytes)
	d.storedBytes += int64(bytes)
	b.stored += rows
	b.live += c.liveRows()
	switch {
	case rows < maxRows/2 && bytes < maxBytes/2:
		c.flags |= chunkOpen
		b.open = append(b.open, i)
	case 2*c.liveRows() <= rows:
		c.flags |= chunkSparse
		b.sparse = append(b.sparse, i)
	}
}

// replace notes, with the next commit, that a row is stored in a later chunk.
func (d *DB) replace(b *bucket, i uint32, ord int) error {
	c := &d.chunks[i]
	c.live &^= 1 << ord
	b.live--
	d.replaced = append(d.replaced, uint64(c.seq)<<ordBits|uint64(ord))
	listed := c.flags&(chunkOpen|chunkSparse) != 0
	if c.live == 0 {
		b.stored -= int(c.n)
		d.storedBytes -= int64(c.bytes)
		err := d.batch.Delete(d.chunkKey(kindRows, c.bucket, c.seq), nil)
		if !listed {
			d.freeChunk(i) // else it is once its list is looked through
		}
		return err
	}
	if !listed && 2*c.liveRows() <= int(c.n) {
		c.flags |= chunkSparse
		b.sparse = append(b.sparse, i)
	}
	return nil
}

// chunkKey is valid until the next call.
func (d *DB) chunkKey(kind byte, bucket, seq uint32) []byte {
	d.key = appendChunkKey(d.key[:0], kind, bucket, seq)
	return d.key
}

// isDropped reports whether a chunk is of a bucket that was dropped.
func (d *DB) isDropped(i uint32) bool { return d.chunks[i].n == 0 }
