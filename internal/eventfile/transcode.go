package eventfile

import (
	"encoding/json"
	"math"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// undecodableKey is the key of records whose auction is not to be found out:
// an empty key would be refused for itself.
const undecodableKey = "undecodable"

// farFuture, as the clock, lets every event time pass: files may be older or
// newer than the machine's clock, and the pipeline has its own opinion.
const farFuture = math.MaxInt64 / 2

// codec turns the records of one stream into what its topic holds. Records that
// are not of the file's format stay as they are.
type codec struct {
	stream   event.Stream
	from, to event.Format
	decoder  *event.Decoder
}

func newCodec(s event.Stream, from, to event.Format) *codec {
	return &codec{stream: s, from: from, to: to, decoder: event.NewDecoder(event.Options{})}
}

// identity is what a topic needs to know of a record.
type identity struct {
	key    string
	timeMs int64
}

// record identifies value and changes its format where the topic's is another.
// ok is false for a record that is passed on as it stands.
func (c *codec) record(value []byte) (out []byte, id identity, ok bool) {
	if c.from == c.to {
		id, ok = c.decode(value)
		if !ok {
			id = c.guess(value)
		}
		return value, id, ok
	}
	m := c.message()
	if c.from == event.JSON {
		if err := protojson.Unmarshal(value, m); err != nil {
			return value, c.guess(value), false
		}
		out, err := proto.Marshal(m)
		return out, identify(m), err == nil
	}
	if err := proto.Unmarshal(value, m); err != nil {
		return value, identify(m), false
	}
	out, err := protojson.Marshal(m)
	if err != nil {
		return value, identify(m), false
	}
	return out, identify(m), true
}

// decode is the fast way to a good record's identity.
func (c *codec) decode(value []byte) (id identity, ok bool) {
	switch c.stream {
	case event.Predictions:
		if p, reason := c.decoder.DecodePrediction(c.from, value, farFuture); reason == event.ReasonNone {
			return identity{string(p.AuctionID), p.EventTimeMs}, true
		}
	case event.Impressions:
		if i, reason := c.decoder.DecodeImpression(c.from, value, farFuture); reason == event.ReasonNone {
			return identity{string(i.AuctionID), i.EventTimeMs}, true
		}
	case event.Conversions:
		if v, reason := c.decoder.DecodeConversion(c.from, value, farFuture); reason == event.ReasonNone {
			return identity{firstOf(string(v.AuctionID), string(v.ImpressionID)), v.EventTimeMs}, true
		}
	}
	return identity{}, false
}

// guess is the identity of a record that does not decode, as far as it shows.
// Its event time is not to be trusted, so it has none.
func (c *codec) guess(value []byte) identity {
	if c.from == event.Protobuf {
		m := c.message()
		// What stands before the damage is kept in m.
		_ = proto.Unmarshal(value, m)
		return identity{key: identify(m).key}
	}
	var names struct {
		AuctionID, ImpressionID string
		Auction                 string `json:"auction_id"`
		Impression              string `json:"impression_id"`
	}
	// A wrong type in one field leaves the others readable.
	_ = json.Unmarshal(value, &names)
	return identity{key: firstOf(names.AuctionID, names.Auction, names.ImpressionID, names.Impression)}
}

// message is an empty message of the stream.
func (c *codec) message() proto.Message {
	switch c.stream {
	case event.Impressions:
		return &eventpb.Impression{}
	case event.Conversions:
		return &eventpb.Conversion{}
	}
	return &eventpb.Prediction{}
}

func identify(m proto.Message) identity {
	switch m := m.(type) {
	case *eventpb.Impression:
		return identity{firstOf(m.GetAuctionId()), m.GetEventTimeMs()}
	case *eventpb.Conversion:
		return identity{firstOf(m.GetAuctionId(), m.GetImpressionId()), m.GetEventTimeMs()}
	case *eventpb.Prediction:
		return identity{firstOf(m.GetAuctionId()), m.GetEventTimeMs()}
	}
	return identity{key: undecodableKey}
}

// firstOf is the first key that is not empty.
func firstOf(keys ...string) string {
	for _, k := range keys {
		if k != "" {
			return k
		}
	}
	return undecodableKey
}
