package event

import "bytes"

// The JSON reader is one pass over the record, without tokens and without
// recursion: the messages nest three deep, and a name that a message does not
// have ends the record, so nothing of unknown depth is ever entered. Functions
// take a position and return the one behind what they have read; a negative
// one means that d.failure says why.

// skipSpace returns the position of the first byte at or after i that is not
// JSON white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// syntax refuses the record for what stands at position i.
func (d *Decoder) syntax(i int, format, name string) int {
	d.fail(ReasonMalformed, format, name, i, 0)
	return -1
}

// message is the state of reading one object.
type message struct {
	name   string
	number func(name []byte) int // field number, 0 for unknown
	opened bool
	seen   uint32 // bit n: field n has occurred
}

// nextField moves to the next member with a value that is not null. It returns
// the field's number and the position of its value, or 0 and the position
// behind the object. Null stands for the default, as in all of proto3 JSON.
func (d *Decoder) nextField(m *message, b []byte, i int) (int, int) {
	for {
		name, j := d.nextName(b, i, m.opened, m.name)
		m.opened = true
		if j < 0 || name == nil {
			return 0, j
		}
		num := m.number(name)
		if num == 0 {
			d.fail(ReasonUnknownField, "%[1]s has no field of the name at byte %[2]d", m.name, i, 0)
			return 0, -1
		}
		if m.seen>>num&1 != 0 {
			return 0, d.syntax(i, "%[1]s has the field at byte %[2]d twice", m.name)
		}
		m.seen |= 1 << num
		if !isNull(b, j) {
			return num, j
		}
		i = j + 4
	}
}

func isNull(b []byte, i int) bool {
	return i < len(b) && b[i] == 'n' && bytes.HasPrefix(b[i:], []byte("null"))
}

// nextName reads up to the next member's value: the opening brace or a comma,
// the name, the colon. The name is nil when the object ends.
func (d *Decoder) nextName(b []byte, i int, opened bool, what string) ([]byte, int) {
	i = skipSpace(b, i)
	if !opened {
		if i >= len(b) || b[i] != '{' {
			return nil, d.syntax(i, "%[1]s is not an object at byte %[2]d", what)
		}
		if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
			return nil, i + 1
		}
	} else {
		if i < len(b) && b[i] == '}' {
			return nil, i + 1
		}
		if i >= len(b) || b[i] != ',' {
			return nil, d.syntax(i, "comma or brace missing in %[1]s at byte %[2]d", what)
		}
		i = skipSpace(b, i+1)
	}
	name, i := d.parseString(b, i, what)
	if i < 0 {
		return nil, i
	}
	if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
		return nil, d.syntax(i, "colon missing in %[1]s at byte %[2]d", what)
	}
	return name, skipSpace(b, i+1)
}

// nextElement reads up to the next element of an array: the opening bracket or
// a comma. It returns the element's position and true, or the position behind
// the array and false.
func (d *Decoder) nextElement(b []byte, i int, opened bool, what string) (int, bool) {
	i = skipSpace(b, i)
	if !opened {
		if i >= len(b) || b[i] != '[' {
			return d.syntax(i, "%[1]s is not an array at byte %[2]d", what), false
		}
		if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
			return i + 1, false
		}
		return i, true
	}
	if i < len(b) && b[i] == ',' {
		return skipSpace(b, i+1), true
	}
	if i < len(b) && b[i] == ']' {
		return i + 1, false
	}
	return d.syntax(i, "comma or bracket missing in %[1]s at byte %[2]d", what), false
}

// finish checks that nothing follows the record's object.
func (d *Decoder) finish(b []byte, i int) Reason {
	if i < 0 {
		return d.failure.reason
	}
	if i = skipSpace(b, i); i < len(b) {
		d.syntax(i, "data after the record at byte %[2]d", "")
		return ReasonMalformed
	}
	return ReasonNone
}

func (d *Decoder) parseBool(b []byte, i int, what string) (bool, int) {
	if i < len(b) && b[i] == 't' && bytes.HasPrefix(b[i:], []byte("true")) {
		return true, i + 4
	}
	if i < len(b) && b[i] == 'f' && bytes.HasPrefix(b[i:], []byte("false")) {
		return false, i + 5
	}
	return false, d.syntax(i, "%[1]s is not true or false at byte %[2]d", what)
}
