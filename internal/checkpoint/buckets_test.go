package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

// buckets opens one of each kind; two calls of again give the same bucket to
// two processes.
func buckets(t *testing.T) map[string]func() checkpoint.Bucket {
	memory := checkpoint.NewBlobBucket(memblob.OpenBucket(nil))
	fake := &checkpointtest.Bucket{Now: time.Now}
	dir, s3 := t.TempDir(), newFakeS3(t)
	open := func(url string) func() checkpoint.Bucket {
		return func() checkpoint.Bucket {
			b, err := checkpoint.OpenBucket(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
			return b
		}
	}
	return map[string]func() checkpoint.Bucket{
		"mem": func() checkpoint.Bucket { return memory }, "test": func() checkpoint.Bucket { return fake },
		"file": open("file://" + dir + "/a/b"), "s3": open(s3.url("/some/prefix")),
	}
}

// Every Bucket does what the interface says.
func TestBuckets(t *testing.T) {
	for name, open := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			b, ctx := open(), t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			list := func(prefix string) (keys []string) {
				must(b.List(ctx, prefix, func(o checkpoint.Object) error {
					keys = append(keys, fmt.Sprintf("%s %d", o.Key, o.Size))
					if age := time.Since(o.ModTime).Abs(); age > time.Minute {
						t.Errorf("%s is %s old", o.Key, age)
					}
					return nil
				}))
				return keys
			}
			get := func(key string) string {
				r, err := b.Get(ctx, key)
				must(err)
				data, err := io.ReadAll(r)
				must(errors.Join(err, r.Close()))
				return string(data)
			}
			if got := list("g/"); got != nil {
				t.Errorf("List of nothing: %q", got)
			}
			if _, err := b.Get(ctx, "g/a"); !errors.Is(err, checkpoint.ErrObjectMissing) {
				t.Errorf("Get of nothing: %v", err)
			}
			must(b.Delete(ctx, "g/a"))
			must(b.Put(ctx, "g/p/a", strings.NewReader("one")))
			must(b.Put(ctx, "g/p/a", strings.NewReader("other")))
			must(b.Create(ctx, "g/p/b", []byte("b")))
			must(b.Create(ctx, "g/q/c", nil))
			if err := b.Create(ctx, "g/p/b", []byte("x")); !errors.Is(err, checkpoint.ErrObjectExists) {
				t.Errorf("Create of what exists: %v", err)
			}
			if get("g/p/a") != "other" || get("g/p/b") != "b" || get("g/q/c") != "" {
				t.Errorf("Get: %q %q %q", get("g/p/a"), get("g/p/b"), get("g/q/c"))
			}
			big := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16) // more than one part
			must(b.Put(ctx, "g/big", bytes.NewReader(big)))
			if get("g/big") != string(big) {
				t.Error("20 MiB come back different")
			}
			if diff := cmp.Diff([]string{"g/p/a 5", "g/p/b 1"}, list("g/p/")); diff != "" {
				t.Errorf("List:\n%s", diff)
			}
			errRead := errors.New("disk error")
			for _, r := range []io.Reader{failing(5, errRead), failing(20<<20, errRead)} {
				if err := b.Put(ctx, "g/p/d", r); !errors.Is(err, errRead) {
					t.Errorf("Put of what cannot be read: %v", err)
				}
			}
			cancelled, cancel := context.WithCancel(ctx)
			cancel()
			if err := b.Put(cancelled, "g/p/e", strings.NewReader("x")); !errors.Is(err, context.Canceled) {
				t.Errorf("Put, cancelled: %v", err)
			}
			must(b.Delete(ctx, "g/p/b"))
			if diff := cmp.Diff([]string{"g/big 20971520", "g/p/a 5", "g/q/c 0"}, list("g/")); diff != "" {
				t.Errorf("List:\n%s", diff)
			}
			stop := errors.New("stop")
			if err := b.List(ctx, "", func(checkpoint.Object) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("List: %v", err)
			}
		})
	}
}

// failing gives some bytes and then an error.
func failing(bytes int64, err error) io.Reader {
	return io.MultiReader(io.LimitReader(zeros{}, bytes), readError{err})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type readError struct{ error }

func (r readError) Read([]byte) (int, error) { return 0, r.error }

// Of many at once, exactly one creates an object, and it is its own.
func TestCreateAtOnce(t *testing.T) {
	for name, open := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			const many = 8
			var each [many]checkpoint.Bucket
			for i := range each {
				each[i] = open()
			}
			for round := range 30 {
				key := fmt.Sprintf("g/%d", round)
				var wg sync.WaitGroup
				var won atomic.Int32
				winner := make(chan string, many)
				for i := range many {
					wg.Go(func() {
						data := strings.Repeat(fmt.Sprint(i), 1000)
						switch err := each[i].Create(t.Context(), key, []byte(data)); {
						case err == nil:
							won.Add(1)
							winner <- data
						case !errors.Is(err, checkpoint.ErrObjectExists):
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if won.Load() != 1 {
					t.Fatalf("round %d: %d have created it", round, won.Load())
				}
				r, err := each[0].Get(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				data, err := io.ReadAll(r)
				if err = errors.Join(err, r.Close()); err != nil || string(data) != <-winner {
					t.Fatalf("round %d: it is not the winner's: %v", round, err)
				}
			}
		})
	}
}

// A store which knows no conditional writes is refused before anything is
// stored, and again.
func TestUnconditional(t *testing.T) {
	s3 := newFakeS3(t)
	s3.unconditional = true
	b, err := checkpoint.OpenBucket(t.Context(), s3.url(""))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for range 2 {
		store, err := checkpoint.NewStore(b, checkpoint.DefaultOptions("g"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Owner(3, 1).Upload(t.Context(), w.snapshot(state), 1); !errors.Is(err, checkpoint.ErrUnconditional) {
			t.Errorf("got %v", err)
		}
	}
	if len(s3.objects) != 1 {
		t.Errorf("%d objects", len(s3.objects))
	}
}

func TestOpenBucket(t *testing.T) {
	for url, want := range map[string]string{
		"gs://bucket":                       "want file:///… or s3://…",
		"/directory":                        "want file:///… or s3://…",
		"file://host/directory":             "without host or parameters",
		"file:///directory?a=pass":          "without host or parameters",
		"file://":                           "without host or parameters",
		"s3://user:pass@bucket?colour=pass": "unknown query parameter",
		"s3://bucket?accelerate=perhaps":    "accelerate",
		"://pass":                           "is not a URL",
	} {
		b, err := checkpoint.OpenBucket(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pass") {
			t.Errorf("%s: %v, %v, want %s", url, b, err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := checkpoint.OpenBucket(t.Context(), "file://"+file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file: %v, %v", b, err)
	}
}

// What a dead process left behind goes away, and nothing else does.
func TestFileBucketStaging(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, "staging", "old"), filepath.Join(dir, "staging", "young")
	if err := os.Mkdir(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	b, err := checkpoint.NewFileBucket(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "g/a", strings.NewReader("a")); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "staging", "*"))
	if diff := cmp.Diff([]string{young}, left); diff != "" || err != nil {
		t.Errorf("%v, left:\n%s", err, diff)
	}
}
