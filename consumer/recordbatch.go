package consumer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// Reasons for which a record batch cannot be read. Only errChecksum can be
// healed by fetching again: the others are what the producer wrote.
var (
	errChecksum   = errors.New("checksum mismatch")
	errMagic      = errors.New("unsupported message format")
	errDecompress = errors.New("cannot be decompressed")
	errRecords    = errors.New("malformed records")
)

const (
	batchPrefixSize = 12 // base offset and length: what a batch's length does not count
	batchHeaderSize = 61 // the whole header of message format v2
	batchMagic      = 2
	oldHeaderSize   = 17 // up to and including magic, the same place in all formats
	minRecordSize   = 7  // length, attributes, two deltas, key and value length, header count
	crcFrom         = 21 // the CRC covers everything from the attributes on

	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchHeader is the header of one record batch. For the old formats (magic 0
// and 1) only the offset, the size and the magic are set.
type batchHeader struct {
	baseOffset      int64
	size            int // of the whole batch, header included
	magic           int8
	crc             uint32
	attributes      int16
	lastOffsetDelta int32
	baseTimestamp   int64
	maxTimestamp    int64
	producerID      int64
	count           int32
}

func (h *batchHeader) lastOffset() int64   { return h.baseOffset + int64(max(h.lastOffsetDelta, 0)) }
func (h *batchHeader) control() bool       { return h.attributes&attrControl != 0 }
func (h *batchHeader) transactional() bool { return h.attributes&attrTransactional != 0 }

// parseBatchHeader reads the header at the start of b. ok is false when b ends
// within the batch, as the last one of a fetch may, or when its length cannot
// be one; the fields that b holds are set either way.
func parseBatchHeader(b []byte) (h batchHeader, ok bool) {
	if len(b) < batchPrefixSize {
		return h, false
	}
	h.baseOffset = int64(binary.BigEndian.Uint64(b))
	h.size = batchPrefixSize + int(int32(binary.BigEndian.Uint32(b[8:])))
	if len(b) < oldHeaderSize {
		return h, false
	}
	h.magic = int8(b[16])
	if h.magic == batchMagic && len(b) >= batchHeaderSize {
		h.crc = binary.BigEndian.Uint32(b[17:])
		h.attributes = int16(binary.BigEndian.Uint16(b[21:]))
		h.lastOffsetDelta = int32(binary.BigEndian.Uint32(b[23:]))
		h.baseTimestamp = int64(binary.BigEndian.Uint64(b[27:]))
		h.maxTimestamp = int64(binary.BigEndian.Uint64(b[35:]))
		h.producerID = int64(binary.BigEndian.Uint64(b[43:]))
		h.count = int32(binary.BigEndian.Uint32(b[57:]))
	}
	least := oldHeaderSize
	if h.magic == batchMagic {
		least = batchHeaderSize
	}
	return h, h.size >= least && h.size <= len(b)
}

// batchDecoder turns record batches into records. The records point into the
// batch or into the decoder's own buffer, and are valid until the next call.
type batchDecoder struct {
	codecs   *codecs
	buffers  *buffers
	maxBytes int // bound on a decompressed batch
	records  []Record
	scratch  *buffer // holds the decompressed batch
	largest  int     // size of the largest batch so far: the next one may be as large
}

// check verifies that the batch is of a format that we read and is what its
// producer wrote.
func (d *batchDecoder) check(h *batchHeader, batch []byte) error {
	if h.magic != batchMagic {
		return fmt.Errorf("message format v%d: %w", h.magic, errMagic)
	}
	if got := crc32.Checksum(batch[crcFrom:h.size], castagnoli); got != h.crc {
		return fmt.Errorf("crc %08x, computed %08x: %w", h.crc, got, errChecksum)
	}
	return nil
}

// decode returns the records of a checked batch whose offset is from or above.
func (d *batchDecoder) decode(h *batchHeader, batch []byte, from int64) ([]Record, error) {
	payload := batch[batchHeaderSize:h.size]
	if codec := h.attributes & attrCodec; codec != 0 {
		d.release()
		d.scratch = d.buffers.get(max(d.largest, 2*len(payload)))
		out, err := d.codecs.decompress(d.scratch.bytes[:0], codec, payload, d.maxBytes)
		if err != nil {
			return nil, fmt.Errorf("codec %s: %w: %w", codecName(codec), errDecompress, err)
		}
		d.largest = max(d.largest, len(out))
		payload = out
	}
	var err error
	d.records, err = appendRecords(d.records[:0], h, payload, from)
	return d.records, err
}

// release gives the memory of the last decompressed batch back. Its records
// are void then.
func (d *batchDecoder) release() {
	d.scratch.release()
	d.scratch = nil
}

// appendRecords parses the h.count records in b. A batch in which any record
// is malformed yields none.
func appendRecords(records []Record, h *batchHeader, b []byte, from int64) ([]Record, error) {
	count := int(h.count)
	if count < 0 || count > len(b)/minRecordSize {
		return records[:0], fmt.Errorf("%d records in %d bytes: %w", count, len(b), errRecords)
	}
	records = slices.Grow(records, count)
	appendTime := h.attributes&attrLogAppendTime != 0
	previous := int64(-1)
	for i := range count {
		length, n := varint(b)
		if n == 0 || length < minRecordSize-1 || length > int64(len(b)-n) {
			return records[:0], fmt.Errorf("record %d of %d: length %d, %d bytes left: %w", i, count, length, len(b), errRecords)
		}
		r := b[n : n+int(length)]
		b = b[n+int(length):]

		r = r[1:] // attributes: unused
		timestamp, n := varint(r)
		if n == 0 {
			return records[:0], fmt.Errorf("record %d of %d: timestamp delta: %w", i, count, errRecords)
		}
		r = r[n:]
		delta, n := varint(r)
		if n == 0 || delta <= previous || delta > int64(h.lastOffsetDelta) {
			return records[:0], fmt.Errorf("record %d of %d: offset delta %d after %d, last is %d: %w", i, count, delta, previous, h.lastOffsetDelta, errRecords)
		}
		previous = delta
		key, r, ok := lengthPrefixed(r[n:])
		if !ok {
			return records[:0], fmt.Errorf("record %d of %d: key length: %w", i, count, errRecords)
		}
		value, r, ok := lengthPrefixed(r)
		if !ok {
			return records[:0], fmt.Errorf("record %d of %d: value length: %w", i, count, errRecords)
		}
		// Headers are looked at by those who want one; their count has to be there.
		headers, n := varint(r)
		if n == 0 || headers < 0 {
			return records[:0], fmt.Errorf("record %d of %d: header count: %w", i, count, errRecords)
		}
		if headers == 0 {
			r = nil
		}
		if h.baseOffset+delta < from {
			continue
		}
		rec := Record{Offset: h.baseOffset + delta, TimestampMs: h.baseTimestamp + timestamp, Key: key, Value: value, Headers: r}
		if appendTime {
			rec.TimestampMs = h.maxTimestamp
		}
		records = append(records, rec)
	}
	if len(b) != 0 {
		return records[:0], fmt.Errorf("%d bytes after the last of %d records: %w", len(b), count, errRecords)
	}
	return records, nil
}

// lengthPrefixed reads a byte string behind its length; length -1 is nil.
func lengthPrefixed(b []byte) (s, rest []byte, ok bool) {
	length, n := varint(b)
	switch {
	case n == 0 || length < -1 || length > int64(len(b)-n):
		return nil, nil, false
	case length == -1:
		return nil, b[n:], true
	}
	end := n + int(length)
	return b[n:end:end], b[end:], true
}

// varint reads a zigzag varint; n is 0 when b holds no whole one.
func varint(b []byte) (v int64, n int) {
	// One and two bytes cover nearly every field of a record.
	if len(b) > 1 {
		if b[0] < 0x80 {
			u := uint64(b[0])
			return int64(u>>1) ^ -int64(u&1), 1
		}
		if b[1] < 0x80 {
			u := uint64(b[0]&0x7f) | uint64(b[1])<<7
			return int64(u>>1) ^ -int64(u&1), 2
		}
	}
	v, n = binary.Varint(b)
	return v, max(n, 0)
}

// controlType is the kind of marker that a control batch holds.
type controlType int16

const (
	controlAbort   controlType = 0
	controlCommit  controlType = 1
	controlUnknown controlType = -1
)

// control reads the marker of a checked control batch.
func (d *batchDecoder) control(h *batchHeader, batch []byte) controlType {
	records, err := d.decode(h, batch, h.baseOffset)
	if err != nil || len(records) == 0 || len(records[0].Key) < 4 {
		return controlUnknown
	}
	switch t := controlType(binary.BigEndian.Uint16(records[0].Key[2:])); t {
	case controlAbort, controlCommit:
		return t
	}
	return controlUnknown
}
