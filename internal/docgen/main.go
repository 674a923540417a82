// Command docgen writes the reference pages in docs that are made from the
// code: the keys of the configuration from their types and comments, the command
// line from the program's own help, and the metrics from their descriptors. Run
// it in the module:
//
//	go run ./internal/docgen
//
// Tests here, beside the commands and in package dashboards compare them with what
// it would write.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rampgauge/rampgauge/dashboards"
	"github.com/rampgauge/rampgauge/internal/api/exposition"
)

// pages is every generated page with what renders it, given the module's root.
var pages = []struct {
	path   string
	render func(root string) ([]byte, error)
}{
	{"docs/config.md", configPage},
	{"docs/cli.md", commandLinePage},
	{"docs/metrics.md", func(string) ([]byte, error) { return []byte(exposition.Reference()), nil }},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	for _, page := range pages {
		content, err := page.render(root)
		if err != nil {
			return fmt.Errorf("%s: %w", page.path, err)
		}
		if err := os.WriteFile(filepath.Join(root, page.path), content, 0o644); err != nil {
			return err
		}
	}
	files, err := dashboards.Files(dashboards.DefaultOptions())
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(root, "dashboards", filepath.FromSlash(f.Path)), f.Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// moduleRoot is the closest directory above the working directory with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod here or above: run it in the module")
		}
		dir = parent
	}
}

// commandLinePage asks the program itself, whose commands are in a package that
// nobody can import.
func commandLinePage(root string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(context.Background(), "go", "run", "./cmd/rampgauge", "docs")
	cmd.Dir, cmd.Stderr = root, &stderr
	cmd.Env = append(os.Environ(), "COLUMNS=")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	return out, nil
}
