package event_test

import (
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
)

// TestMalformedCorpus decodes thousands of bad records with one Decoder. Each
// is refused for its reason, and the oracle agrees that it has to be.
func TestMalformedCorpus(t *testing.T) {
	d := event.NewDecoder(event.Options{})
	seen := map[event.Reason]int{}
	kinds := map[string]bool{}
	for _, bad := range eventtest.Malformed(1, 12_000) {
		kinds[bad.Kind] = true
		seen[bad.Reason]++
		want := bad.Reason
		if want == event.ReasonKey {
			if len(bad.Key) != 0 {
				t.Fatalf("%s: key %q, want none", bad.Kind, bad.Key)
			}
			want = event.ReasonNone
		}
		if got := checkAgainstOracle(t, d, bad.Stream, bad.Format, bad.Value); got != want {
			t.Fatalf("%s: %v in %v: got %v (%s), want %v\nrecord %q", bad.Kind, bad.Stream, bad.Format, got, d.Detail(), want, bad.Value)
		}
	}
	if len(kinds) != eventtest.Kinds() || len(kinds) < 15 {
		t.Errorf("%d kinds of bad records, want %d", len(kinds), eventtest.Kinds())
	}
	for r := event.ReasonMalformed; r < event.NumReasons; r++ {
		// A corrupt batch is not a record, and a record too large is too slow
		// to make thousands of times: see TestTooLarge.
		if seen[r] == 0 && r != event.ReasonCorruptBatch && r != event.ReasonTooLarge {
			t.Errorf("no bad record for reason %v", r)
		}
	}
}

func TestMalformedIsReproducible(t *testing.T) {
	a, b := eventtest.Malformed(7, 500), eventtest.Malformed(7, 500)
	for i := range a {
		if string(a[i].Value) != string(b[i].Value) || string(a[i].Key) != string(b[i].Key) {
			t.Fatalf("record %d (%s): the same seed gave %q and %q", i, a[i].Kind, a[i].Value, b[i].Value)
		}
	}
}
