package event

import (
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"
	"unsafe"
)

const highBits = 0x8080808080808080

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// appendFixed64 appends a packed fixed64 column; len(b) is a multiple of 8.
func appendFixed64(dst []uint64, b []byte) []uint64 {
	if len(b) <= 8 {
		if len(b) == 0 {
			return dst
		}
		return append(dst, le64(b))
	}
	l, n := len(dst), len(b)/8
	dst = slices.Grow(dst, n)[:l+n]
	copyFixed64(dst[l:], b)
	return dst
}

// appendFloat appends a packed float column; len(b) is a multiple of 4.
func appendFloat(dst []float32, b []byte) []float32 {
	if len(b) <= 4 {
		if len(b) == 0 {
			return dst
		}
		return append(dst, math.Float32frombits(le32(b)))
	}
	l, n := len(dst), len(b)/4
	dst = slices.Grow(dst, n)[:l+n]
	copyFloat(dst[l:], b)
	return dst
}

// portableFixed64 copies len(dst) little-endian words on a machine of either
// byte order.
func portableFixed64(dst []uint64, b []byte) {
	for i := range dst {
		dst[i] = le64(b[8*i:])
	}
}

// portableFloat copies len(dst) little-endian floats likewise.
func portableFloat(dst []float32, b []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(le32(b[4*i:]))
	}
}

// appendIndexes appends a packed uint32 column and returns the larger of
// largest and the column's largest entry. The position is negative when a
// varint is broken. Tables are short, so nearly always eight entries are eight
// bytes below 0x80, and their maximum is kept bytewise in one word.
func appendIndexes(dst []uint32, b []byte, largest uint32) ([]uint32, uint32, int) {
	count := len(b)
	if count > 4096 {
		// Long varints must not make the column ten times too large.
		count = countVarints(b)
	}
	l := len(dst)
	if cap(dst)-l < count {
		dst = slices.Grow(dst, count)
	}
	out := dst[l : l+count]
	var top uint64
	n, i := 0, 0
	for i < len(b) {
		if len(b)-i >= 8 {
			if x := le64(b[i:]); x&highBits == 0 {
				ge := (top | highBits) - x&^highBits
				ge &= highBits // per byte: top >= x
				mask := ge - ge>>7
				top = top&mask | x&^mask
				o := out[n : n+8 : n+8]
				o[0] = uint32(x & 0xff)
				o[1] = uint32(x >> 8 & 0xff)
				o[2] = uint32(x >> 16 & 0xff)
				o[3] = uint32(x >> 24 & 0xff)
				o[4] = uint32(x >> 32 & 0xff)
				o[5] = uint32(x >> 40 & 0xff)
				o[6] = uint32(x >> 48 & 0xff)
				o[7] = uint32(x >> 56)
				n, i = n+8, i+8
				continue
			}
		}
		v, j := uint64(b[i]), i+1
		if v >= 0x80 {
			if v, j = uvarint(b, i); j < 0 {
				return dst, largest, j
			}
		}
		out[n] = uint32(v) // truncation is what proto3 asks for
		largest = max(largest, uint32(v))
		n, i = n+1, j
	}
	for ; top != 0; top >>= 8 {
		largest = max(largest, uint32(top&0xff))
	}
	return dst[:l+n], largest, 0
}

// validUTF8 is utf8.Valid with a faster way for the short ASCII names that
// nearly all strings are.
func validUTF8(b []byte) bool { return isASCII(b) || utf8.Valid(b) }

func isASCII(b []byte) bool {
	n := len(b)
	if n >= 8 {
		or := le64(b[n-8:])
		for ; len(b) > 8; b = b[8:] {
			or |= le64(b)
		}
		return or&highBits == 0
	}
	if n >= 4 {
		return (le32(b)|le32(b[n-4:]))&0x80808080 == 0
	}
	var or byte
	for _, c := range b {
		or |= c
	}
	return or < 0x80
}

func releaseLarge[T any](s *[]T) {
	var zero T
	if cap(*s)*int(unsafe.Sizeof(zero)) > maxScratch {
		*s = nil
	}
}
