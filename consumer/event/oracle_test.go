package event_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
)

// decode calls the Decode method of the stream and hides the result's type.
func decode(d *event.Decoder, s event.Stream, f event.Format, b []byte) (any, event.Reason) {
	switch s {
	case event.Predictions:
		return d.DecodePrediction(f, b, eventtest.NowMs)
	case event.Impressions:
		return d.DecodeImpression(f, b, eventtest.NowMs)
	}
	return d.DecodeConversion(f, b, eventtest.NowMs)
}

// want is what the oracle and the slow rules make of the record. Of several
// reasons any is right.
func want(s event.Stream, f event.Format, b []byte) (any, []event.Reason) {
	var m proto.Message
	switch s {
	case event.Predictions:
		m = new(eventpb.Prediction)
	case event.Impressions:
		m = new(eventpb.Impression)
	default:
		m = new(eventpb.Conversion)
	}
	if !oracleParse(f, b, m) {
		return nil, parseFailures
	}
	var v any
	var r event.Reason
	switch m := m.(type) {
	case *eventpb.Prediction:
		v, r = wantPrediction(m, eventtest.NowMs)
	case *eventpb.Impression:
		v, r = wantImpression(m, eventtest.NowMs)
	case *eventpb.Conversion:
		v, r = wantConversion(m, eventtest.NowMs)
	}
	return v, []event.Reason{r}
}

// checkAgainstOracle decodes one record with d and compares.
func checkAgainstOracle(t *testing.T, d *event.Decoder, s event.Stream, f event.Format, b []byte) event.Reason {
	t.Helper()
	wantValue, reasons := want(s, f, b)
	got, reason := decode(d, s, f, b)
	if !slices.Contains(reasons, reason) {
		t.Fatalf("decode %s as %s: got %v (%s), want one of %v\nrecord %q", s, f, reason, d.Detail(), reasons, b)
	}
	if reason != event.ReasonNone {
		if d.Detail() == "" {
			t.Fatalf("decode %s as %s: refused as %v without detail\nrecord %q", s, f, reason, b)
		}
		return reason
	}
	if diff := diff(wantValue, got); diff != "" {
		t.Fatalf("decode %s as %s %s\nrecord %q", s, f, diff, b)
	}
	return reason
}

// same compares two results field by field; empty and nil are the same. It is
// a thousand times faster than cmp, which writes the report when it fails.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Interface, reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			switch a.Type().Field(i).Name {
			case "TableNumbers", "FeaturesAny", "FeaturesAll":
				continue // the decoder's own: the oracle has none
			}
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		if a.Type().Elem().Kind() == reflect.Uint8 {
			return bytes.Equal(a.Bytes(), b.Bytes())
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	}
	return a.Interface() == b.Interface()
}

func diff(want, got any) string {
	if same(reflect.ValueOf(want), reflect.ValueOf(got)) {
		return ""
	}
	return "(-want +got):\n" + cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(event.Candidates{}, "TableNumbers", "FeaturesAny", "FeaturesAll"))
}

func randomShape(r *rand.Rand) eventtest.Shape {
	return eventtest.Shape{
		Candidates: r.IntN(40), Assignments: 1 + r.IntN(12), Dimensions: r.IntN(30), TowerCalls: r.IntN(4),
		Families: r.IntN(65), Shadows: r.IntN(12),
	}
}

// TestVariantsDecodeAlike holds every legal encoding of a message against its
// canonical one, and both against the oracle.
func TestVariantsDecodeAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	d := event.NewDecoder(event.Options{})
	for k := range 400 {
		p := eventtest.NewPrediction(r, randomShape(r))
		p.ModelVersion = "modèle \"\\/\b\f\n\r\t\u0001 😀 and more"
		p.Candidates.Stages = append(slices.Clone(p.Candidates.Stages), "größer", "")
		i := eventtest.NewImpression(r, p.AuctionId, 1_000_000*r.Uint64N(1000))
		c := eventtest.NewConversion(r, i)
		c.ValueMicros = -c.ValueMicros
		messages := [event.NumStreams]proto.Message{p, i, c}
		for s, m := range messages {
			stream := event.Stream(s)
			canonical, _ := want(stream, event.Protobuf, eventtest.Encode(event.Protobuf, m))
			for f, b := range map[event.Format][]byte{event.Protobuf: eventtest.Variant(r, m), event.JSON: eventtest.VariantJSON(r, m)} {
				checkAgainstOracle(t, d, stream, f, b)
				got, reason := decode(d, stream, f, b)
				if diff := diff(canonical, got); diff != "" || reason != event.ReasonNone {
					t.Fatalf("round %d: variant of %v in %v: reason %v (%s) %s\nrecord %q", k, stream, f, reason, d.Detail(), diff, b)
				}
			}
		}
	}
}

func TestGoodRecordsMatchOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := event.NewDecoder(event.Options{})
	for range 300 {
		p := eventtest.NewPrediction(r, randomShape(r))
		i := eventtest.NewImpression(r, p.AuctionId, r.Uint64())
		messages := [event.NumStreams]proto.Message{p, i, eventtest.NewConversion(r, i)}
		for s, m := range messages {
			for _, f := range []event.Format{event.Protobuf, event.JSON} {
				b := eventtest.Encode(f, m)
				if reason := checkAgainstOracle(t, d, event.Stream(s), f, b); reason != event.ReasonNone {
					t.Fatalf("good %v record in %v refused: %v: %s", event.Stream(s), f, reason, d.Detail())
				}
			}
		}
	}
}
