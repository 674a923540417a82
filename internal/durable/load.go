package durable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// load reads what the directory holds, or makes it a new state.
func (d *DB) load() error {
	format, err := d.read(formatKey)
	if err != nil {
		return err
	}
	if format == nil {
		d.bucketMs = d.opts.BucketMs
		if err := d.pebble.Set(formatKey, formatRecord(d.bucketMs), pebble.Sync); err != nil {
			return d.errorf("make: %w", err)
		}
		return nil
	}
	if !bytes.Equal(format[:min(4, len(format))], formatRecord(1)[:4]) || len(format) != 12 {
		return d.errorf("format %x is not known", format)
	}
	d.bucketMs = int64(leUint64(format[4:]))
	meta, err := d.read(metaKey)
	if err != nil {
		return err
	}
	if meta != nil {
		if len(meta) < 8 {
			return d.errorf("read meta: %d bytes", len(meta))
		}
		d.commits, d.meta = leUint64(meta), meta[8:]
	}
	evicted, err := d.read(evictedKey)
	if err != nil {
		return err
	}
	if evicted != nil {
		if len(evicted) != 8 {
			return d.errorf("read eviction: %d bytes", len(evicted))
		}
		d.evictedMs = int64(leUint64(evicted))
		d.evictedStored = d.evictedMs
	}
	return d.loadRows()
}

func (d *DB) read(key []byte) ([]byte, error) {
	value, closer, err := d.pebble.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, d.errorf("read: %w", err)
	}
	defer closer.Close()
	return append(make([]byte, 0, len(value)), value...), nil
}

// mask is which rows are left of a chunk.
type mask struct {
	bucket, seq uint32
	live        uint64
}

func (d *DB) loadMasks() (masks []mask, err error) {
	err = d.scan([]byte{kindMasks}, masksEnd, func(k, v []byte) error {
		bucket, seq, err := parseChunkKey(k)
		if err != nil || len(v) != 8 {
			return d.errorf("read which rows are left: %w", errChunk)
		}
		masks = append(masks, mask{bucket, seq, binary.LittleEndian.Uint64(v)})
		return nil
	})
	return masks, err
}

// loadRows builds the index.
func (d *DB) loadRows() error {
	masks, err := d.loadMasks()
	if err != nil {
		return err
	}
	return d.scan([]byte{kindRows}, rowsEnd, func(k, v []byte) error {
		number, seq, err := parseChunkKey(k)
		if err != nil {
			return d.errorf("read rows: %w", err)
		}
		live, flags := uint64(math.MaxUint64), chunkFlags(0)
		if len(masks) > 0 && masks[0].bucket == number && masks[0].seq == seq {
			live, flags = masks[0].live, chunkMasked
			masks = masks[1:]
		}
		b := d.bucket(number)
		b.seq = seq
		return d.loadChunk(b, v, live, flags)
	})
}

func (d *DB) loadChunk(b *bucket, value []byte, live uint64, flags chunkFlags) error {
	i, err := d.newChunk(b, b.seq)
	if err != nil {
		return err
	}
	r := readChunk(value)
	rows := 0
	for e := (entry{}); r.next(&e); rows++ {
		if live&(1<<rows) == 0 {
			continue
		}
		if waitingRow(e.row) {
			flags |= chunkWaiting
		}
		d.index.add(e.id, i, d.isDropped)
	}
	if r.err != nil {
		return d.errorf("read rows: %w", r.err)
	}
	d.closeChunk(b, i, rows, len(value), live&allLive(rows), flags)
	return nil
}

func appendUint64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }
