package event_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
)

// TestSteadyStateDoesNotAllocate counts over records of different contents and
// sizes, after each has been seen once.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, f := range []event.Format{event.Protobuf, event.JSON} {
		var records [event.NumStreams][][]byte
		for n := range 20 {
			shape := eventtest.Usual(n * 13)
			shape.Assignments, shape.Shadows, shape.Dimensions = 1+n%10, n%3, n
			shape.Families = n % 9
			p := eventtest.NewPrediction(r, shape)
			i := eventtest.NewImpression(r, p.AuctionId, 1)
			for s, m := range []proto.Message{p, i, eventtest.NewConversion(r, i)} {
				records[s] = append(records[s], eventtest.Encode(f, m))
			}
		}
		d := event.NewDecoder(event.Options{})
		for s := range event.NumStreams {
			allocs := testing.AllocsPerRun(10, func() {
				for _, b := range records[s] {
					var reason event.Reason
					switch s {
					case event.Predictions:
						_, reason = d.DecodePrediction(f, b, eventtest.NowMs)
					case event.Impressions:
						_, reason = d.DecodeImpression(f, b, eventtest.NowMs)
					case event.Conversions:
						_, reason = d.DecodeConversion(f, b, eventtest.NowMs)
					}
					if reason != event.ReasonNone {
						t.Errorf("good %v record in %v refused: %v: %s", s, f, reason, d.Detail())
					}
				}
			})
			if allocs != 0 {
				t.Errorf("%v in %v: %v allocations in %d records, want 0", s, f, allocs, len(records[s]))
			}
		}
	}
}

// TestTablesThatChange alternates between tables that equal, extend, shorten or
// resemble the ones before: what is remembered must never show.
func TestTablesThatChange(t *testing.T) {
	tables := [][]string{
		{"a", "b"}, {"a", "b"}, {"a", "b", "c"}, {"a", "b"}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"ab", "c"}, {"a", "bc"}, {"a", "b", ""}, {}, {"a", "b"},
		{"\"", "\\"}, {"a\"", "b"}, {"ü", "b"}, {"a", "b"},
	}
	d := event.NewDecoder(event.Options{})
	// All records take turns in one piece of memory, as in a fetch buffer.
	buffer := make([]byte, 1<<16)
	for _, f := range []event.Format{event.Protobuf, event.JSON, event.Protobuf} {
		for k, table := range append(tables, tables...) {
			p := small()
			p.Candidates.FeatureFamilies, p.Candidates.FeaturesPresent = table, nil
			p.Candidates.Stages, p.Candidates.StageIndex = table, nil
			b := buffer[:copy(buffer, eventtest.Encode(f, p))]
			if reason := checkAgainstOracle(t, d, event.Predictions, f, b); reason != event.ReasonNone {
				t.Fatalf("table %d in %v: refused as %v (%s)", k, f, reason, d.Detail())
			}
		}
	}
}

// TestTableTags reads tables whose entries have longer tags than needed, or
// stand apart, between fields whose tags begin alike.
func TestTableTags(t *testing.T) {
	const long, other = "\xaa\x00", "\xaa\x01" // fields 5 and 21, both length-delimited
	d := event.NewDecoder(event.Options{})
	for _, families := range []string{
		long + "\x01f" + other + "\x01x" + long + "\x01g",
		"*\x01f" + other + "\x01x" + "*\x01g",
		"*\x01f" + long + "\x01g",
		long + "\x01f" + "*\x01g",
		"*\x01f*\x01g" + long + "\x01h",
		"*\x01f*\x01g",
	} {
		record := append([]byte("\x0a\x01a\x10\x01\x1a\x06\x0a\x01e\x12\x01c\x42"), byte(len(families)))
		for range 2 {
			if reason := checkAgainstOracle(t, d, event.Predictions, event.Protobuf, append(record, families...)); reason != event.ReasonNone {
				t.Errorf("families %q refused as %v (%s)", families, reason, d.Detail())
			}
		}
	}
}

// TestManyNames finds the one name of many that occurs twice.
func TestManyNames(t *testing.T) {
	d := event.NewDecoder(event.Options{})
	for _, n := range []int{2, 8, 9, 40} {
		for _, last := range []string{"experiment-0", "another"} {
			p, want := small(), event.ReasonNone
			p.Assignments = nil
			for i := range n {
				p.Assignments = append(p.Assignments, &eventpb.Assignment{Experiment: fmt.Sprintf("experiment-%d", i), Arm: "a"})
			}
			if p.Assignments[n-1].Experiment = last; last != "another" {
				want = event.ReasonDuplicateExperiment
			}
			for _, f := range []event.Format{event.Protobuf, event.JSON} {
				if got := checkAgainstOracle(t, d, event.Predictions, f, eventtest.Encode(f, p)); got != want {
					t.Errorf("%d experiments, the last is %q, in %v: got %v, want %v", n, last, f, got, want)
				}
			}
		}
	}
}

