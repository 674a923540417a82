package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPages compares the pages that need no other program; docs/cli.md is
// compared where the commands are.
func TestPages(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, page := range pages {
		if page.path == "docs/cli.md" {
			continue
		}
		want, err := page.render(root)
		if err != nil {
			t.Fatalf("%s: %v", page.path, err)
		}
		got, err := os.ReadFile(filepath.Join(root, page.path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s has drifted; run go run ./internal/docgen (-want +got):\n%s", page.path, diff)
		}
	}
}

func TestModuleRoot(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "docgen", "main.go")); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	if root, err := moduleRoot(); err == nil {
		t.Errorf("outside of a module: got %s", root)
	}
}
