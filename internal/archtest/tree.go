package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// textFile is a file of the tree that is not binary.
type textFile struct {
	path    string // from the root, with slashes
	content []byte
}

// goFile is what the rules need to know of a Go file.
type goFile struct {
	path, dir   string
	packageName string
	test        bool
	generated   bool
	comment     bool // has a package comment
	inits       int
	lines       int
	imports     []string
}

// readTree reads every text file below root, but for those of skippedDirs.
func readTree(root string) ([]textFile, error) {
	var files []textFile
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skippedDirs, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if bytes.IndexByte(content[:min(len(content), 8<<10)], 0) >= 0 {
			return nil
		}
		relative, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		files = append(files, textFile{filepath.ToSlash(relative), content})
		return nil
	})
	return files, err
}

// parseGo parses the Go files among files, whatever their build tags.
func parseGo(files []textFile) ([]goFile, error) {
	var parsed []goFile
	for _, f := range files {
		if !strings.HasSuffix(f.path, ".go") || strings.Contains(f.path, "testdata/") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f.path, f.content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		g := goFile{
			path: f.path, dir: path.Dir(f.path),
			packageName: tree.Name.Name,
			test:        strings.HasSuffix(f.path, "_test.go"),
			generated:   ast.IsGenerated(tree),
			comment:     tree.Doc != nil,
			lines:       bytes.Count(f.content, []byte("\n")),
		}
		for _, i := range tree.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return nil, err
			}
			g.imports = append(g.imports, name)
		}
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				g.inits++
			}
		}
		parsed = append(parsed, g)
	}
	return parsed, nil
}