// TestZeroHasOneForm decodes -0 wherever 0 is legal and used downstream.
func TestZeroHasOneForm(t *testing.T) {
	minus := math.Copysign(0, -1)
	p := small()
	p.Assignments[0].RampPercent = minus
	p.Candidates.References[0] = float32(minus)
	for _, f := range []event.Format{event.Protobuf, event.JSON} {
		d := event.NewDecoder(event.Options{})
		got, reason := d.DecodePrediction(f, eventtest.Encode(f, p), eventtest.NowMs)
		if reason != event.ReasonNone {
			t.Fatalf("-0 in %v: refused as %v (%s)", f, reason, d.Detail())
		}
		if math.Signbit(got.Assignments[0].RampPercent) || math.Signbit(float64(got.Candidates.References[0])) {
			t.Errorf("-0 in %v: got ramp %v and reference %v, want 0", f, got.Assignments[0].RampPercent, got.Candidates.References[0])
		}
	}
}

func TestEventTimeMs(t *testing.T) {
	p := &eventpb.Prediction{AuctionId: "a", EventTimeMs: 123456789012, Candidates: &eventpb.Candidates{ItemIds: []uint64{1}}}
	i := &eventpb.Impression{AuctionId: "a", ItemId: 7, EventTimeMs: -5}
	c := &eventpb.Conversion{ConversionId: "c", EventTimeMs: 1}
	encode := func(m proto.Message) []byte { return eventtest.Encode(event.Protobuf, m) }
	for _, tc := range []struct {
		name   string
		stream event.Stream
		format event.Format
		record []byte
		want   int64
		ok     bool
	}{
		{"prediction", event.Predictions, event.Protobuf, encode(p), 123456789012, true},
		{"impression", event.Impressions, event.Protobuf, encode(i), -5, true},
		{"conversion", event.Conversions, event.Protobuf, encode(c), 1, true},
		{"behind an unknown group", event.Conversions, event.Protobuf, append([]byte{0xa3, 1, 0x20, 9, 0xa4, 1}, encode(c)...), 1, true},
		{"no time", event.Conversions, event.Protobuf, encode(&eventpb.Conversion{ConversionId: "c"}), 0, false},
		{"empty", event.Predictions, event.Protobuf, nil, 0, false},
		{"broken before the time", event.Predictions, event.Protobuf, []byte{0x0a, 0x7f, 0x10, 1}, 0, false},
		{"broken behind the time", event.Predictions, event.Protobuf, []byte{0x10, 1, 0x0a, 0x7f}, 1, true},
		{"JSON", event.Predictions, event.JSON, eventtest.Encode(event.JSON, p), 0, false},
	} {
		got, ok := event.EventTimeMs(tc.stream, tc.format, tc.record)
		if got != tc.want || ok != tc.ok {
			t.Errorf("%s: EventTimeMs = %d, %v; want %d, %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

// TestTruncatedEverywhere cuts a record of each stream at every byte.
func TestTruncatedEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	d := event.NewDecoder(event.Options{})
	i := eventtest.NewImpression(r, "auction", 7)
	shape := eventtest.Usual(3)
	shape.Shadows = 2
	for s, m := range []proto.Message{eventtest.NewPrediction(r, shape), i, eventtest.NewConversion(r, i)} {
		b := eventtest.Encode(event.Protobuf, m)
		breaking := map[int]bool{}
		for _, cut := range eventtest.BreakingCuts(b) {
			breaking[cut] = true
		}
		for cut := range b {
			got := checkAgainstOracle(t, d, event.Stream(s), event.Protobuf, b[:cut:cut])
			if breaking[cut] && got != event.ReasonMalformed {
				t.Errorf("%v cut at byte %d of %d: got %v, want %v", event.Stream(s), cut, len(b), got, event.ReasonMalformed)
			}
		}
		b = eventtest.Encode(event.JSON, m)
		for cut := range b {
			if got := checkAgainstOracle(t, d, event.Stream(s), event.JSON, b[:cut:cut]); got != event.ReasonMalformed {
				t.Errorf("%v in JSON cut at byte %d of %d: got %v, want %v", event.Stream(s), cut, len(b), got, event.ReasonMalformed)
			}
		}
	}
}
