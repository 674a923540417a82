package checkpoint_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

// A list that does not show one's own last checkpoint is not believed, as long
// as that can be read.
func TestListWithoutOnesOwn(t *testing.T) {
	w := newWorld(t)
	o := w.owner(1)
	w.upload(o, 1, files{"000001.sst": "old"})
	w.upload(o, 2, state)
	w.bucket.Hide = func(o checkpoint.Object) bool { return o.Key == manifestOf(v(1, 2)) }
	if done := w.upload(o, 3, state.with("000009.sst", "new")); done.Objects != 1 {
		t.Errorf("%+v, want 1 object sent", done)
	}
}

// Somebody deletes all checkpoints of a partition. The next one is whole.
func TestAllDeleted(t *testing.T) {
	for _, what := range []string{part, part + "manifests/"} {
		w := newWorld(t)
		o := w.owner(1)
		w.upload(o, 1, state)
		for _, key := range w.bucket.Keys(what) {
			w.bucket.Edit(key, func([]byte) []byte { return nil })
		}
		w.upload(o, 2, state)
		if done := w.restore(w.owner(2), v(1, 2), state); len(done.Skipped) > 0 {
			t.Errorf("%s: skipped %v", what, done.Skipped)
		}
	}
}

// What an earlier try has sent counts from then.
func TestEarlierTryIsTooLongAgo(t *testing.T) {
	for _, tc := range []struct {
		pause, took float64 // grace periods
		objects     int     // sent by the second try, of 4
		want        error
	}{
		{0.2, 0.2, 2, nil},
		{0.2, 0.4, 0, checkpoint.ErrSlow},
		{0.3, 0.4, 4, nil}, // too old to be used at all
	} {
		w := newWorld(t)
		o := w.owner(1)
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if len(w.objects()) == 2 && r.Kind == checkpointtest.Put {
				return errors.New("network is down")
			}
			return nil
		}
		if _, err := o.Upload(t.Context(), w.snapshot(state), 1); err == nil {
			t.Fatal("no error")
		}
		w.now = w.now.Add(periods(tc.pause))
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if r.Kind == checkpointtest.Put {
				w.bucket.Before = nil
				w.now = w.now.Add(periods(tc.took))
			}
			return nil
		}
		if done, err := o.Upload(t.Context(), w.snapshot(state), 2); !errors.Is(err, tc.want) || done.Objects != tc.objects {
			t.Errorf("%+v: %+v, %v", tc, done, err)
		}
	}
}
