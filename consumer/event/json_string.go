package event

import (
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// lowBits has bit 0 of each byte set: times c, it is eight times the byte c.
const lowBits = 0x0101010101010101

// parseString reads the string at b[i:]. The result is a view of the record,
// or of d.text when there are escapes, and never nil.
func (d *Decoder) parseString(b []byte, i int, what string) ([]byte, int) {
	if i >= len(b) || b[i] != '"' {
		return nil, d.syntax(i, "%[1]s: string expected at byte %[2]d", what)
	}
	from := i + 1
	k := plain(b, from)
	if k < len(b) && b[k] == '"' {
		return b[from:k], k + 1
	}
	return d.parseHardString(b, from, k, what)
}

// plain returns the position of the first byte at or after i that is not
// printable ASCII inside a string: quote, backslash, control, beyond ASCII.
func plain(b []byte, i int) int {
	for len(b)-i >= 8 {
		x := le64(b[i:])
		// Borrows run upwards only, so the lowest mark is exact.
		special := (x ^ '"'*lowBits) - lowBits
		special |= (x ^ '\\'*lowBits) - lowBits
		special |= x - ' '*lowBits
		special |= x
		if special &= highBits; special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
		i += 8
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// parseHardString goes on at k, the first byte that is not plain, of a string
// that began at from.
func (d *Decoder) parseHardString(b []byte, from, k int, what string) ([]byte, int) {
	start := len(d.text)
	escaped := false
	for run := from; k < len(b); {
		switch c := b[k]; {
		case c == '"':
			if !escaped {
				return b[from:k], k + 1
			}
			d.text = append(d.text, b[run:k]...)
			return d.text[start:len(d.text):len(d.text)], k + 1
		case c == '\\':
			d.text = append(d.text, b[run:k]...)
			escaped = true
			if k = d.unescape(b, k, what); k < 0 {
				return nil, k
			}
			run = k
		case c < ' ':
			return nil, d.syntax(k, "%[1]s: control character in a string at byte %[2]d", what)
		default:
			r, n := utf8.DecodeRune(b[k:])
			if r == utf8.RuneError && n == 1 {
				d.fail(ReasonUTF8, "%[1]s is not valid UTF-8 at byte %[2]d", what, k, 0)
				return nil, -1
			}
			k += n
		}
		k = plain(b, k)
	}
	return nil, d.syntax(len(b), "%[1]s: string without end at byte %[2]d", what)
}

// unescape appends what the escape at b[k:] stands for to d.text.
func (d *Decoder) unescape(b []byte, k int, what string) int {
	if k+1 >= len(b) {
		return d.syntax(k, "%[1]s: string without end at byte %[2]d", what)
	}
	c := b[k+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, ok := hex4(b, k+2)
		if !ok {
			return d.syntax(k, "%[1]s: bad escape at byte %[2]d", what)
		}
		k += 6
		if utf16.IsSurrogate(r) {
			low, ok := rune(0), false
			if k+1 < len(b) && b[k] == '\\' && b[k+1] == 'u' {
				low, ok = hex4(b, k+2)
			}
			if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
				return d.syntax(k, "%[1]s: half a surrogate pair before byte %[2]d", what)
			}
			k += 6
		}
		d.text = utf8.AppendRune(d.text, r)
		return k
	default:
		return d.syntax(k, "%[1]s: bad escape at byte %[2]d", what)
	}
	d.text = append(d.text, c)
	return k + 2
}

func hex4(b []byte, i int) (rune, bool) {
	if len(b)-i < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
