package faultsim

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const synced, unsynced = "synced;", "written after the sync"

// write makes a file with a synced and an unsynced part, whose name is synced,
// and another one of which nothing is.
func write(t *testing.T, fs *faultFS) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(fs.MkdirAll("d", 0o755))
	sync := func(dir string) {
		d, err := fs.OpenDir(dir)
		must(err)
		must(d.Sync())
		must(d.Close())
	}
	f, err := fs.Create("d/f", vfs.WriteCategoryUnspecified)
	must(err)
	_, err = f.Write([]byte(synced))
	must(err)
	must(f.Sync())
	sync("d")
	sync("")
	_, err = f.Write([]byte(unsynced))
	must(err)
	_, err = fs.Create("d/g", vfs.WriteCategoryUnspecified)
	must(err)
	must(f.Close())
}

// A crash keeps what was synced, and of the rest what it likes.
func TestCrashOfTheMachine(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for seed := range uint64(200) {
		fs := newFaultFS(vfs.NewCrashableMem(), seed)
		write(t, fs)
		left, err := fs.remains(rng, true)
		if err != nil {
			t.Fatal(err)
		}
		b, err := read(left, "d/f")
		if err != nil || !strings.HasPrefix(string(b), synced) {
			t.Fatalf("d/f = %q, %v", b, err)
		}
		switch rest := string(b[len(synced):]); {
		case rest == "":
			seen["lost"] = true
		case rest == unsynced:
			seen["kept"] = true
		case strings.HasPrefix(unsynced, rest):
			seen["torn"] = true
		default:
			t.Fatalf("d/f = %q", b)
		}
		if _, err := left.Stat("d/g"); err == nil {
			seen["name kept"] = true
		} else {
			seen["name lost"] = true
		}
	}
	for _, what := range []string{"lost", "kept", "torn", "name kept", "name lost"} {
		if !seen[what] {
			t.Errorf("%s: never happened", what)
		}
	}
}

// A crash of the process alone keeps all that was written before it.
func TestCrashAtEachWrite(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	lengths := map[int]bool{}
	crashes := 0
	for seed := range uint64(200) {
		for n := 1; n < 20; n++ {
			fs := newFaultFS(vfs.NewCrashableMem(), seed)
			fs.arm(n)
			write(t, fs)
			if !fs.crashed() {
				break
			}
			crashes++
			left, err := fs.remains(rng, false)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := read(left, "d/f"); err == nil {
				if whole := synced + unsynced; !strings.HasPrefix(whole, string(b)) {
					t.Fatalf("crash at %d: d/f = %q", n, b)
				}
				lengths[len(b)] = true
			}
			if b, err := read(fs.mem, "d/f"); err != nil || string(b) != synced+unsynced {
				t.Fatalf("crash at %d: the process went on with %q, %v", n, b, err)
			}
		}
	}
	if want := 200 * 8; crashes != want {
		t.Errorf("%d crashes, want %d: at each of the writes and syncs", crashes, want)
	}
	if want := len(synced+unsynced) + 1; len(lengths) != want {
		t.Errorf("files of %d lengths, want %d: torn at each byte", len(lengths), want)
	}
}

func TestFailingSync(t *testing.T) {
	fs := newFaultFS(vfs.NewCrashableMem(), 1)
	log, err := fs.Create("1.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	fs.armSync(2)
	if err := log.Sync(); err != nil {
		t.Errorf("outside a commit: %v", err)
	}
	fs.committing(true)
	if err := log.Sync(); err != nil {
		t.Errorf("the first: %v", err)
	}
	if err := log.SyncData(); !errors.Is(err, errSync) || !fs.syncFailed() {
		t.Errorf("the second: %v", err)
	}
}
