package alerts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The triggers of what is not resolved outlast their delivery, and a restart.
func TestOpen(t *testing.T) {
	e := NewEngine(Options{Experiment: "x"})
	for _, n := range []Notification{
		{Action: Trigger, Key: "b"}, {Action: Trigger, Key: "a"}, {Action: Change, Key: "ramp"},
		{Action: Resolve, Key: "b"}, {Action: Trigger, Key: "c"}, {Action: Trigger, Key: "a"},
	} {
		e.add(n)
		e.Delivered(e.state.Sequence)
	}
	b, err := e.State()
	if err != nil {
		t.Fatal(err)
	}
	again := NewEngine(Options{Experiment: "x"})
	if err := again.Restore(b); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Engine{e, again} {
		var got []string
		var sequences []uint64
		for _, n := range e.Open() {
			got, sequences = append(got, n.Key), append(sequences, n.Sequence)
		}
		if d := cmp.Diff([]string{"a", "c"}, got); d != "" {
			t.Errorf("open (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]uint64{6, 5}, sequences); d != "" {
			t.Errorf("their newest triggers (-want +got):\n%s", d)
		}
	}
	again.add(Notification{Action: Resolve, Key: "a"})
	if n := len(again.Open()); n != 1 {
		t.Errorf("%d open after one more is resolved, want 1", n)
	}
	// A state of before has none, and takes some.
	if err := again.Restore([]byte(`{"version": 1, "open": null}`)); err != nil {
		t.Fatal(err)
	}
	again.add(Notification{Action: Trigger, Key: "a"})
	if n := len(again.Open()); n != 1 {
		t.Errorf("%d open, want 1", n)
	}
}
