package stats

import (
	"math"
	"math/bits"
)

// Wide is a signed 128-bit integer in two's complement, for sums that must not
// depend on the order of their terms. The zero value is 0.
type Wide struct {
	Hi int64
	Lo uint64
}

// plus is w + o, wrapping at 2^127.
func (w Wide) plus(o Wide) Wide {
	lo, carry := bits.Add64(w.Lo, o.Lo, 0)
	hi, _ := bits.Add64(uint64(w.Hi), uint64(o.Hi), carry)
	return Wide{int64(hi), lo}
}

// minus is −w.
func (w Wide) minus() Wide {
	lo, borrow := bits.Sub64(0, w.Lo, 0)
	hi, _ := bits.Sub64(0, uint64(w.Hi), borrow)
	return Wide{int64(hi), lo}
}

// wideProduct is a·b.
func wideProduct(a, b int64) Wide {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	h := int64(hi)
	if a < 0 {
		h -= b
	}
	if b < 0 {
		h -= a
	}
	return Wide{h, lo}
}

// float is w·2^−places.
func (w Wide) float(places int) float64 {
	if w.Hi < 0 {
		return -w.minus().float(places)
	}
	return math.Ldexp(float64(uint64(w.Hi))*0x1p64+float64(w.Lo), -places)
}

// quantized is v in units of 2^−places, which must fit an int64.
func quantized(v float64, places int) int64 { return int64(math.RoundToEven(math.Ldexp(v, places))) }
