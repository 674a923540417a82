package event

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// The loops below test two floats in one word and keep only signs, without a
// branch; a column that fails is read again, one by one, for the position.
//
// A float32 in (0,1) has bits from 1 to those of 1 minus one. Subtracting 1
// brings +0 to the top, where NaN, infinities, negatives and everything from 1
// up already are. A borrow from the lower float to the upper one happens only
// when the lower one is bad, and then its own sign is set.
const (
	twice   = 1<<32 + 1 // times a 32-bit constant: in both halves of a word
	signs   = 0x80000000 * twice
	oneBits = 0x3f800000 // of the float32 1
)

// words is the memory of a column, to be read two floats at a time.
func words(col []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(col))), 4*len(col))
}

// firstOutsideOpen returns the position of the first entry that is not in
// (0,1), or -1.
func firstOutsideOpen(col []float32) int {
	var sign uint64
	b := words(col)
	for ; len(b) >= 8; b = b[8:] {
		v := binary.NativeEndian.Uint64(b) - twice
		sign |= v | ((oneBits-2)*twice - v)
	}
	if len(b) > 0 {
		v := uint64(binary.NativeEndian.Uint32(b) - 1)
		sign |= v | (oneBits - 2 - v)
	}
	if sign&signs == 0 {
		return -1
	}
	for k, f := range col {
		if !(f > 0 && f < 1) {
			return k
		}
	}
	panic("BUG: a prediction was refused by its bits and accepted by its value")
}

// firstBadReference returns the position of the first entry that is not in
// [0,1), or -1. It turns -0 into 0, so that zero has one form downstream.
func firstBadReference(col []float32) int {
	var sign uint64
	b := words(col)
	for ; len(b) >= 8; b = b[8:] {
		v := binary.NativeEndian.Uint64(b)
		sign |= v | ((oneBits-1)*twice - v)
	}
	if len(b) > 0 {
		v := uint64(binary.NativeEndian.Uint32(b))
		sign |= v | (oneBits - 1 - v)
	}
	if sign&signs == 0 {
		return -1
	}
	for k, f := range col {
		if !(f >= 0 && f < 1) {
			return k
		}
		if f == 0 {
			col[k] = 0
		}
	}
	return -1
}

// firstNotFinite returns the position of the first NaN or infinity, or -1.
// Their exponent is all ones, and one more carries into the sign.
func firstNotFinite(col []float32) int {
	const exponent, one = 0x7f800000, 0x00800000
	var sign uint64
	b := words(col)
	for ; len(b) >= 8; b = b[8:] {
		sign |= binary.NativeEndian.Uint64(b)&(exponent*twice) + one*twice
	}
	if len(b) > 0 {
		sign |= uint64(binary.NativeEndian.Uint32(b)&exponent + one)
	}
	if sign&signs == 0 {
		return -1
	}
	for k, f := range col {
		if math.Float32bits(f)&exponent == exponent {
			return k
		}
	}
	panic("BUG: a utility was refused by its sign and accepted by its exponent")
}
