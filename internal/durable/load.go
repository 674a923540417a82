package durable

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// load reads what the directory holds, or makes it a new state.
func (d *DB) load() error {
	format, err := d.read(formatKey)
	if err != nil {
		return err
	}
	if format == nil {
		return d.make()
	}
	if len(format) != formatBytes {
		return d.explain(fmt.Errorf("format of %d bytes: %w", len(format), ErrDamaged))
	}
	switch version := binary.LittleEndian.Uint32(format); {
	case version > formatVersion:
		return d.faults.explain("open", fmt.Errorf("format version %d, known are those to %d: %w", version, formatVersion, ErrVersion))
	case version < formatVersion: // Migrations will go here.
		return d.faults.explain("open", fmt.Errorf("format version %d never was: %w", version, ErrDamaged))
	}
	d.bucketMs = int64(binary.LittleEndian.Uint64(format[4:]))
	if d.bucketMs <= 0 {
		return d.explain(fmt.Errorf("buckets of %d ms: %w", d.bucketMs, ErrDamaged))
	}
	meta, err := d.read(metaKey)
	if err != nil {
		return err
	}
	if meta != nil {
		if len(meta) < 8 {
			return d.explain(fmt.Errorf("meta of %d bytes: %w", len(meta), ErrDamaged))
		}
		d.commits, d.meta = binary.LittleEndian.Uint64(meta), meta[8:]
	}
	evicted, err := d.read(evictedKey)
	if err != nil {
		return err
	}
	if evicted != nil {
		if len(evicted) != 8 {
			return d.explain(fmt.Errorf("eviction of %d bytes: %w", len(evicted), ErrDamaged))
		}
		d.evictedMs = int64(binary.LittleEndian.Uint64(evicted))
		d.evictedStored = d.evictedMs
	}
	return d.loadRows()
}

// make begins a state in a directory that has none.
func (d *DB) make() error {
	it, err := d.pebble.NewIter(nil)
	if err != nil {
		return d.explain(err)
	}
	other := it.First()
	if err := it.Close(); err != nil {
		return d.explain(err)
	}
	if other {
		return d.explain(fmt.Errorf("rows without a format: %w", ErrDamaged))
	}
	d.bucketMs = d.opts.BucketMs
	return d.faults.explain("make", d.pebble.Set(formatKey, formatRecord(d.bucketMs), pebble.Sync))
}

func (d *DB) read(key []byte) ([]byte, error) {
	value, closer, err := d.pebble.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, d.explain(err)
	}
	defer closer.Close()
	return append(make([]byte, 0, len(value)), value...), nil
}

// replaced is a row that is in a later chunk too.
type replaced struct {
	bucket, seq uint32
	ord         uint8
}

// loadReplaced reads which rows are not good any more, in the order of chunks.
func (d *DB) loadReplaced() (old []replaced, err error) {
	err = d.scan([]byte{kindOld}, oldEnd, func(k, v []byte) error {
		bucket, seq, err := parseChunkKey(k)
		if err != nil {
			return d.explain(err)
		}
		for len(v) > 0 {
			back, n := binary.Uvarint(v)
			at := uint64(seq)<<ordBits - back
			if n <= 0 || at>>ordBits > uint64(seq) {
				return d.explain(errChunk)
			}
			v = v[n:]
			old = append(old, replaced{bucket, uint32(at >> ordBits), uint8(at & ordMask)})
		}
		return nil
	})
	slices.SortFunc(old, func(a, b replaced) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.seq, b.seq))
	})
	return old, err
}

// loadRows builds the index.
func (d *DB) loadRows() error {
	old, err := d.loadReplaced()
	if err != nil {
		return err
	}
	return d.scan([]byte{kindRows}, rowsEnd, func(k, v []byte) error {
		number, seq, err := parseChunkKey(k)
		if err != nil {
			return d.explain(err)
		}
		live := uint64(math.MaxUint64)
		for len(old) > 0 && (old[0].bucket < number || old[0].bucket == number && old[0].seq <= seq) {
			if old[0].bucket == number && old[0].seq == seq {
				live &^= 1 << old[0].ord
			}
			old = old[1:]
		}
		b := d.bucket(number)
		b.seq = seq
		return d.loadChunk(b, v, live)
	})
}

func (d *DB) loadChunk(b *bucket, value []byte, live uint64) error {
	i, err := d.newChunk(b, b.seq)
	if err != nil {
		return err
	}
	v := &d.seen
	if err := v.parse(value); err != nil {
		return d.explain(err)
	}
	flags := chunkFlags(0)
	d.fresh = d.fresh[:0]
	for k := range v.n() {
		if live&(1<<k) == 0 {
			continue
		}
		if join.Waiting(v.row(k)) {
			flags |= chunkWaiting
		}
		d.fresh = append(d.fresh, v.id(k))
	}
	d.index.addAll(d.fresh, i, d.isDropped)
	d.fresh = d.fresh[:0]
	d.closeChunk(b, i, v.n(), len(value), live&allLive(v.n()), flags)
	return nil
}

func appendUint64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }
