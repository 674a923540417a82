package checkpoint_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

func TestUploadAndRestore(t *testing.T) {
	w := newWorld(t)
	first := w.owner(1)
	if _, err := first.Newest(t.Context()); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("Newest of nothing: %v", err)
	}
	if _, err := first.Restore(t.Context(), "nothing"); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("Restore of nothing: %v", err)
	}
	done := w.upload(first, 10, state)
	if done.Version != v(1, 10) || done.Files != 5 || done.Objects != 4 {
		t.Errorf("Upload = %+v", done)
	}
	w.restore(w.owner(2), v(1, 10), state)
	second := w.owner(2)
	changed := state.with("000004.sst", "").with("000007.sst", "4 and 5 together")
	w.upload(second, 1, changed)
	w.restore(second, v(2, 1), changed)
	if got, err := first.Newest(t.Context()); got != v(2, 1) || err != nil {
		t.Errorf("Newest = %s, %v", got, err)
	}
}

// What was there before costs nothing but its line of the manifest, whoever
// was the owner, and whatever the file is called now.
func TestOnlyChangesTravel(t *testing.T) {
	big := files{"000001.sst": strings.Repeat("x", 1<<20), "000002.sst": strings.Repeat("y", 1<<20)}
	for _, tc := range []struct {
		name    string
		next    files
		objects int
		sent    int64 // without the manifest
	}{
		{"nothing", big, 0, 0},
		{"a new table", big.with("000003.sst", "table"), 1, 5},
		{"two new of one content", big.with("000003.sst", "table").with("000004.sst", "table"), 1, 5},
		{"another name", big.with("000001.sst", "").with("000003.sst", big["000001.sst"]), 0, 0},
		{"the same name, other content", big.with("000001.sst", strings.Repeat("z", 1<<20)), 1, 1 << 20},
		{"a table less", big.with("000001.sst", ""), 0, 0},
		{"an empty file", big.with("marker", " "), 1, 1},
	} {
		for _, same := range []bool{true, false} {
			w := newWorld(t)
			o := w.owner(1)
			w.upload(o, 1, big)
			if !same {
				o = w.owner(2)
			}
			before := w.bucket.Written()
			done := w.upload(o, 2, tc.next)
			if done.Objects != tc.objects || done.Sent < tc.sent || done.Sent > tc.sent+1000 || done.Sent != w.bucket.Written()-before {
				t.Errorf("%s, same owner %t: %+v and %d bytes stored, want %d objects of %d bytes and a manifest",
					tc.name, same, done, w.bucket.Written()-before, tc.objects, tc.sent)
			}
		}
	}
}

// A log of many parts that has grown sends its end.
func TestGrownLog(t *testing.T) {
	w := newWorld(t)
	o := w.owner(1)
	var log strings.Builder
	for i := range 20 << 20 {
		log.WriteByte(byte(i >> 12 * 7))
	}
	w.upload(o, 1, files{"000001.log": log.String()})
	done := w.upload(o, 2, files{"000001.log": log.String() + "more"})
	if done.Sent > 10_000 || done.Objects != 1 {
		t.Errorf("20 MiB and 4 bytes more: %+v", done)
	}
	w.restore(o, v(1, 2), files{"000001.log": log.String() + "more"})
}

func TestFencing(t *testing.T) {
	for _, tc := range []struct {
		name            string
		epoch, sequence uint64
		want            error
	}{
		{"older epoch", 4, 99, checkpoint.ErrFenced},
		{"same version", 5, 7, checkpoint.ErrStale},
		{"older sequence", 5, 6, checkpoint.ErrStale},
		{"next", 5, 8, nil},
		{"next epoch", 6, 1, nil},
	} {
		w := newWorld(t)
		w.upload(w.owner(5), 7, state)
		before := w.bucket.Written()
		_, err := w.owner(tc.epoch).Upload(t.Context(), w.snapshot(state.with("x", "y")), tc.sequence)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if tc.want != nil {
			if sent := w.bucket.Written() - before; sent > 0 {
				t.Errorf("%s: %d bytes sent in vain", tc.name, sent)
			}
			w.restore(w.owner(7), v(5, 7), state)
		}
	}
	w := newWorld(t)
	w.upload(w.owner(5), 7, state)
	if _, err := w.owner(4).Restore(t.Context(), "dir"); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("Restore of an older epoch: %v", err)
	}
}

