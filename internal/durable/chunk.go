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
// in a later chunk of its bucket; which rows of a chunk are still good is
// stored beside it, once they are not all.
//
// A chunk is a count, and for each row its length, its id, and the row as
// join.AppendRow writes it.
const (
	maxRows    = 64
	maxBytes   = 4096 // where a chunk ends, though it takes the row that reaches it
	idBytes    = 16
	chunkMagic = 0xC0 // beside the count of a chunk, less one
)

var errChunk = errors.New("not a stored chunk")

// chunk is what is known of a stored chunk without looking at it.
type chunk struct {
	bucket uint32
	seq    uint32 // within the bucket, from 1
	live   uint64 // the rows that are not stored anew in a later chunk
	n      uint8  // rows; 0: the number is free, or its bucket was dropped
	flags  chunkFlags
}

type chunkFlags uint8

const (
	chunkOpen    chunkFlags = 1 << iota // far from full: listed in bucket.open
	chunkSparse                         // mostly replaced: listed in bucket.sparse
	chunkWaiting                        // a row in it may be waiting
	chunkChanged                        // live is to be stored with the commit
	chunkMasked                         // live was stored
)

// allLive is a chunk's live when nothing in it was replaced.
func allLive(rows int) uint64 { return math.MaxUint64 >> (maxRows - rows) }

func (c *chunk) liveRows() int { return bits.OnesCount64(c.live) }

// entry is one row in a chunk.
type entry struct {
	id  join.ID
	row []byte
}

// builder packs rows into a chunk.
type builder struct {
	b     []byte
	rows  int
	flags chunkFlags
}

func (w *builder) reset() { w.b, w.rows, w.flags = append(w.b[:0], 0), 0, 0 }

func (w *builder) full() bool { return w.rows == maxRows || len(w.b) >= maxBytes }

// begin leaves room for a length, which is mostly of one byte.
func (w *builder) begin(id join.ID) (start int) {
	start = len(w.b)
	w.b = append(w.b, 0)
	w.b = binary.LittleEndian.AppendUint64(w.b, id.Hi)
	w.b = binary.LittleEndian.AppendUint64(w.b, id.Lo)
	return start
}

func (w *builder) end(start int, waiting bool) {
	if waiting {
		w.flags |= chunkWaiting
	}
	w.rows++
	w.b[0] = chunkMagic | byte(w.rows-1)
	n := len(w.b) - start - 1
	if n < 0x80 {
		w.b[start] = byte(n)
		return
	}
	var length [binary.MaxVarintLen64]byte
	more := binary.PutUvarint(length[:], uint64(n))
	w.b = append(w.b, length[:more-1]...)
	copy(w.b[start+more:], w.b[start+1:start+1+n])
	copy(w.b[start:], length[:more])
}

// reader takes a chunk apart.
type reader struct {
	b    []byte
	left int
	err  error
}

func readChunk(b []byte) reader {
	if len(b) == 0 || b[0]&^(maxRows-1) != chunkMagic {
		return reader{err: fmt.Errorf("chunk: %d bytes, wrong count: %w", len(b), errChunk)}
	}
	return reader{b: b[1:], left: int(b[0]&(maxRows-1)) + 1}
}

// next reads one row. It reports false at the end and after an error.
func (r *reader) next(e *entry) bool {
	if r.left == 0 {
		if len(r.b) != 0 && r.err == nil {
			r.err = fmt.Errorf("chunk: %d bytes too many: %w", len(r.b), errChunk)
		}
		return false
	}
	length, n := binary.Uvarint(r.b)
	if n <= 0 || length <= idBytes || length > uint64(len(r.b)-n) {
		return r.fail("a row's length")
	}
	body := r.b[n : n+int(length)]
	e.id = join.ID{Hi: binary.LittleEndian.Uint64(body), Lo: binary.LittleEndian.Uint64(body[8:])}
	e.row = body[idBytes:]
	r.b = r.b[n+int(length):]
	r.left--
	return true
}

func (r *reader) fail(what string) bool {
	r.err = fmt.Errorf("chunk: %d rows before its end, %s is wrong: %w", r.left, what, errChunk)
	r.left = 0
	r.b = nil
	return false
}
