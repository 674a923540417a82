package consumer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newTestDecoder() *batchDecoder {
	return &batchDecoder{codecs: newCodecs(1 << 20), buffers: new(buffers), maxBytes: 1 << 20}
}

func decodeAll(d *batchDecoder, raw []byte, from int64) ([]Record, error) {
	h, ok := parseBatchHeader(raw)
	if !ok {
		return nil, fmt.Errorf("header %+v: not a whole batch", h)
	}
	if err := d.check(&h, raw); err != nil {
		return nil, err
	}
	return d.decode(&h, raw, from)
}

func TestDecodeCodecs(t *testing.T) {
	d := newTestDecoder()
	for _, tc := range []struct {
		name   string
		codec  int16
		xerial bool
	}{
		{name: "none"}, {name: "gzip", codec: codecGzip}, {name: "snappy", codec: codecSnappy},
		{name: "snappy xerial", codec: codecSnappy, xerial: true}, {name: "lz4", codec: codecLZ4}, {name: "zstd", codec: codecZstd},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := numbered(300)
			in[7].Key = nil
			in[8].Value = []byte{}
			in[9].Value = bytes.Repeat([]byte("long "), 4000)
			raw := batchSpec{base: 50, records: in, codec: tc.codec, xerial: tc.xerial, baseTime: 990}.build(t)
			want := slices.Clone(in)
			for i := range want {
				want[i].Offset = int64(50 + i)
				want[i].Headers = wireHeaders("h", "v")
			}
			for range 2 { // the second time from pooled state
				got, err := decodeAll(d, raw, 0)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Fatalf("error %v, records (-want +got):\n%s", err, diff)
				}
			}
		})
	}
}

