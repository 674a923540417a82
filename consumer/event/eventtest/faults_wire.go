package eventtest

import (
	"math"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// onBytes makes one fault of protobuf bytes for each stream.
func onBytes(kind string, reason event.Reason, change func(r *rand.Rand, b []byte, m proto.Message) []byte) []fault {
	var faults []fault
	for s := range event.NumStreams {
		faults = append(faults, fault{kind: kind + " (" + s.String() + ")", stream: s, reason: reason,
			bytes: func(r *rand.Rand, m proto.Message) (event.Format, []byte) {
				return event.Protobuf, change(r, Encode(event.Protobuf, m), m)
			}})
	}
	return faults
}

// appended makes faults that add bytes behind a good record.
func appended(kind string, reason event.Reason, tail func(r *rand.Rand) []byte) []fault {
	return onBytes(kind, reason, func(r *rand.Rand, b []byte, _ proto.Message) []byte { return append(b, tail(r)...) })
}

func onPredictionBytes(kind string, reason event.Reason, tail func(r *rand.Rand) []byte) fault {
	return appended(kind, reason, tail)[event.Predictions]
}

// bytesField is a length-delimited field.
func bytesField(num protowire.Number, content string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), content)
}

// inCandidates wraps fields of Candidates as a field of Prediction.
func inCandidates(content []byte) []byte { return bytesField(8, string(content)) }

func wireFaults() []fault {
	var all []fault
	add := func(f ...fault) { all = append(all, f...) }
	add(onBytes("truncated", event.ReasonMalformed, func(r *rand.Rand, b []byte, _ proto.Message) []byte {
		cuts := BreakingCuts(b)
		return b[:*pick(r, cuts)]
	})...)
	add(onBytes("empty value", event.ReasonMissingID, func(*rand.Rand, []byte, proto.Message) []byte { return nil })...)
	add(onBytes("wrong wire type", event.ReasonMalformed, func(r *rand.Rand, b []byte, m proto.Message) []byte {
		return append(b, wrongWireType(r, m.ProtoReflect().Descriptor())...)
	})...)
	add(appended("huge length", event.ReasonMalformed, func(r *rand.Rand) []byte {
		b := protowire.AppendTag(nil, *pick(r, []protowire.Number{1, 2000}), protowire.BytesType)
		return protowire.AppendVarint(b, *pick(r, []uint64{200, 1 << 20, 1 << 31, 1<<32 - 1, 1 << 40, math.MaxInt64, 1 << 63, math.MaxUint64}))
	})...)
	add(appended("field number 0", event.ReasonMalformed, func(r *rand.Rand) []byte { return []byte{0<<3 | 2, 0} })...)
	add(appended("field number too large", event.ReasonMalformed, func(r *rand.Rand) []byte {
		return append(protowire.AppendVarint(nil, 1<<32|r.Uint64()<<3), 0)
	})...)
	add(appended("reserved wire type", event.ReasonMalformed, func(r *rand.Rand) []byte {
		return append(protowire.AppendVarint(nil, uint64(1+r.IntN(200))<<3|6+r.Uint64N(2)), 0)
	})...)
	add(appended("varint too long", event.ReasonMalformed, func(r *rand.Rand) []byte {
		b := protowire.AppendTag(nil, *pick(r, []protowire.Number{4, 2000}), protowire.VarintType)
		for range 9 + r.IntN(3) {
			b = append(b, 0xff)
		}
		return append(b, 2)
	})...)
	add(appended("broken group", event.ReasonMalformed, func(r *rand.Rand) []byte {
		start := protowire.AppendTag(nil, 2000, protowire.StartGroupType)
		return *pick(r, [][]byte{
			start,
			protowire.AppendTag(nil, 2000, protowire.EndGroupType),
			slices.Concat(start, protowire.AppendTag(nil, 2001, protowire.EndGroupType)),
			slices.Concat(start, []byte{0x0a, 0x7f}),
		})
	})...)
	add(onPredictionBytes("packed column cut inside an entry", event.ReasonMalformed, func(r *rand.Rand) []byte {
		num := *pick(r, []protowire.Number{1, 2, 3, 4, 12, 13})
		return inCandidates(bytesField(num, string(make([]byte, 8*r.IntN(5)+1+r.IntN(3)))))
	}))
	add(onPredictionBytes("broken varint in an index column", event.ReasonMalformed, func(r *rand.Rand) []byte {
		content := "\x01\x00\x01\x00\x01\x00\x01\x00\x01"[:r.IntN(10)]
		broken := *pick(r, []string{"\x80", "\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"})
		return inCandidates(bytesField(*pick(r, []protowire.Number{6, 8, 10}), content+broken))
	}))
	add(utf8Faults()...)
	return all
}

