package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// Rows are stored in chunks of up to 64, in the order in which they were put,
// and not each under a key of its own: what a store charges for a key is then
// shared, and as chunks of a bucket are only ever added at its end, tables are
// moved from level to level and not merged. A row that changes is stored anew
// in a later chunk of its bucket; which ones those were is stored beside, as a
// list for each bucket and commit.
//
// A chunk is a count, the ids, the rows' lengths, and the rows as
// join.AppendRow writes them.
const (
	maxRows    = 64
	maxBytes   = 4096 // where a chunk ends, though it takes the row that reaches it
	ordBits    = 6
	ordMask    = maxRows - 1
	idBytes    = 16
	chunkMagic = 0xC0 // beside the count of a chunk, less one
)

var errChunk = errors.New("not a stored chunk")

// chunk is what is known of a stored chunk without looking at it.
type chunk struct {
	bucket uint32
	seq    uint32 // within the bucket, from 1
	live   uint64 // the rows that are not stored anew in a later chunk
	slab   uint32 // where it is in memory, if it is
	offset uint32
	bytes  uint32
	n      uint8 // rows; 0: the number is free, or its bucket was dropped
	flags  chunkFlags
}

const chunkBytes = 40

type chunkFlags uint8

const (
	chunkOpen    chunkFlags = 1 << iota // far from full: listed in bucket.open
	chunkSparse                         // mostly replaced: listed in bucket.sparse
	chunkWaiting                        // a row in it may be waiting
)

// allLive is a chunk's live when nothing in it was replaced.
func allLive(rows int) uint64 { return math.MaxUint64 >> (maxRows - rows) }

func (c *chunk) liveRows() int { return bits.OnesCount64(c.live) }

// builder packs rows into a chunk.
type builder struct {
	ids, lengths, rows []byte
	n                  int
	flags              chunkFlags
}

func (w *builder) reset() {
	w.ids, w.lengths, w.rows, w.n, w.flags = w.ids[:0], w.lengths[:0], w.rows[:0], 0, 0
}

func (w *builder) size() int { return 1 + len(w.ids) + len(w.lengths) + len(w.rows) }

func (w *builder) full() bool { return w.n == maxRows || w.size() >= maxBytes }

// add notes that a row was appended to w.rows, which had so many bytes before.
func (w *builder) add(id join.ID, before int, waiting bool) {
	w.ids = binary.LittleEndian.AppendUint64(w.ids, id.Hi)
	w.ids = binary.LittleEndian.AppendUint64(w.ids, id.Lo)
	w.lengths = binary.AppendUvarint(w.lengths, uint64(len(w.rows)-before))
	w.n++
	if waiting {
		w.flags |= chunkWaiting
	}
}

// encode writes the chunk to b, which has room for size bytes.
func (w *builder) encode(b []byte) {
	b[0] = chunkMagic | byte(w.n-1)
	k := 1 + copy(b[1:], w.ids)
	k += copy(b[k:], w.lengths)
	copy(b[k:], w.rows)
}

// view is a chunk taken apart.
type view struct {
	ids  []byte
	rest []byte // the lengths and rows not yet looked at
	ends [maxRows]uint32
}

func (v *view) n() int { return len(v.ids) / idBytes }

func (v *view) id(k int) join.ID {
	b := v.ids[k*idBytes:]
	return join.ID{Hi: binary.LittleEndian.Uint64(b), Lo: binary.LittleEndian.Uint64(b[8:])}
}

// row is valid as long as the chunk.
func (v *view) row(k int) []byte {
	from := uint32(0)
	if k > 0 {
		from = v.ends[k-1]
	}
	return v.rest[from:v.ends[k]]
}

// parse checks a chunk as a whole, so that what follows cannot fail.
func (v *view) parse(b []byte) error {
	if len(b) == 0 || b[0]&^ordMask != chunkMagic {
		return fmt.Errorf("chunk: %d bytes, wrong count: %w", len(b), errChunk)
	}
	n := int(b[0]&ordMask) + 1
	if len(b) < 1+n*(idBytes+1) {
		return fmt.Errorf("chunk: %d bytes for %d rows: %w", len(b), n, errChunk)
	}
	v.ids, b = b[1:1+n*idBytes], b[1+n*idBytes:]
	total := uint64(0)
	for k := range n {
		var length uint64
		if len(b) > 0 && b[0] < 0x80 {
			length, b = uint64(b[0]), b[1:]
		} else {
			m := 0
			if length, m = binary.Uvarint(b); m <= 0 {
				return fmt.Errorf("chunk: the length of row %d of %d is wrong: %w", k, n, errChunk)
			}
			b = b[m:]
		}
		total += length
		if length == 0 || length > math.MaxUint32 || total > math.MaxUint32 {
			return fmt.Errorf("chunk: the length of row %d of %d is wrong: %w", k, n, errChunk)
		}
		v.ends[k] = uint32(total)
	}
	if total != uint64(len(b)) {
		return fmt.Errorf("chunk: rows of %d bytes in all have %d: %w", total, len(b), errChunk)
	}
	v.rest = b
	return nil
}

// find returns the place of a live row, -1 when it is not in the chunk.
func (v *view) find(id join.ID, live uint64) int {
	for k := range v.n() {
		if binary.LittleEndian.Uint64(v.ids[k*idBytes:]) == id.Hi && v.id(k) == id && live&(1<<k) != 0 {
			return k
		}
	}
	return -1
}
