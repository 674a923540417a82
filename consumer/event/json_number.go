package event

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// number is a JSON number taken apart: ±mantissa × 10^exponent.
type number struct {
	mantissa uint64
	exponent int
	negative bool
	rounded  bool // more digits than mantissa holds
}

// scanNumber reads the number at b[i:] by the grammar of RFC 8259 and returns
// the position behind it, or -1.
func scanNumber(b []byte, i int) (n number, j int) {
	if i < len(b) && b[i] == '-' {
		n.negative = true
		i++
	}
	from := i
	n.mantissa, i = scanDigits(b, i, 0)
	digits := i - from
	if digits == 0 || digits > 1 && b[from] == '0' {
		return n, -1
	}
	if i < len(b) && b[i] == '.' {
		i++
		point := i
		n.mantissa, i = scanDigits(b, i, n.mantissa)
		if i == point {
			return n, -1
		}
		n.exponent = point - i
		digits += i - point
	}
	// 19 digits always fit into 64 bits.
	n.rounded = digits > 19
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		minus := false
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			minus = b[i] == '-'
			i++
		}
		from, e := i, 0
		for i < len(b) && b[i]-'0' <= 9 {
			if e < 1_000_000 {
				e = e*10 + int(b[i]-'0')
			}
			i++
		}
		if i == from {
			return n, -1
		}
		if minus {
			e = -e
		}
		n.exponent += e
	}
	return n, i
}

// scanDigits appends the decimal digits at b[i:] to v, without regard for
// overflow, and returns the position behind them.
func scanDigits(b []byte, i int, v uint64) (uint64, int) {
	for len(b)-i >= 8 {
		x := le64(b[i:]) ^ '0'*lowBits // digits become 0..9
		if (x|(x+0x76*lowBits))&highBits != 0 {
			break
		}
		// Neighbours join to pairs, pairs to quads, quads to all eight.
		x = (x*10 + x>>8) & 0x00ff00ff00ff00ff
		x = (x*100 + x>>16) & 0x0000ffff0000ffff
		x = (x*10000 + x>>32) & 0xffffffff
		v = v*100_000_000 + x
		i += 8
	}
	for i < len(b) && b[i]-'0' <= 9 {
		v = v*10 + uint64(b[i]-'0')
		i++
	}
	return v, i
}

// numberText returns the bytes in which a number stands at b[i:], with its position
// there: the record itself, or the content of a string.
func (d *Decoder) numberText(b []byte, i int, what string) (s []byte, at, behind int) {
	if i < len(b) && b[i] == '"' {
		s, behind = d.parseString(b, i, what)
		return s, 0, behind
	}
	return b, i, i
}

// parseInteger reads an integer, as a number or in a string. Forms like 1e3
// and 1.0 are integers, as they are to every proto3 JSON parser.
func (d *Decoder) parseInteger(b []byte, i int, what string) (negative bool, magnitude uint64, j int) {
	s, at, behind := d.numberText(b, i, what)
	if behind < 0 {
		return false, 0, behind
	}
	n, end := scanNumber(s, at)
	if end < 0 || behind != i && end != len(s) {
		return false, 0, d.syntax(i, "%[1]s is not a number at byte %[2]d", what)
	}
	magnitude, ok := n.mantissa, true
	if n.exponent != 0 || n.rounded {
		magnitude, ok = integer(s[at:end])
	}
	if !ok {
		return false, 0, d.syntax(i, "%[1]s is not an integer of 64 bits at byte %[2]d", what)
	}
	if behind == i {
		behind = end
	}
	return n.negative && magnitude != 0, magnitude, behind
}

// integer returns the magnitude of a number in valid JSON form, when it is an
// integer of at most 64 bits.
func integer(s []byte) (uint64, bool) {
	s = bytes.TrimPrefix(s, []byte("-"))
	exponent := 0
	if e := bytes.IndexAny(s, "eE"); e >= 0 {
		x, err := strconv.ParseInt(view(s[e+1:]), 10, 32)
		if err != nil {
			// Only zero stays an integer under such an exponent.
			x = math.MinInt32
		}
		exponent = int(x)
		s = s[:e]
	}
	whole, fraction, _ := bytes.Cut(s, []byte("."))
	whole = bytes.TrimPrefix(whole, []byte("0"))
	fraction = bytes.TrimRight(fraction, "0")
	if len(whole)+len(fraction) == 0 {
		return 0, true
	}
	zeros := exponent - len(fraction)
	switch {
	case exponent >= 0 && (zeros < 0 || len(whole)+exponent > 20):
		return 0, false
	case exponent < 0:
		keep := len(whole) + exponent
		if len(fraction) > 0 || keep <= 0 || len(bytes.TrimRight(whole[keep:], "0")) > 0 {
			return 0, false
		}
		whole, zeros = whole[:keep], 0
	}
	v, ok := uint64(0), true
	for _, c := range whole {
		v, ok = timesTenPlus(v, c-'0', ok)
	}
	for _, c := range fraction {
		v, ok = timesTenPlus(v, c-'0', ok)
	}
	for range zeros {
		v, ok = timesTenPlus(v, 0, ok)
	}
	return v, ok
}

func timesTenPlus(v uint64, digit byte, ok bool) (uint64, bool) {
	if v > (math.MaxUint64-uint64(digit))/10 {
		return 0, false
	}
	return v*10 + uint64(digit), ok
}

// quickUint reads an integer in its usual form, digits with or without quotes
// and a delimiter behind them. It returns position 0 for all else.
func quickUint(b []byte, i int) (uint64, int) {
	quoted := i < len(b) && b[i] == '"'
	if quoted {
		i++
	}
	v, j := scanDigits(b, i, 0)
	n := j - i
	if j == len(b) || n == 0 || n > 20 || n > 1 && b[i] == '0' {
		return 0, 0
	}
	// Of the 20-digit numbers only those from 1e19 to 2^64-1 fit, and a sum
	// that wrapped round comes out below 1e19.
	if n == 20 && (b[i] != '1' || v < 1e19) {
		return 0, 0
	}
	switch c := b[j]; {
	case quoted:
		if c == '"' {
			return v, j + 1
		}
	case c == ',' || c == ']' || c == '}':
		return v, j
	}
	return 0, 0
}

func (d *Decoder) parseUint64(b []byte, i int, what string) (uint64, int) {
	if v, j := quickUint(b, i); j > 0 {
		return v, j
	}
	negative, v, j := d.parseInteger(b, i, what)
	if j >= 0 && negative {
		return 0, d.syntax(i, "%[1]s is negative at byte %[2]d", what)
	}
	return v, j
}

func (d *Decoder) parseUint32(b []byte, i int, what string) (uint32, int) {
	v, j := d.parseUint64(b, i, what)
	if j >= 0 && v > math.MaxUint32 {
		return 0, d.syntax(i, "%[1]s is not an integer of 32 bits at byte %[2]d", what)
	}
	return uint32(v), j
}

func (d *Decoder) parseInt64(b []byte, i int, what string) (int64, int) {
	if v, j := quickUint(b, i); j > 0 && v < 1<<63 {
		return int64(v), j
	}
	negative, v, j := d.parseInteger(b, i, what)
	if j < 0 {
		return 0, j
	}
	if negative && v <= 1<<63 {
		return -int64(v), j
	}
	if !negative && v < 1<<63 {
		return int64(v), j
	}
	return 0, d.syntax(i, "%[1]s is not a signed integer of 64 bits at byte %[2]d", what)
}

// view returns the bytes as a string for functions that do not keep it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
