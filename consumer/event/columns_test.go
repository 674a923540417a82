package event

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"
)

// TestPortableColumns holds this machine's way of copying against the one for
// machines of the other byte order.
func TestPortableColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for n := range 40 {
		b := make([]byte, 8*n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		words, wantWords := make([]uint64, n), make([]uint64, n)
		copyFixed64(words, b)
		portableFixed64(wantWords, b)
		if !slices.Equal(words, wantWords) {
			t.Errorf("copyFixed64 of %d words: got %x, want %x", n, words, wantWords)
		}
		floats, wantFloats := make([]float32, 2*n), make([]float32, 2*n)
		copyFloat(floats, b)
		portableFloat(wantFloats, b)
		if !slices.EqualFunc(floats, wantFloats, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("copyFloat of %d floats: got %v, want %v", 2*n, floats, wantFloats)
		}
	}
}

// TestAppendIndexes covers runs of short varints that a long one interrupts at
// every position, and columns beyond the size from which entries are counted.
func TestAppendIndexes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{0, 1, 7, 8, 9, 16, 25, 5000} {
		for round := range 50 {
			var want []uint32
			var b []byte
			for i := range n {
				v := r.Uint32N(128)
				if i == round%(n+1) || r.IntN(200) == 0 {
					v = r.Uint32() >> r.IntN(32)
				}
				want = append(want, v)
				b = binary.AppendUvarint(b, uint64(v))
			}
			got, largest, code := appendIndexes(nil, b, 0)
			if !slices.Equal(got, want) || code != 0 {
				t.Fatalf("appendIndexes of %d entries: got %v, code %d, want %v", n, got, code, want)
			}
			if n > 0 && largest != slices.Max(want) {
				t.Fatalf("appendIndexes of %v: largest %d, want %d", want, largest, slices.Max(want))
			}
		}
	}
}

// TestAppendIndexesCounts gives the longest form of each varint: ten bytes an
// entry must not take the room of ten entries.
func TestAppendIndexesCounts(t *testing.T) {
	var b []byte
	for range 1000 {
		b = append(b, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0)
	}
	got, largest, code := appendIndexes(nil, b, 0)
	if len(got) != 1000 || largest != 1 || code != 0 || cap(got) > 2000 {
		t.Errorf("appendIndexes: got %d entries in room for %d, largest %d, code %d; want 1000 entries of 1", len(got), cap(got), largest, code)
	}
}

func TestUvarint(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 16383, 16384, 1<<28 - 1, 1 << 28, 1<<35 - 1, 1<<42 - 1, 1<<49 - 1, 1<<56 - 1, 1 << 56, 1 << 63, math.MaxUint64} {
		for _, behind := range []string{"", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff", "\x01\x02\x03\x04\x05\x06\x07\x08"} {
			b := append([]byte{0xff}, binary.AppendUvarint(nil, v)...)
			end := len(b)
			got, j := uvarint(append(b, behind...), 1)
			if got != v || j != end {
				t.Errorf("uvarint of %d before %q: got %d up to %d, want up to %d", v, behind, got, j, end)
			}
			for cut := 1; cut < end; cut++ {
				if _, j := uvarint(b[:cut], 1); j != errTruncated {
					t.Errorf("uvarint of %d cut at %d: got %d, want %d", v, cut, j, errTruncated)
				}
			}
		}
	}
}

// TestBitRanges compares the branch-free tests with the plain ones around
// every edge of the float32 bit patterns.
func TestBitRanges(t *testing.T) {
	var edges []uint32
	for _, e := range []uint32{0, 1, 0x007fffff, 0x00800000, 0x3f7fffff, 0x3f800000, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x80000000, 0xbf800000, 0xff800000} {
		edges = append(edges, e-1, e, e+1)
	}
	for _, bits := range edges {
		f := math.Float32frombits(bits)
		finite := !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0)
		for n := 1; n < 6; n++ {
			for at := range n {
				col := slices.Repeat([]float32{0.5}, n)
				col[at] = f
				for name, got := range map[string][2]int{
					"firstOutsideOpen":  {firstOutsideOpen(col), position(at, f > 0 && f < 1)},
					"firstNotFinite":    {firstNotFinite(col), position(at, finite)},
					"firstBadReference": {firstBadReference(col), position(at, f >= 0 && f < 1)},
				} {
					if got[0] != got[1] {
						t.Errorf("%s with %v (%#x) at %d of %d: got %d, want %d", name, f, bits, at, n, got[0], got[1])
					}
				}
				if f == 0 && math.Float32bits(col[at]) != 0 {
					t.Errorf("firstBadReference left %v as bits %#x, want 0", f, math.Float32bits(col[at]))
				}
			}
		}
	}
}

// position is where a value is reported that may be bad.
func position(at int, good bool) int {
	if good {
		return -1
	}
	return at
}

func TestValidUTF8(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for _, c := range []string{"a", "\x7f", "\x80", "ü", "\xff", "\xc3"} {
				b := []byte("abcdefghijklmnopqrst"[:n])
				b = slices.Concat(b[:at], []byte(c), b[at:])
				if got, want := validUTF8(b), utf8.Valid(b); got != want {
					t.Errorf("validUTF8(%q) = %v, want %v", b, got, want)
				}
			}
		}
	}
}
