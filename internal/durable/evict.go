package durable

import "math"

// Evict implements join.Store: it drops the buckets that end at or before ms,
// on disk with the next Commit, and shrinks the rows in memory that are stored
// to bytes.
func (d *DB) Evict(ms, bytes int64) {
	defer d.cache.shrink(bytes)
	if ms < d.bucketMs {
		return
	}
	end := uint32(min(ms/d.bucketMs, math.MaxUint32-1)) // the first bucket that stays
	d.evictedMs = max(d.evictedMs, int64(end)*d.bucketMs)
	lowest, found := uint32(math.MaxUint32), false
	for number := range d.buckets {
		if number < end {
			lowest, found = min(lowest, number), true
			delete(d.buckets, number)
		}
	}
	if !found {
		return
	}
	d.latest = nil
	if d.dropFrom < d.dropTo {
		d.dropFrom, d.dropTo = min(lowest, d.dropFrom), max(end, d.dropTo)
	} else {
		d.dropFrom, d.dropTo = lowest, end
	}
	for i := range d.chunks {
		if c := &d.chunks[i]; c.n != 0 && c.bucket < end {
			d.deadRows += c.liveRows()
			*c = chunk{}
			d.deadChunks = append(d.deadChunks, uint32(i))
		}
	}
	for i := range d.cache.made {
		if r := d.cache.at(i); r.state != rowFree && r.bucket < end {
			d.cache.drop(i)
		}
	}
	if d.deadRows > d.index.n/8 {
		d.index.sweep(d.isDropped)
		d.freeChunks = append(d.freeChunks, d.deadChunks...)
		d.deadChunks, d.deadRows = d.deadChunks[:0], 0
	}
}
