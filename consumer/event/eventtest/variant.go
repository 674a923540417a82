package eventtest

import (
	"math/rand/v2"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Variant encodes the message in protobuf in a random form that means the same
// to every conforming parser: fields in any order, columns packed, unpacked or
// in several pieces, varints and lengths longer than needed, earlier values
// that later ones override, messages in two parts, unknown fields and groups.
func Variant(r *rand.Rand, m proto.Message) []byte {
	return variant(r, m.ProtoReflect())
}

func variant(r *rand.Rand, m protoreflect.Message) []byte {
	// The pieces of one field keep their order; fields mix freely.
	var fields [][][]byte
	for _, fd := range present(m) {
		fields = append(fields, fieldPieces(r, fd, m.Get(fd)))
	}
	for range r.IntN(3) {
		fields = append(fields, [][]byte{unknownField(r, 3)})
	}
	var b []byte
	for len(fields) > 0 {
		k := r.IntN(len(fields))
		if len(fields[k]) == 0 {
			fields[k] = fields[len(fields)-1]
			fields = fields[:len(fields)-1]
			continue
		}
		b = append(b, fields[k][0]...)
		fields[k] = fields[k][1:]
	}
	return b
}

func fieldPieces(r *rand.Rand, fd protoreflect.FieldDescriptor, v protoreflect.Value) [][]byte {
	switch {
	case fd.IsMap():
		return mapPieces(r, fd, v.Map())
	case fd.IsList():
		return listPieces(r, fd, v.List())
	case fd.Kind() == protoreflect.MessageKind:
		return messagePieces(r, fd, v.Message())
	}
	var pieces [][]byte
	if r.IntN(8) == 0 {
		pieces = append(pieces, scalar(r, appendTag(r, nil, fd.Number(), wireType(fd)), fd, otherValue(fd)))
	}
	return append(pieces, scalar(r, appendTag(r, nil, fd.Number(), wireType(fd)), fd, v))
}

// messagePieces cuts a singular message in two in some cases: each list of it
// is split between them, and parsers join the halves.
func messagePieces(r *rand.Rand, fd protoreflect.FieldDescriptor, m protoreflect.Message) [][]byte {
	parts := []protoreflect.Message{m}
	if r.IntN(3) == 0 {
		first, second := m.New(), m.New()
		for _, f := range present(m) {
			if !f.IsList() {
				second.Set(f, m.Get(f))
				continue
			}
			list := m.Get(f).List()
			cut := r.IntN(list.Len() + 1)
			for i := range list.Len() {
				half := second
				if i < cut {
					half = first
				}
				half.Mutable(f).List().Append(list.Get(i))
			}
		}
		parts = []protoreflect.Message{first, second}
	}
	var pieces [][]byte
	for _, p := range parts {
		pieces = append(pieces, appendBytes(r, appendTag(r, nil, fd.Number(), protowire.BytesType), variant(r, p)))
	}
	return pieces
}

func listPieces(r *rand.Rand, fd protoreflect.FieldDescriptor, l protoreflect.List) [][]byte {
	var pieces [][]byte
	for i := 0; i < l.Len(); {
		switch {
		case fd.Kind() == protoreflect.MessageKind:
			pieces = append(pieces, appendBytes(r, appendTag(r, nil, fd.Number(), protowire.BytesType), variant(r, l.Get(i).Message())))
			i++
		case !fd.IsPacked() || r.IntN(4) == 0:
			pieces = append(pieces, scalar(r, appendTag(r, nil, fd.Number(), wireType(fd)), fd, l.Get(i)))
			i++
		default:
			end := i + 1 + r.IntN(l.Len()-i)
			var content []byte
			for ; i < end; i++ {
				content = scalar(r, content, fd, l.Get(i))
			}
			pieces = append(pieces, appendBytes(r, appendTag(r, nil, fd.Number(), protowire.BytesType), content))
		}
	}
	return pieces
}

func mapPieces(r *rand.Rand, fd protoreflect.FieldDescriptor, m protoreflect.Map) [][]byte {
	var pieces [][]byte
	entry := func(k, v protoreflect.Value) {
		key := scalar(r, appendTag(r, nil, 1, protowire.BytesType), fd.MapKey(), k)
		value := scalar(r, appendTag(r, nil, 2, protowire.BytesType), fd.MapValue(), v)
		if v.String() == "" && r.IntN(2) == 0 {
			value = nil
		}
		if r.IntN(3) == 0 {
			key, value = value, key
		}
		content := slices.Concat(key, value)
		if r.IntN(6) == 0 {
			content = append(content, unknownField(r, 3)...)
		}
		pieces = append(pieces, appendBytes(r, appendTag(r, nil, fd.Number(), protowire.BytesType), content))
	}
	for _, k := range sortedKeys(m) {
		if r.IntN(6) == 0 {
			entry(k.Value(), otherValue(fd.MapValue()))
		}
		entry(k.Value(), m.Get(k))
	}
	return pieces
}

// present returns the fields that the message has, in a fixed order: the same
// seed has to give the same bytes.
func present(m protoreflect.Message) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor
	for i := range m.Descriptor().Fields().Len() {
		if fd := m.Descriptor().Fields().Get(i); m.Has(fd) {
			fields = append(fields, fd)
		}
	}
	return fields
}

func sortedKeys(m protoreflect.Map) []protoreflect.MapKey {
	var keys []protoreflect.MapKey
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// otherValue is a value that a later one has to override.
func otherValue(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("overridden, and longer than eight bytes: ü")
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(2)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(-7)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(-7)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(7)
	case protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(7)
	}
	return protoreflect.ValueOfInt64(-7)
}

// unknownField is a field with a number that no message of ours uses.
func unknownField(r *rand.Rand, depth int) []byte {
	num := 100 + protowire.Number(r.Int32N(1<<20))
	if r.IntN(8) == 0 {
		num = protowire.MaxValidNumber
	}
	switch r.IntN(5) {
	case 0:
		return appendVarint(r, appendTag(r, nil, num, protowire.VarintType), r.Uint64())
	case 1:
		return protowire.AppendFixed32(appendTag(r, nil, num, protowire.Fixed32Type), r.Uint32())
	case 2:
		return protowire.AppendFixed64(appendTag(r, nil, num, protowire.Fixed64Type), r.Uint64())
	case 3:
		return appendBytes(r, appendTag(r, nil, num, protowire.BytesType), []byte("\xff\x00 not a string"))
	}
	b := appendTag(r, nil, num, protowire.StartGroupType)
	for range r.IntN(3) {
		if depth > 0 {
			b = append(b, unknownField(r, depth-1)...)
		}
	}
	return appendTag(r, b, num, protowire.EndGroupType)
}

func wireType(fd protoreflect.FieldDescriptor) protowire.Type {
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.DoubleKind, protoreflect.Fixed64Kind:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}
