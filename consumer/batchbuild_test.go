package consumer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchSpec describes a record batch that a test builds byte by byte, with
// franz-go's encoder for the parts: an author other than the decoder's.
type batchSpec struct {
	base       int64
	deltas     []int32 // offset deltas; nil: dense
	last       int32   // last offset delta; 0: of the last record
	records    []Record
	codec      int16
	xerial     bool // frame snappy as Java does
	producer   int64
	attributes int16 // besides the codec
	maxTime    int64
	baseTime   int64
	// count overrides the record count when it is not 0.
	count int32
}

// build returns the batch's bytes, with a right checksum.
func (s batchSpec) build(t testing.TB) []byte {
	t.Helper()
	var payload []byte
	last := s.last
	for i, r := range s.records {
		delta := int32(i)
		if s.deltas != nil {
			delta = s.deltas[i]
		}
		last = max(last, delta)
		rec := kmsg.Record{OffsetDelta: delta, TimestampDelta64: r.TimestampMs - s.baseTime, Key: r.Key, Value: r.Value,
			Headers: []kmsg.Header{{Key: "h", Value: []byte("v")}}}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1) // a length of 0 takes one byte
		payload = rec.AppendTo(payload)
	}
	count := int32(len(s.records))
	if s.count != 0 {
		count = s.count
	}
	b := kmsg.RecordBatch{
		FirstOffset: s.base, PartitionLeaderEpoch: 3, Magic: 2, Attributes: s.attributes | s.codec,
		LastOffsetDelta: last, FirstTimestamp: s.baseTime, MaxTimestamp: s.maxTime,
		ProducerID: s.producer, ProducerEpoch: 0, FirstSequence: 0, NumRecords: count,
		Records: compressFor(t, s.codec, s.xerial, payload),
	}
	b.Length = int32(49 + len(b.Records))
	raw := b.AppendTo(nil)
	return withChecksum(raw)
}

// withChecksum rewrites the checksum of the batch in raw.
func withChecksum(raw []byte) []byte {
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func compressFor(t testing.TB, codec int16, xerial bool, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var err error
	write := func(w interface {
		Write([]byte) (int, error)
		Close() error
	}) {
		if _, err = w.Write(b); err == nil {
			err = w.Close()
		}
	}
	switch codec {
	case 0:
		return b
	case codecGzip:
		write(gzip.NewWriter(&buf))
	case codecLZ4:
		write(lz4.NewWriter(&buf))
	case codecZstd:
		var w *zstd.Encoder
		w, err = zstd.NewWriter(&buf)
		if err == nil {
			write(w)
		}
	case codecSnappy:
		if !xerial {
			return snappy.Encode(nil, b)
		}
		buf.Write(append(bytes.Clone(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1))
		for len(b) > 0 {
			n := min(len(b), 100)
			block := snappy.Encode(nil, b[:n])
			buf.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block))))
			buf.Write(block)
			b = b[n:]
		}
	default:
		t.Fatalf("codec %d", codec)
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// marker is a control batch that ends a transaction of producer.
func marker(t testing.TB, base, producer int64, kind controlType) []byte {
	key := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(kind))
	return batchSpec{base: base, producer: producer, attributes: attrTransactional | attrControl,
		records: []Record{{Key: key, Value: []byte{0, 0, 0, 0, 0, 0}}}}.build(t)
}

// numbered returns n records with recognisable keys, values and times.
func numbered(n int) []Record {
	records := make([]Record, n)
	for i := range records {
		records[i] = Record{TimestampMs: int64(1000 + i), Key: fmt.Appendf(nil, "key-%d", i), Value: fmt.Appendf(nil, "value-%d", i)}
	}
	return records
}
