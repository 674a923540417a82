package durable

import "math"

// Evict implements join.Store: it drops the buckets that end at or before ms,
// on disk with the next Commit, and shrinks what is in memory and stored as well
// so that no more than bytes are in use, as far as that goes.
func (d *DB) Evict(ms, bytes int64) {
	d.memory = bytes
	defer d.shrink()
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
	d.index.dropped = true
	for i := range d.chunks {
		if c := &d.chunks[i]; c.n != 0 && c.bucket < end {
			d.deadRows += c.liveRows()
			if c.live != 0 {
				d.storedBytes -= int64(c.bytes)
				d.reclaimer.bytes += int64(c.bytes)
			}
			*c = chunk{}
			d.deadChunks = append(d.deadChunks, uint32(i))
		}
	}
	d.cache.dropBefore(end)
	if d.deadRows > d.index.n/8 {
		d.index.sweep(d.isDropped)
		d.freeChunks = append(d.freeChunks, d.deadChunks...)
		d.deadChunks, d.deadRows = d.deadChunks[:0], 0
	}
}
