package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	found, err := check(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// Every row of the table is a package that exists, so that the table cannot
// fill up with permissions that nobody needs.
func TestTableNamesPackages(t *testing.T) {
	for dir, allowed := range allowedImports {
		sources, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
		if err != nil || len(sources) == 0 {
			t.Errorf("%s: no Go files, %v", dir, err)
		}
		for _, target := range slices.Concat(allowed.code, allowed.tests) {
			if _, known := allowedImports[target]; !known {
				t.Errorf("%s: may import %s, which has no row", dir, target)
			}
			if strings.HasPrefix(target, "cmd/") {
				t.Errorf("%s: may import %s: nobody imports a command", dir, target)
			}
		}
	}
}

// The promises of docs/design.md, as they follow from the table.
func TestDesignHolds(t *testing.T) {
	for _, leaf := range []string{"consumer/event", "internal/stats", "internal/fixed"} {
		if got := allowedImports[leaf].code; len(got) > 0 {
			t.Errorf("%s is a leaf, but may import %v", leaf, got)
		}
	}
	for dir, allowed := range allowedImports {
		forbidden := map[string]string{}
		if dir == "consumer" || strings.HasPrefix(dir, "consumer/") {
			forbidden["aggregator"] = "consumer never imports it"
		}
		if dir == "alerts" || strings.HasPrefix(dir, "alerts/") {
			forbidden["aggregator"] = "alerts sees readings, not panes"
		}
		if dir != "cmd/rampgauge" {
			forbidden["internal/app"] = "only the command starts it"
		}
		if dir != "internal/app" && dir != "internal/loadbench" && dir != "internal/chaos" {
			forbidden["internal/kafkatest"] = "only the demo brings a broker along"
			forbidden["internal/api"] = "only internal/app wires"
		}
		for target, why := range forbidden {
			if slices.Contains(allowed.code, target) {
				t.Errorf("%s may import %s: %s", dir, target, why)
			}
		}
	}
}

func TestCheckFinds(t *testing.T) {
	const good = "// Package event is good.\npackage event\n"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string // the only finding, or its beginning
	}{
		{name: "nothing", files: map[string]string{"consumer/event/event.go": good}},
		{
			name:  "a forbidden import",
			files: map[string]string{"consumer/a.go": "// Package consumer reads.\npackage consumer\n\nimport _ \"" + module + "/aggregator\"\n"},
			want:  "consumer/a.go: imports aggregator, which consumer may not",
		},
		{
			name:  "a forbidden import behind a build tag",
			files: map[string]string{"consumer/a.go": "//go:build windows\n\n// Package consumer reads.\npackage consumer\n\nimport _ \"" + module + "/aggregator\"\n"},
			want:  "consumer/a.go: imports aggregator, which consumer may not",
		},
		{
			name: "code that imports what only tests may",
			files: map[string]string{
				"consumer/event/event.go":  good,
				"consumer/event/a.go":      "package event\n\nimport _ \"" + module + "/consumer/event/eventtest\"\n",
				"consumer/event/a_test.go": "package event\n\nimport _ \"" + module + "/consumer/event/eventtest\"\n",
			},
			want: "consumer/event/a.go: imports consumer/event/eventtest, which consumer/event may not",
		},
		{
			name: "a test that imports what not even tests may",
			files: map[string]string{
				"consumer/event/event.go":  good,
				"consumer/event/a_test.go": "package event_test\n\nimport _ \"" + module + "/aggregator\"\n",
			},
			want: "consumer/event/a_test.go: imports aggregator, which consumer/event may not",
		},
		{
			name:  "a package that the table does not know",
			files: map[string]string{"internal/new/a.go": "// Package new is new.\npackage new\n"},
			want:  "internal/new/a.go: package internal/new has no row",
		},
		{
			name:  "YAML outside of config",
			files: map[string]string{"consumer/event/event.go": good + "\nimport _ \"go.yaml.in/yaml/v3\"\n"},
			want:  "consumer/event/event.go: imports go.yaml.in/yaml/v3, which is only for [internal/config]",
		},
		{
			name:  "package testing in code",
			files: map[string]string{"consumer/event/event.go": good + "\nimport _ \"testing\"\n"},
			want:  "consumer/event/event.go: imports testing, which is only for []",
		},
		{
			name:  "the global logger, but not slog",
			files: map[string]string{"consumer/event/event.go": good + "\nimport (\n\t_ \"log\"\n\t_ \"log/slog\"\n)\n"},
			want:  "consumer/event/event.go: imports log, which",
		},
		{
			name:  "no package comment",
			files: map[string]string{"consumer/event/event.go": "package event\n"},
			want:  "consumer/event/event.go: package consumer/event has no comment",
		},
		{
			name:  "a name that says nothing",
			files: map[string]string{"consumer/event/event.go": "// Package util is anything.\npackage util\n"},
			want:  "consumer/event/event.go: package name util says nothing",
		},
		{
			name:  "a long file",
			files: map[string]string{"consumer/event/event.go": good + strings.Repeat("//\n", maxLines)},
			want:  "consumer/event/event.go: has 402 lines, more than 400",
		},
		{
			name:  "a long generated file",
			files: map[string]string{"consumer/event/event.go": "// Code generated by x. DO NOT EDIT.\n\n" + good + strings.Repeat("//\n", maxLines)},
		},
		{
			name:  "an init function, but not a method of the name",
			files: map[string]string{"consumer/event/event.go": good + "\ntype T struct{}\n\nfunc (T) init() {}\n\nfunc init() {}\n"},
			want:  "consumer/event/event.go: has an init function",
		},
		{
			name:  "a registry",
			files: map[string]string{"README.md": "get it\nfrom proxy" + ".golang.org\n"},
			want:  "README.md:2: holds the host of a package registry",
		},
		{
			name:  "a path of one machine",
			files: map[string]string{"a.sh": "cd /" + "home/me/src\n"},
			want:  "a.sh:1: holds a path of one machine",
		},
		{
			name:  "paths that are not of one machine",
			files: map[string]string{"a.md": "docs/work/x https://example.com/home/a $DIR/tmp/b ./root/c\n"},
		},
		{
			name:  "what is not ours",
			files: map[string]string{".git/config": "/" + "home/me/\n", ".tools/x": "/" + "home/me/\n", "binary": "\x00/" + "home/me/\n"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			for name, content := range tc.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			found, err := check(root)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" && len(found) > 0 || tc.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0], tc.want)) {
				t.Errorf("got %q, want %q", found, tc.want)
			}
		})
	}
}
