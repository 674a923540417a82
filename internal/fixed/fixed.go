// Package fixed owns the number formats that state is kept in: integers in
// units of a power of two, summed in 128 bits.
//
// Sums of such integers do not depend on the order of their terms, which is
// what makes every number of rampgauge a function of the set of records.
// Floating point enters only where a term is rounded and where a sum is read.
package fixed

import (
	"math"
	"math/bits"
)

// The binary places of the formats. Rounding single terms stays below 1e-8 of
// the sum even when every term is the same, for predictions from 6e-8 (2^-24) up
// and log ratios from 5e-5 up. The 128-bit sums hold weights of 2^50 in all.
const (
	ProbBits   = 48 // predictions and references: exact for float32 from 6e-8 up
	WeightBits = 40 // sampling weights: exact for float32 from 8e-6 up
	LogBits    = 40 // log ratios
	LossBits   = 52 // log loss
	SquareBits = 76 // squared errors
	MicrosBits = 20 // weighted millionths of a currency unit
	// ClusterBits are those of sums that serve variances alone.
	ClusterBits = 40
)

// Int128 is a signed 128-bit integer in two's complement. The zero value is 0.
type Int128 struct {
	Hi int64
	Lo uint64
}

// FromInt64 widens v.
func FromInt64(v int64) Int128 { return Int128{Hi: v >> 63, Lo: uint64(v)} }

// Add returns a+b, wrapping at 2^127.
func (a Int128) Add(b Int128) Int128 {
	lo, c := bits.Add64(a.Lo, b.Lo, 0)
	hi, _ := bits.Add64(uint64(a.Hi), uint64(b.Hi), c)
	return Int128{Hi: int64(hi), Lo: lo}
}

// Sub returns a-b, wrapping at 2^127.
func (a Int128) Sub(b Int128) Int128 {
	lo, c := bits.Sub64(a.Lo, b.Lo, 0)
	hi, _ := bits.Sub64(uint64(a.Hi), uint64(b.Hi), c)
	return Int128{Hi: int64(hi), Lo: lo}
}

// AddInt64 adds v in place.
func (a *Int128) AddInt64(v int64) {
	lo, c := bits.Add64(a.Lo, uint64(v), 0)
	a.Lo = lo
	a.Hi += v>>63 + int64(c)
}

// IsZero reports whether a is 0.
func (a Int128) IsZero() bool { return a.Hi == 0 && a.Lo == 0 }

// Sign is -1, 0 or 1.
func (a Int128) Sign() int {
	switch {
	case a.Hi < 0:
		return -1
	case a.IsZero():
		return 0
	}
	return 1
}

// Float returns a·2^-places, rounded to the nearest float64 but for the double
// rounding of the two words (relative error below 2^-52).
func (a Int128) Float(places int) float64 {
	neg := a.Hi < 0
	if neg {
		a = Int128{}.Sub(a)
	}
	// The conversions to float64 are explicit so that no compiler fuses the
	// multiplication with the addition, which would differ between machines.
	hi := float64(float64(uint64(a.Hi)) * 0x1p64)
	v := hi + float64(a.Lo)
	if places < 1000 {
		v *= math.Float64frombits(uint64(1023-places) << 52) // an exact power, far from the least
	} else {
		v = math.Ldexp(v, -places)
	}
	if neg {
		return -v
	}
	return v
}

// FromFloat rounds v to units of 2^-places, halves to even. v must be finite and
// below 2^(126-places) in magnitude.
func FromFloat(v float64, places int) Int128 {
	if v == 0 {
		return Int128{}
	}
	// v = m·2^(exp-1075) with an integer m of 53 bits, or fewer where exp is 0.
	b := math.Float64bits(v)
	exp, m := int(b>>52&0x7ff), int64(b&(1<<52-1))
	if exp == 0 {
		exp = 1
	} else {
		m |= 1 << 52
	}
	if v < 0 {
		m = -m
	}
	shift := exp - 1075 + places
	switch {
	case shift >= 0:
		return FromInt64(m).Shl(uint(shift))
	case shift < -60:
		return Int128{}
	}
	half := int64(1) << (-shift - 1)
	q, rest := m>>-shift, m&(half<<1-1)
	if rest > half || rest == half && q&1 != 0 {
		q++
	}
	return FromInt64(q)
}

// Mul returns the exact product a·b.
func Mul(a, b int64) Int128 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	h := int64(hi)
	if a < 0 {
		h -= b
	}
	if b < 0 {
		h -= a
	}
	return Int128{Hi: h, Lo: lo}
}

// Shr returns a·2^-n for 0 ≤ n < 64, rounded down.
func (a Int128) Shr(n uint) Int128 {
	if n == 0 {
		return a
	}
	return Int128{Hi: a.Hi >> n, Lo: a.Lo>>n | uint64(a.Hi)<<(64-n)}
}

// Shl returns a·2^n for 0 ≤ n < 128, wrapping at 2^127.
func (a Int128) Shl(n uint) Int128 {
	if n >= 64 {
		return Int128{Hi: int64(a.Lo << (n - 64))}
	}
	return Int128{Hi: a.Hi<<n | int64(a.Lo>>(64-n)), Lo: a.Lo << n}
}
