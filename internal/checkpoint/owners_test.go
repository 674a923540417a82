package checkpoint_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
)

// contender is an owner among others that want to store at once.
type contender struct {
	epoch, sequence uint64
	files           files
	err             error
}

// contend lets all upload at once, each with a bucket of its own, and checks
// that what stands in the end is one that was told so.
func contend(t *testing.T, open func() checkpoint.Bucket, group string, contenders []*contender) {
	t.Helper()
	w := newWorld(t)
	options := checkpoint.DefaultOptions(group)
	options.FS = w.fs
	owner := func(epoch uint64) *checkpoint.Owner {
		store, err := checkpoint.NewStore(open(), options)
		if err != nil {
			t.Fatal(err)
		}
		return store.Owner(3, epoch)
	}
	var wg sync.WaitGroup
	for _, c := range contenders {
		o, dir := owner(c.epoch), w.snapshot(c.files)
		wg.Go(func() { _, c.err = o.Upload(t.Context(), dir, c.sequence) })
	}
	wg.Wait()
	newest := slices.MaxFunc(contenders, func(a, b *contender) int {
		return v(a.epoch, a.sequence).Compare(v(b.epoch, b.sequence))
	})
	winners := map[checkpoint.Version]files{}
	for _, c := range contenders {
		version := v(c.epoch, c.sequence)
		switch {
		case c.err == nil && winners[version] != nil:
			t.Errorf("two have stored %s", version)
		case c.err == nil:
			winners[version] = c.files
		case !errors.Is(c.err, checkpoint.ErrFenced) && !errors.Is(c.err, checkpoint.ErrStale):
			t.Errorf("%s: %v", version, c.err)
		case errors.Is(c.err, checkpoint.ErrFenced) && c.epoch == newest.epoch:
			t.Errorf("%s: %v, but no epoch is newer", version, c.err)
		}
	}
	want := winners[v(newest.epoch, newest.sequence)]
	if want == nil {
		t.Fatalf("nobody has stored %d-%d, the newest: %v", newest.epoch, newest.sequence, winners)
	}
	w.dirs++
	dir := fmt.Sprintf("restored-%d", w.dirs)
	done, err := owner(newest.epoch).Restore(t.Context(), dir)
	if err != nil || done.Version != v(newest.epoch, newest.sequence) || len(done.Skipped) > 0 || !maps.Equal(w.read(dir), want) {
		t.Errorf("restored %+v, %v with %v, want %v", done, err, w.read(dir), want)
	}
}

func TestOwnersAtOnce(t *testing.T) {
	for name, open := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			for round := range 8 {
				var same, mixed []*contender
				for i := range 5 {
					f := state.with("000009.sst", fmt.Sprint(i))
					same = append(same, &contender{epoch: 1, sequence: 1, files: f})
					mixed = append(mixed, &contender{epoch: uint64(1 + i/2), sequence: uint64(10 - i%2), files: f})
				}
				contend(t, open, fmt.Sprintf("same-%d", round), same)
				contend(t, open, fmt.Sprintf("mixed-%d", round), mixed)
			}
		})
	}
}

// Processes create the same objects in one directory. The children are this
// test, told by the environment what to do.
func TestProcessesAtOnce(t *testing.T) {
	if dir := os.Getenv("CHECKPOINT_TEST_DIR"); dir != "" {
		createAll(t, dir)
		return
	}
	dir := t.TempDir()
	const processes, rounds = 4, 200
	var stdins []io.WriteCloser
	var outputs []*bufio.Scanner
	for i := range processes {
		c := exec.Command(os.Args[0], "-test.run=^TestProcessesAtOnce$", "-test.v")
		c.Env = append(os.Environ(), "CHECKPOINT_TEST_DIR="+dir, fmt.Sprintf("CHECKPOINT_TEST_NAME=%d", i))
		c.Stderr = os.Stderr
		stdin, err1 := c.StdinPipe()
		stdout, err2 := c.StdoutPipe()
		if err := errors.Join(err1, err2, c.Start()); err != nil {
			t.Fatal(err)
		}
		stdins, outputs = append(stdins, stdin), append(outputs, bufio.NewScanner(stdout))
		t.Cleanup(func() {
			// A child ends with its input, and after a failure here as well.
			if err := stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	// answer is the next line of a child that is one.
	answer := func(s *bufio.Scanner) string {
		for s.Scan() {
			if text, ok := strings.CutPrefix(s.Text(), "answer "); ok {
				return text
			}
		}
		return "gone"
	}
	for i, out := range outputs {
		if got := answer(out); got != "ready" {
			t.Fatalf("process %d: %s", i, got)
		}
	}
	for round := range rounds {
		for _, in := range stdins {
			if _, err := fmt.Fprintln(in, round); err != nil {
				t.Fatal(err)
			}
		}
		won := 0
		for i, out := range outputs {
			switch got := answer(out); got {
			case "created":
				won++
			case "exists":
			default:
				t.Fatalf("process %d: %s", i, got)
			}
		}
		if won != 1 {
			t.Errorf("round %d: %d processes have created the object", round, won)
		}
	}
}

func createAll(t *testing.T, dir string) {
	b, err := checkpoint.OpenBucket(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("answer ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch err := b.Create(t.Context(), "g/"+in.Text(), []byte(os.Getenv("CHECKPOINT_TEST_NAME"))); {
		case err == nil:
			fmt.Println("answer created")
		case errors.Is(err, checkpoint.ErrObjectExists):
			fmt.Println("answer exists")
		default:
			fmt.Println("answer", err)
		}
	}
}

// One owner used by several goroutines lets them wait for each other.
func TestOneOwnerForMany(t *testing.T) {
	w := newWorld(t)
	options := checkpoint.DefaultOptions("g")
	options.FS = w.fs
	w.bucket.Now = time.Now
	store, err := checkpoint.NewStore(w.bucket, options)
	if err != nil {
		t.Fatal(err)
	}
	o := store.Owner(3, 1)
	var wg sync.WaitGroup
	for i := range uint64(10) {
		dir := w.snapshot(state.with("000009.sst", fmt.Sprint(i)))
		wg.Go(func() {
			if _, err := o.Upload(t.Context(), dir, i); err != nil && !errors.Is(err, checkpoint.ErrStale) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.restore(o, v(1, 9), state.with("000009.sst", "9"))
}
