package event

import "math/bits"

// Wire types of the protobuf encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireGroup   = 3
	wireEnd     = 4
	wireFixed32 = 5
)

// Negative positions say why next could not read a field.
const (
	errTruncated = -1 - iota
	errOverflow
	errFieldNumber
	errWireType
	errGroupEnd
	errGroupDepth
)

var wireErrors = [...]string{
	-errTruncated:   "truncated field at byte %[2]d",
	-errOverflow:    "varint longer than 64 bits at byte %[2]d",
	-errFieldNumber: "field number outside 1..536870911 at byte %[2]d",
	-errWireType:    "reserved wire type at byte %[2]d",
	-errGroupEnd:    "end of a group that is not open at byte %[2]d",
	-errGroupDepth:  "groups nested too deeply at byte %[2]d",
}

const (
	maxFieldNumber = 1<<29 - 1
	maxGroupDepth  = 10_000 // as deep as the generated code follows
)

// next reads the field at b[i:]. It returns the tag, the value of a varint or
// fixed field, and the position behind the field. A length-delimited field is
// b[v:j]. A negative j is one of the errors above.
func next(b []byte, i int) (tag, v uint64, j int) {
	tag = uint64(b[i])
	j = i + 1
	if tag >= 0x80 {
		if tag, j = uvarint(b, i); j < 0 {
			return 0, 0, j
		}
	}
	if num := tag >> 3; num-1 >= maxFieldNumber {
		return 0, 0, errFieldNumber
	}
	switch tag & 7 {
	case wireBytes:
		if j < len(b) && b[j] < 0x80 {
			v = uint64(b[j])
			j++
		} else if j+1 < len(b) && b[j+1] < 0x80 {
			v = uint64(b[j]&0x7f) | uint64(b[j+1])<<7
			j += 2
		} else if v, j = uvarint(b, j); j < 0 {
			return 0, 0, j
		}
		if v > uint64(len(b)-j) {
			return 0, 0, errTruncated
		}
		return tag, uint64(j), j + int(v)
	case wireVarint:
		if j < len(b) && b[j] < 0x80 {
			return tag, uint64(b[j]), j + 1
		}
		v, j = uvarint(b, j)
		return tag, v, j
	case wireFixed64:
		if len(b)-j < 8 {
			return 0, 0, errTruncated
		}
		return tag, le64(b[j:]), j + 8
	case wireFixed32:
		if len(b)-j < 4 {
			return 0, 0, errTruncated
		}
		return tag, uint64(le32(b[j:])), j + 4
	case wireGroup:
		return tag, 0, skipGroup(b, j, tag>>3, maxGroupDepth)
	case wireEnd:
		return 0, 0, errGroupEnd
	}
	return 0, 0, errWireType
}

// short returns the position behind a length-delimited field in its usual form
// at b[i:], one byte of tag and one of length, or a value below 1 when another
// form stands there. It is inlined where next would cost more than the field.
func short(b []byte, i int) int {
	if i+1 < len(b) && b[i]&0x87 == wireBytes && b[i] > 7 && b[i+1] < 0x80 {
		if j := i + 2 + int(b[i+1]); j <= len(b) {
			return j
		}
	}
	return 0
}

// skipGroup returns the position behind the end of group num, whose start tag
// ends before b[i].
func skipGroup(b []byte, i int, num uint64, depth int) int {
	if depth < 0 {
		return errGroupDepth
	}
	for i < len(b) {
		tag, j := uvarint(b, i)
		if j < 0 {
			return j
		}
		switch tag & 7 {
		case wireEnd:
			if tag>>3 != num {
				return errGroupEnd
			}
			return j
		case wireGroup:
			if tag>>3-1 >= maxFieldNumber {
				return errFieldNumber
			}
			j = skipGroup(b, j, tag>>3, depth-1)
		default:
			_, _, j = next(b, i)
		}
		if j < 0 {
			return j
		}
		i = j
	}
	return errTruncated
}

// uvarint reads the varint at b[i:] and returns the position behind it, or a
// negative error. Forms longer than needed are legal up to ten bytes.
func uvarint(b []byte, i int) (uint64, int) {
	if len(b)-i >= 8 {
		x := le64(b[i:])
		if end := ^x & highBits; end != 0 {
			// Keep the bytes up to the first below 0x80, then close the gaps
			// between their groups of 7 bits: pairs, quads, all eight.
			x &= end ^ (end - 1)
			x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
			x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
			x = x&0x000000000fffffff | x&0x0fffffff00000000>>4
			return x, i + bits.TrailingZeros64(end)/8 + 1
		}
	}
	return uvarintSlow(b, i)
}

func uvarintSlow(b []byte, i int) (uint64, int) {
	var v uint64
	for shift := uint(0); i < len(b); shift += 7 {
		c := b[i]
		i++
		if shift == 63 && c > 1 {
			return 0, errOverflow
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i
		}
	}
	return 0, errTruncated
}

// countVarints returns the number of bytes that end a varint.
func countVarints(b []byte) int {
	n := 0
	for ; len(b) >= 8; b = b[8:] {
		n += bits.OnesCount64(^le64(b) & highBits)
	}
	for _, c := range b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// wireError refuses a record whose field at byte pos cannot be read.
func (d *Decoder) wireError(pos, code int) Reason {
	return d.fail(ReasonMalformed, wireErrors[-code], "", pos, 0)
}

// unknownField passes over a field that the message does not define. A field
// that it does define, in another wire type, is refused: a parser of generated
// code would keep it as unknown, and the producer's data would vanish silently.
func (d *Decoder) unknownField(message string, tag uint64, last, pos int) Reason {
	if tag>>3 <= uint64(last) {
		return d.fail(ReasonMalformed, "wrong wire type for field %[2]d of %[1]s at byte %[3]d", message, int(tag>>3), pos)
	}
	return ReasonNone
}

func (d *Decoder) badUTF8(name string) Reason {
	return d.fail(ReasonUTF8, "%[1]s is not valid UTF-8", name, 0, 0)
}