func TestDecodeOffsetsAndTimes(t *testing.T) {
	for _, tc := range []struct {
		name string
		spec batchSpec
		from int64
		want []int64 // offset, time, offset, time, …
	}{
		{name: "gaps of compaction", spec: batchSpec{base: 10, deltas: []int32{1, 4}, last: 9, records: numbered(2)},
			want: []int64{11, 1000, 14, 1001}},
		{name: "seek into the batch", spec: batchSpec{base: 10, records: numbered(4)}, from: 12,
			want: []int64{12, 1002, 13, 1003}},
		{name: "seek behind the last record", spec: batchSpec{base: 10, last: 9, records: numbered(2)}, from: 12},
		{name: "log append time", spec: batchSpec{base: 10, records: numbered(2), attributes: attrLogAppendTime, maxTime: 77},
			want: []int64{10, 77, 11, 77}},
		{name: "emptied by compaction", spec: batchSpec{base: 10, last: 5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			records, err := decodeAll(newTestDecoder(), tc.spec.build(t), tc.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, r := range records {
				got = append(got, r.Offset, r.TimestampMs)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := func() []byte { return batchSpec{base: 5, records: numbered(3)}.build(t) }
	edit := func(at int, b ...byte) []byte {
		raw := good()
		copy(raw[at:], b)
		return withChecksum(raw)
	}
	bomb := batchSpec{base: 5, records: []Record{{Value: make([]byte, 2<<20)}}}
	for _, tc := range []struct {
		name string
		raw  []byte
		want error
	}{
		{"flipped bit", func() []byte { raw := good(); raw[70] ^= 1; return raw }(), errChecksum},
		{"magic 1", edit(16, 1), errMagic},
		{"magic 3", edit(16, 3), errMagic},
		{"one record too few", edit(57, 0, 0, 0, 2), errRecords},
		{"one record too many", edit(57, 0, 0, 0, 4), errRecords},
		{"negative count", edit(57, 0xff, 0xff, 0xff, 0xff), errRecords},
		{"huge count", edit(57, 0x7f, 0xff, 0xff, 0xff), errRecords},
		{"record length beyond the batch", edit(61, 0xfe, 0x7f), errRecords},
		{"offset delta above the last", edit(23, 0, 0, 0, 1), errRecords},
		{"unknown codec", edit(22, 5), errDecompress},
		{"gzip flag on plain bytes", edit(22, 1), errDecompress},
		{"snappy flag on plain bytes", edit(22, 2), errDecompress},
		{"lz4 flag on plain bytes", edit(22, 3), errDecompress},
		{"zstd flag on plain bytes", edit(22, 4), errDecompress},
		{"gzip bomb", with(bomb, codecGzip).build(t), errTooBig},
		{"snappy bomb", with(bomb, codecSnappy).build(t), errTooBig},
		{"lz4 bomb", with(bomb, codecLZ4).build(t), errTooBig},
		{"zstd bomb", with(bomb, codecZstd).build(t), errDecompress},
	} {
		t.Run(tc.name, func(t *testing.T) {
			records, err := decodeAll(newTestDecoder(), tc.raw, 0)
			if !errors.Is(err, tc.want) || len(records) != 0 {
				t.Errorf("got %d records, error %v; want none, %v", len(records), err, tc.want)
			}
		})
	}
}

func with(s batchSpec, codec int16) batchSpec { s.codec = codec; return s }

// A record set may end anywhere: no prefix of a batch is taken for a batch.
func TestPartialBatch(t *testing.T) {
	raw := batchSpec{base: 5, records: numbered(3)}.build(t)
	for n := range raw {
		if h, ok := parseBatchHeader(raw[:n]); ok {
			t.Fatalf("%d of %d bytes: got a batch %+v", n, len(raw), h)
		}
	}
	if _, ok := parseBatchHeader(raw); !ok {
		t.Error("the whole batch is refused")
	}
	for _, length := range []int32{-1, 0, 48, -1 << 31, 1<<31 - 1} {
		binary.BigEndian.PutUint32(raw[8:], uint32(length))
		if h, ok := parseBatchHeader(raw); ok {
			t.Errorf("length %d: got a batch %+v", length, h)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for codec := range codecZstd + 1 {
		f.Add(batchSpec{base: 1, records: numbered(4), codec: codec}.build(f))
	}
	f.Add(batchSpec{base: 1, records: numbered(90), codec: codecSnappy, xerial: true}.build(f))
	f.Add(marker(f, 7, 3, controlAbort))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := newTestDecoder()
		h, ok := parseBatchHeader(raw)
		if !ok {
			return
		}
		// Mutated input nearly always fails the checksum; the parser behind it
		// is what is to be fuzzed.
		if h.magic == batchMagic {
			raw = withChecksum(bytes.Clone(raw[:h.size]))
			h, _ = parseBatchHeader(raw)
		}
		if d.check(&h, raw) != nil {
			return
		}
		from := h.baseOffset + 1
		records, err := d.decode(&h, raw, from)
		if err != nil && len(records) != 0 {
			t.Fatalf("records beside error %v", err)
		}
		if d.largest > d.maxBytes {
			t.Fatalf("%d bytes decompressed, %d allowed", d.largest, d.maxBytes)
		}
		last := from - 1
		for _, r := range records {
			if r.Offset <= last || r.Offset > h.lastOffset() {
				t.Fatalf("offset %d after %d, last of batch %d", r.Offset, last, h.lastOffset())
			}
			last = r.Offset
		}
		d.control(&h, raw)
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, tc := range []struct {
		name  string
		codec int16
	}{{"none", 0}, {"gzip", codecGzip}, {"snappy", codecSnappy}, {"lz4", codecLZ4}, {"zstd", codecZstd}} {
		b.Run("codec="+tc.name, func(b *testing.B) {
			const n = 500
			records := make([]Record, n)
			for i := range records {
				records[i] = Record{TimestampMs: int64(i), Key: fmt.Appendf(nil, "auction-%d", i), Value: fmt.Appendf(nil, "%0180d", i)}
			}
			raw := batchSpec{records: records, codec: tc.codec}.build(b)
			d := newTestDecoder()
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if got, err := decodeAll(d, raw, 0); err != nil || len(got) != n {
					b.Fatalf("got %d records, error %v", len(got), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
		})
	}
}
