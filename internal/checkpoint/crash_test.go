package checkpoint_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

// The process dies at each request of an upload, before it was done or after
// its answer is lost. What can be restored is the checkpoint before or, from
// the moment that its manifest is there, the new one.
func TestCrashInUpload(t *testing.T) {
	next := state.with("000007.sst", "new").with("000008.sst", "new too").with("000005.sst", "").with("000006.log", "a log, and more")
	for _, done := range []bool{false, true} {
		outcomes := map[checkpoint.Version]int{}
		for n := 0; ; n++ {
			w := newWorld(t)
			o := w.owner(1)
			w.upload(o, 1, state)
			w.now = w.now.Add(grace / 4) // so that a sweep is due
			first, crashed := w.bucket.Requests(), false
			ctx, crash := context.WithCancel(t.Context())
			hook := func(_ context.Context, r checkpointtest.Request) error {
				if r.N == first+n {
					crashed = true
					crash()
				}
				return ctx.Err()
			}
			if done {
				w.bucket.After = hook
			} else {
				w.bucket.Before = hook
			}
			_, err := o.Upload(ctx, w.snapshot(next), 2)
			crash()
			w.bucket.Before, w.bucket.After = nil, nil
			if !crashed {
				if err != nil || n < 7 {
					t.Errorf("%v after %d requests", err, n)
				}
				break
			}
			second := w.owner(2)
			got, err := second.Newest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			outcomes[got]++
			w.restore(second, got, map[checkpoint.Version]files{v(1, 1): state, v(1, 2): next}[got])
			// The next owner goes on, and what the crash left goes away.
			w.upload(second, 1, next)
			w.now = w.now.Add(2 * grace)
			w.upload(second, 2, next.with("x", "y"))
			w.now = w.now.Add(2 * grace)
			w.upload(second, 3, next.with("x", "y"))
			w.now = w.now.Add(2 * grace)
			w.upload(second, 4, next.with("x", "y"))
			if got := len(w.objects()); got != 6 {
				t.Errorf("request %d: %d objects are left, want 6", n, got)
			}
		}
		if outcomes[v(1, 1)] < 4 || outcomes[v(1, 2)] < 2 {
			t.Errorf("outcomes %v", outcomes)
		}
	}
}

// Puts may arrive in any order, and the manifest comes after all of them.
func TestManifestComesLast(t *testing.T) {
	for failing := range 4 {
		w := newWorld(t)
		o := checkpoint.DefaultOptions("g")
		o.FS, o.Tries = w.fs, 1
		store, err := checkpoint.NewStore(w.bucket, o)
		if err != nil {
			t.Fatal(err)
		}
		errNetwork := errors.New("network is down")
		puts := make(chan int, 10)
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if r.Kind == checkpointtest.Put {
				puts <- 0
				if len(puts) == failing+1 {
					return errNetwork
				}
			}
			return nil
		}
		if _, err := store.Owner(3, 1).Upload(t.Context(), w.snapshot(state), 1); !errors.Is(err, errNetwork) {
			t.Errorf("put %d: %v", failing, err)
		}
		if diff := cmp.Diff([]string(nil), w.bucket.Keys(part+"manifests/")); diff != "" {
			t.Errorf("put %d failed, but:\n%s", failing, diff)
		}
	}
}
