package durable

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// build packs rows of the given lengths.
func build(lengths ...int) []byte {
	var w builder
	w.reset()
	for i, n := range lengths {
		before := len(w.rows)
		w.rows = append(w.rows, bytes.Repeat([]byte{byte(i + 1)}, n)...)
		w.add(join.ID{Hi: uint64(i), Lo: math.MaxUint64 - uint64(i)}, before, false)
	}
	b := make([]byte, w.size())
	w.encode(b)
	return b
}

func TestChunkRoundTrip(t *testing.T) {
	for _, lengths := range [][]int{{1}, {127, 128, 1}, {5000}, {3, 70_000, 3}} {
		var v view
		if err := v.parse(build(lengths...)); err != nil {
			t.Fatalf("%v: %v", lengths, err)
		}
		for i, n := range lengths {
			id := join.ID{Hi: uint64(i), Lo: math.MaxUint64 - uint64(i)}
			if k := v.find(id, math.MaxUint64); k != i || !bytes.Equal(v.row(k), bytes.Repeat([]byte{byte(i + 1)}, n)) {
				t.Errorf("%v: row %d is found at %d", lengths, i, k)
			}
			if k := v.find(id, ^(uint64(1) << i)); k != -1 {
				t.Errorf("%v: row %d is replaced, and found at %d", lengths, i, k)
			}
		}
	}
}

func TestChunkTruncated(t *testing.T) {
	b := build(3, 200, 5)
	var v view
	for n := range b {
		if err := v.parse(b[:n]); !errors.Is(err, errChunk) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(b), err)
		}
	}
	if err := v.parse(append(b, 0)); !errors.Is(err, errChunk) {
		t.Errorf("a byte too many: %v", err)
	}
}

// FuzzChunk: what is taken for a chunk has rows that lie in it.
func FuzzChunk(f *testing.F) {
	f.Add(build(1, 2, 3))
	f.Add(build(300))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v view
		if err := v.parse(b); err != nil {
			if !errors.Is(err, errChunk) {
				t.Fatalf("error %v does not wrap errChunk", err)
			}
			return
		}
		total := 0
		for k := range v.n() {
			total += len(v.row(k)) + idBytes
			if v.find(v.id(k), 1<<k) != k {
				t.Fatalf("row %d is not found", k)
			}
		}
		if total > len(b) {
			t.Fatalf("rows of %d bytes in %d", total, len(b))
		}
	})
}