// The other owner's manifest comes between the list and one's own.
func TestOvertaken(t *testing.T) {
	for _, tc := range []struct {
		name            string
		epoch, sequence uint64 // of the one who is overtaken by 5-7
		want            error
	}{
		{"by a newer epoch", 4, 9, checkpoint.ErrFenced},
		{"by a newer sequence", 5, 6, checkpoint.ErrStale},
		{"by the same version", 5, 7, checkpoint.ErrStale},
		{"by an older one", 6, 1, nil},
	} {
		w := newWorld(t)
		w.upload(w.owner(3), 1, files{})
		slow, fast := w.owner(tc.epoch), w.owner(5)
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if r.Kind == checkpointtest.Create && strings.Contains(r.Key, "manifests/") {
				w.bucket.Before = nil
				w.upload(fast, 7, state)
			}
			return nil
		}
		mine := state.with("x", "y")
		_, err := slow.Upload(t.Context(), w.snapshot(mine), tc.sequence)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if tc.want == nil {
			w.restore(w.owner(9), v(tc.epoch, tc.sequence), mine)
		} else {
			w.restore(w.owner(9), v(5, 7), state)
		}
	}
}

// Each request fails once, before it was done or after.
func TestTransientErrors(t *testing.T) {
	errNetwork := errors.New("network is down")
	for n := 0; ; n++ {
		for _, done := range []bool{false, true} {
			w := newWorld(t)
			o := w.owner(1)
			w.upload(o, 1, state)
			first := w.bucket.Requests()
			next := state.with("000007.sst", "new").with("000006.log", "a log, and more")
			hook := func(_ context.Context, r checkpointtest.Request) error {
				if r.N == first+n {
					return errNetwork
				}
				return nil
			}
			if done {
				w.bucket.After = hook
			} else {
				w.bucket.Before = hook
			}
			if got := w.upload(o, 2, next); got.Objects != 2 {
				t.Errorf("request %d: %+v", n, got)
			}
			w.bucket.Before, w.bucket.After = nil, nil
			w.restore(w.owner(2), v(1, 2), next)
			if first+n >= w.bucket.Requests() {
				if n < 4 {
					t.Fatalf("only %d requests", n)
				}
				return
			}
		}
	}
}

func TestErrorsThatLast(t *testing.T) {
	errNetwork := errors.New("network is down")
	for _, tc := range []struct {
		name  string
		err   error
		tries int
	}{
		{"transient", errNetwork, 3},
		{"refused", checkpoint.ErrRefused, 1},
	} {
		for _, kind := range []checkpointtest.Kind{checkpointtest.Create, checkpointtest.List, checkpointtest.Put} {
			w := newWorld(t)
			tries := 0
			w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
				if r.Kind == kind {
					tries++
					return tc.err
				}
				return nil
			}
			_, err := w.owner(1).Upload(t.Context(), w.snapshot(files{"a": "b"}), 1)
			if !errors.Is(err, tc.err) || tries != tc.tries {
				t.Errorf("%s %s: %v after %d tries, want %d", tc.name, kind, err, tries, tc.tries)
			}
		}
	}
}

func TestUploadIsCancelled(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("partition lost")
	w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
		if r.Kind == checkpointtest.Put {
			cancel(lost)
			return errors.New("connection reset")
		}
		return nil
	}
	_, err := w.owner(1).Upload(ctx, w.snapshot(state), 1)
	if !errors.Is(err, lost) || len(w.objects()) > 0 {
		t.Errorf("%v, %d objects", err, len(w.objects()))
	}
}

// A failed upload's objects are used by the next try.
func TestUploadGoesOn(t *testing.T) {
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
	w.bucket.Before = nil
	if done := w.upload(o, 2, state); done.Objects != 2 {
		t.Errorf("%+v, want 2 of 4 objects", done)
	}
	w.restore(o, v(1, 2), state)
}

func TestNotASnapshot(t *testing.T) {
	w := newWorld(t)
	dir := w.snapshot(state)
	if err := w.fs.MkdirAll(dir+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := w.owner(1).Upload(t.Context(), dir, 1); !errors.Is(err, checkpoint.ErrSnapshot) || !strings.Contains(err.Error(), dir+"/sub") {
		t.Errorf("a directory: %v", err)
	}
	for name, data := range map[string]string{"longer": "a table, and more", "shorter": "a", "different": "b table"} {
		w := newWorld(t)
		dir := w.snapshot(files{"000001.sst": "first", "000002.sst": "a table"})
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if r.Kind == checkpointtest.Put {
				w.bucket.Before = nil
				w.write(dir+"/000002.sst", data)
			}
			return nil
		}
		_, err := w.owner(1).Upload(t.Context(), dir, 1)
		// More than was hashed is not read: what is stored is what was hashed.
		if want := name != "longer"; errors.Is(err, checkpoint.ErrSnapshot) != want || len(w.objects()) == 2 == want {
			t.Errorf("%s: %v, %d objects", name, err, len(w.objects()))
		}
	}
}
