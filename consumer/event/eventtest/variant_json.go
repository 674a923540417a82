package eventtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// VariantJSON encodes the message in proto3 JSON in a random form that means
// the same to every conforming parser: names of either style, members in any
// order, white space, escapes, null for defaults, numbers as strings, integers
// with a point or an exponent, enums by number.
func VariantJSON(r *rand.Rand, m proto.Message) []byte {
	w := &jsonWriter{r: r}
	w.space()
	w.message(m.ProtoReflect())
	w.space()
	return w.b
}

type jsonWriter struct {
	r *rand.Rand
	b []byte
}

func (w *jsonWriter) space() {
	if w.r.IntN(6) == 0 {
		w.b = append(w.b, " \n\t\r"[w.r.IntN(4)])
	}
}

func (w *jsonWriter) token(c byte) {
	w.space()
	w.b = append(w.b, c)
	w.space()
}

func (w *jsonWriter) message(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	order := w.r.Perm(fields.Len())
	order = slices.DeleteFunc(order, func(k int) bool { return !m.Has(fields.Get(k)) && w.r.IntN(4) != 0 })
	w.token('{')
	for i, k := range order {
		if i > 0 {
			w.token(',')
		}
		fd := fields.Get(k)
		name := fd.JSONName()
		if w.r.IntN(2) == 0 {
			name = fd.TextName()
		}
		w.string(name)
		w.token(':')
		if !m.Has(fd) && w.r.IntN(2) == 0 {
			w.b = append(w.b, "null"...)
			continue
		}
		w.field(fd, m.Get(fd))
	}
	w.token('}')
}

func (w *jsonWriter) field(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case fd.IsMap():
		first := true
		w.token('{')
		for _, k := range sortedKeys(v.Map()) {
			if !first {
				w.token(',')
			}
			first = false
			w.string(k.String())
			w.token(':')
			w.value(fd.MapValue(), v.Map().Get(k))
		}
		w.token('}')
	case fd.IsList():
		w.token('[')
		for i := range v.List().Len() {
			if i > 0 {
				w.token(',')
			}
			w.value(fd, v.List().Get(i))
		}
		w.token(']')
	default:
		w.value(fd, v)
	}
}

func (w *jsonWriter) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		w.message(v.Message())
	case protoreflect.StringKind:
		w.string(v.String())
	case protoreflect.BoolKind:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case protoreflect.EnumKind:
		if value := fd.Enum().Values().ByNumber(v.Enum()); value != nil && w.r.IntN(2) == 0 {
			w.string(string(value.Name()))
			return
		}
		w.b = strconv.AppendInt(w.b, int64(v.Enum()), 10)
	case protoreflect.FloatKind:
		w.float(v.Float(), 32)
	case protoreflect.DoubleKind:
		w.float(v.Float(), 64)
	case protoreflect.Int64Kind:
		w.number(w.integer(strconv.FormatInt(v.Int(), 10)))
	default:
		w.number(w.integer(strconv.FormatUint(v.Uint(), 10)))
	}
}

// integer gives the digits another form of the same value.
func (w *jsonWriter) integer(s string) string {
	digits := len(s)
	switch w.r.IntN(10) {
	case 0:
		return s + ".0"
	case 1:
		return s + "E0"
	case 2:
		if s != "0" { // JSON has no leading zeros
			return s + "00e-2"
		}
	case 3:
		if s[0] != '-' && digits > 1 {
			return s[:1] + "." + s[1:] + "e+" + strconv.Itoa(digits-1)
		}
	case 4:
		if s[digits-1] == '0' && digits > 1 {
			return s[:digits-1] + "e1"
		}
	}
	return s
}

func (w *jsonWriter) float(f float64, size int) {
	switch {
	case math.IsNaN(f):
		w.string("NaN")
		return
	case math.IsInf(f, 1):
		w.string("Infinity")
		return
	case math.IsInf(f, -1):
		w.string("-Infinity")
		return
	}
	format := "gef"[w.r.IntN(3)]
	precision := -1
	if w.r.IntN(4) == 0 {
		precision = 18 // more digits than needed round back to the same value
		format = 'e'
	}
	w.number(strconv.FormatFloat(f, format, precision, size))
}

func (w *jsonWriter) number(s string) {
	if w.r.IntN(3) == 0 {
		w.string(s)
		return
	}
	w.b = append(w.b, s...)
}

func (w *jsonWriter) string(s string) {
	w.b = append(w.b, '"')
	for _, c := range s {
		switch {
		case c < ' ' || c == '"' || c == '\\' || w.r.IntN(40) == 0:
			w.escape(c)
		default:
			w.b = append(w.b, string(c)...)
		}
	}
	w.b = append(w.b, '"')
}

func (w *jsonWriter) escape(c rune) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	if s := short[c]; s != "" && w.r.IntN(2) == 0 {
		w.b = append(w.b, s...)
		return
	}
	if c >= 0x10000 {
		c -= 0x10000
		w.b = fmt.Appendf(w.b, `\u%04x\u%04X`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		return
	}
	w.b = fmt.Appendf(w.b, `\u%04x`, c)
}