// BreakingCuts returns the lengths to which a protobuf record can be cut so
// that it does not parse: all but the boundaries of its outer fields.
func BreakingCuts(b []byte) []int {
	var cuts []int
	for at := 0; at < len(b); {
		_, _, n := protowire.ConsumeField(b[at:])
		for k := at + 1; k < at+n; k++ {
			cuts = append(cuts, k)
		}
		at += n
	}
	return cuts
}

// wrongWireType is a field of the message, or of a message in it, with a wire
// type that it does not have.
func wrongWireType(r *rand.Rand, md protoreflect.MessageDescriptor) []byte {
	fd := md.Fields().Get(r.IntN(md.Fields().Len()))
	if fd.Kind() == protoreflect.MessageKind && r.IntN(2) == 0 {
		return protowire.AppendBytes(protowire.AppendTag(nil, fd.Number(), protowire.BytesType), wrongWireType(r, fd.Message()))
	}
	for {
		typ := *pick(r, []protowire.Type{
			protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type, protowire.BytesType, protowire.StartGroupType,
		})
		if typ == wireType(fd) || typ == protowire.BytesType && fd.IsList() {
			continue
		}
		b := protowire.AppendTag(nil, fd.Number(), typ)
		switch typ {
		case protowire.Fixed32Type:
			return protowire.AppendFixed32(b, 0x3f000000)
		case protowire.Fixed64Type:
			return protowire.AppendFixed64(b, 1)
		case protowire.StartGroupType:
			return protowire.AppendTag(b, fd.Number(), protowire.EndGroupType)
		}
		return append(b, 0) // the varint 0, or no bytes
	}
}

func utf8Faults() []fault {
	broken := func(r *rand.Rand) string {
		return *pick(r, []string{"", "a", "eight or more ASCII bytes "}) +
			*pick(r, []string{"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) +
			*pick(r, []string{"", "z", " and eight or more behind"})
	}
	const kind = "invalid UTF-8 in "
	all := appended(kind+"the first string", event.ReasonUTF8, func(r *rand.Rand) []byte { return bytesField(1, broken(r)) })
	// The value is overridden by the good one behind it, and still refused.
	all = append(all, onBytes(kind+"an overridden string", event.ReasonUTF8, func(r *rand.Rand, b []byte, _ proto.Message) []byte {
		return append(bytesField(1, broken(r)), b...)
	})...)
	nested := func(place string, outer protowire.Number, inner ...protowire.Number) {
		all = append(all, onPredictionBytes(kind+place, event.ReasonUTF8, func(r *rand.Rand) []byte {
			return bytesField(outer, string(bytesField(*pick(r, inner), broken(r))))
		}))
	}
	all = append(all, onPredictionBytes(kind+"a version", event.ReasonUTF8, func(r *rand.Rand) []byte {
		return bytesField(*pick(r, []protowire.Number{5, 6}), broken(r))
	}))
	nested("an assignment", 3, 1, 2)
	nested("a dimension", 4, 1, 2)
	nested("a tower", 7, 1)
	nested("a table", 8, 5, 7, 9, 11)
	all = append(all, onPredictionBytes(kind+"a shadow variant", event.ReasonUTF8, func(r *rand.Rand) []byte {
		return inCandidates(bytesField(14, string(bytesField(1, broken(r)))))
	}))
	return all
}
