package eventtest

import (
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Bad is one record that the contract refuses.
type Bad struct {
	Stream event.Stream
	Format event.Format
	// Key and Value are those of the Kafka record. The key is empty only for
	// ReasonKey, which is not the decoder's to find: the value is good then.
	Key, Value []byte
	Reason     event.Reason
	Kind       string // what is wrong, for the name of a test
}

// fault makes one kind of bad record. Faults of messages break a good message
// and are encoded in both formats; faults of bytes return the record itself.
type fault struct {
	kind    string
	stream  event.Stream
	reason  event.Reason
	message func(r *rand.Rand, m proto.Message)
	bytes   func(r *rand.Rand, m proto.Message) (event.Format, []byte)
}

// Malformed returns n bad records, the same for the same seed, of all kinds in
// turn and in both formats. Every message fault is met before one comes twice.
func Malformed(seed uint64, n int) []Bad {
	r := rand.New(rand.NewPCG(seed, 0x6261642072656373))
	faults := allFaults()
	bad := make([]Bad, 0, n)
	for i := 0; len(bad) < n; i++ {
		f := faults[i%len(faults)]
		bad = append(bad, f.make(r, event.Format(i/len(faults)%2)))
	}
	return bad
}

// Kinds returns the number of different kinds that Malformed makes.
func Kinds() int { return len(allFaults()) }

func allFaults() []fault {
	var all []fault
	all = append(all, predictionFaults()...)
	all = append(all, candidateFaults()...)
	all = append(all, outcomeFaults()...)
	all = append(all, wireFaults()...)
	all = append(all, jsonFaults()...)
	return all
}

func (f fault) make(r *rand.Rand, format event.Format) Bad {
	m, auction := newMessage(r, f.stream)
	b := Bad{Stream: f.stream, Reason: f.reason, Kind: f.kind, Format: format, Key: []byte(auction)}
	switch {
	case f.bytes != nil:
		b.Format, b.Value = f.bytes(r, m)
	case f.message != nil:
		f.message(r, m)
		b.Value = encodeUnchecked(r, format, m)
	default:
		b.Value, b.Key = Encode(format, m), nil
	}
	return b
}

// newMessage returns a random good message of the stream and its auction.
func newMessage(r *rand.Rand, s event.Stream) (proto.Message, string) {
	p := NewPrediction(r, Shape{
		Candidates: 1 + r.IntN(12), Assignments: 1 + r.IntN(3), Dimensions: 1 + r.IntN(3), TowerCalls: 1 + r.IntN(2),
		Families: 1 + r.IntN(60), Shadows: 1 + r.IntN(2),
	})
	i := NewImpression(r, p.AuctionId, p.Candidates.ItemIds[0])
	switch s {
	case event.Predictions:
		return p, p.AuctionId
	case event.Impressions:
		return i, p.AuctionId
	}
	return NewConversion(r, i), p.AuctionId
}

// encodeUnchecked encodes canonically in half of the cases and in a random
// legal form in the others. Strings that are not UTF-8 pass only in protobuf.
func encodeUnchecked(r *rand.Rand, f event.Format, m proto.Message) []byte {
	canonical := r.IntN(2) == 0
	switch {
	case f == event.Protobuf && canonical:
		return Encode(event.Protobuf, m)
	case f == event.Protobuf:
		return Variant(r, m)
	case canonical:
		return Encode(event.JSON, m)
	}
	return VariantJSON(r, m)
}
