package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplaceDir(t *testing.T) {
	make := func(dir, file string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(dir string, want ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != len(want) {
			t.Fatalf("%s: %v, %v, want %v", dir, entries, err, want)
		}
		for i, e := range entries {
			if e.Name() != want[i] {
				t.Errorf("%s: %v, want %v", dir, entries, want)
			}
		}
	}
	root := t.TempDir()
	dir, aside := filepath.Join(root, "d"), filepath.Join(root, "d.restored")

	make(dir, "old")
	if err := replaceDir(dir, aside); err == nil {
		t.Error("replaced by nothing")
	}
	holds(dir, "old") // as it was
	make(aside, "new")
	if err := replaceDir(dir, aside); err != nil {
		t.Fatal(err)
	}
	holds(dir, "new")
	holds(root, "d")

	// A crash between the two renames, and then the same again.
	make(aside, "newer")
	if err := os.Rename(dir, dir+".replaced"); err != nil {
		t.Fatal(err)
	}
	if err := replaceDir(dir, aside); err != nil {
		t.Fatal(err)
	}
	holds(dir, "newer")
	holds(root, "d")
}
