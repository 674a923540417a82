package eventtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// scalar appends one value without its tag.
func scalar(r *rand.Rand, b []byte, fd protoreflect.FieldDescriptor, v protoreflect.Value) []byte {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return appendBytes(r, b, []byte(v.String()))
	case protoreflect.FloatKind:
		return protowire.AppendFixed32(b, math.Float32bits(float32(v.Float())))
	case protoreflect.DoubleKind:
		return protowire.AppendFixed64(b, math.Float64bits(v.Float()))
	case protoreflect.Fixed64Kind:
		return protowire.AppendFixed64(b, v.Uint())
	case protoreflect.Int64Kind:
		return appendVarint(r, b, uint64(v.Int()))
	case protoreflect.Uint32Kind:
		// Bits above the 32nd are cut off by every parser.
		return appendVarint(r, b, v.Uint()|highNoise(r))
	case protoreflect.EnumKind:
		return appendVarint(r, b, uint64(v.Enum())|highNoise(r))
	case protoreflect.BoolKind:
		if !v.Bool() {
			return appendVarint(r, b, 0)
		}
		return appendVarint(r, b, 1+r.Uint64N(math.MaxUint64))
	}
	panic(fmt.Sprintf("eventtest: field %s has kind %s, which the contract does not use", fd.FullName(), fd.Kind()))
}

func highNoise(r *rand.Rand) uint64 {
	if r.IntN(16) == 0 {
		return r.Uint64() << 32
	}
	return 0
}

func appendTag(r *rand.Rand, b []byte, num protowire.Number, typ protowire.Type) []byte {
	return appendVarint(r, b, protowire.EncodeTag(num, typ))
}

func appendBytes(r *rand.Rand, b, content []byte) []byte {
	return append(appendVarint(r, b, uint64(len(content))), content...)
}

// appendVarint now and then uses more bytes than needed, at most ten.
func appendVarint(r *rand.Rand, b []byte, v uint64) []byte {
	from := len(b)
	b = protowire.AppendVarint(b, v)
	if r.IntN(16) != 0 {
		return b
	}
	for n := r.IntN(10); len(b)-from <= n; {
		b[len(b)-1] |= 0x80
		b = append(b, 0)
	}
	return b
}
