package event

import (
	"math"
	"strconv"
)

// powersOfTen are exact in a float64.
var powersOfTen = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// float returns the number as the nearest float64. It is exact work, one
// rounding at the end, while both operands are; ok is false beyond that.
func (n number) float() (f float64, ok bool) {
	if n.rounded || n.mantissa > 1<<53 || n.exponent < -22 || n.exponent > 22 {
		return 0, false
	}
	f = float64(n.mantissa)
	if n.exponent < 0 {
		f /= powersOfTen[-n.exponent]
	} else {
		f *= powersOfTen[n.exponent]
	}
	if n.negative {
		f = -f
	}
	return f, true
}

// narrow rounds a float64 that is itself rounded to float32. Rounding twice
// goes wrong only when the first step lands exactly between two float32. What
// float returns is 0 or lies from 1e-22 to 1e38, where all float32 are normal
// and finite, so the bits below theirs say whether it has.
func narrow(f float64) (float32, bool) {
	if math.Float64bits(f)&(1<<29-1) == 1<<28 {
		return 0, false
	}
	return float32(f), true
}

// parseFloat64 reads a number, or a string that holds a number, NaN, Infinity
// or -Infinity. A value beyond the range is refused, as proto3 JSON asks for.
func (d *Decoder) parseFloat64(b []byte, i int, what string) (float64, int) {
	return d.parseFloat(b, i, what, 64)
}

// parseFloat32 is parseFloat64 with one correct rounding to float32.
func (d *Decoder) parseFloat32(b []byte, i int, what string) (float32, int) {
	if n, j := scanNumber(b, i); j >= 0 {
		if f, ok := n.float(); ok {
			if g, ok := narrow(f); ok {
				return g, j
			}
		}
	}
	f, j := d.parseFloat(b, i, what, 32)
	return float32(f), j
}

func (d *Decoder) parseFloat(b []byte, i int, what string, size int) (float64, int) {
	s, at, behind := d.numberText(b, i, what)
	if behind < 0 {
		return 0, behind
	}
	quoted := behind != i
	if quoted {
		switch string(s) {
		case "NaN":
			return math.NaN(), behind
		case "Infinity":
			return math.Inf(1), behind
		case "-Infinity":
			return math.Inf(-1), behind
		}
	}
	n, end := scanNumber(s, at)
	if end < 0 || quoted && end != len(s) {
		return 0, d.syntax(i, "%[1]s is not a number at byte %[2]d", what)
	}
	if !quoted {
		behind = end
	}
	if size == 64 {
		if f, ok := n.float(); ok {
			return f, behind
		}
	}
	f, err := strconv.ParseFloat(view(s[at:end]), size)
	if err != nil {
		return 0, d.syntax(i, "%[1]s is beyond the range of its type at byte %[2]d", what)
	}
	return f, behind
}
