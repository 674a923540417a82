package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// ruleFile is a file that alerts.rule_files names.
type ruleFile struct {
	// Alert rules, as in alerts.rules.
	Rules []Rule `yaml:"rules"`
}

// Load reads the file at path under the process's environment, and the rule
// files and offline profiles that it names. A file that cannot be read is one
// error; what is wrong in any of them is Problems, every one of them, each with
// its file. On an error nothing of the configuration is to be used.
func Load(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	c := Default()
	d := newDecoder(os.Environ())
	d.config(data, &c)
	var others Problems
	if !d.bad[""] {
		dir := filepath.Dir(path)
		var files []string
		if d.good("alerts", "alerts.rule_files") {
			files = d.matching(dir, "alerts.rule_files", c.Alerts.RuleFiles)
		}
		c.Alerts.FromFiles, others = d.ruleFiles(files, "alerts.rules", c.Alerts.Rules, c.Aggregation, d.aggregationGood())
		others = append(others, d.profiles(dir, c.Experiments)...)
	}
	problems := d.problems.sorted()
	for i := range problems {
		problems[i].File = path
	}
	if problems = append(problems, others...); len(problems) > 0 {
		return Config{}, problems
	}
	return c, nil
}

// matching are the files that patterns stand for, each once. A name without *
// and ? has to be there; a pattern may match none.
func (d *decoder) matching(dir, path string, patterns []string) []string {
	var files []string
	for i, pattern := range patterns {
		p := fmt.Sprintf("%s[%d]", path, i)
		if pattern == "" || !d.good(p) {
			continue
		}
		full := relativeTo(dir, pattern)
		found, err := filepath.Glob(full)
		d.require(err == nil, p, "%q is not a pattern", pattern)
		if len(found) == 0 {
			d.require(strings.ContainsAny(pattern, "*?["), p, "%q: no such file", pattern)
		}
		for _, f := range found {
			if !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	return files
}

func relativeTo(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// ruleFiles reads rule files, whose names may not repeat those of the inline
// rules at path or of each other.
func (d *decoder) ruleFiles(files []string, path string, inline []Rule, a Aggregation, against aggregationChecks) (rules []Rule, problems Problems) {
	names := ruleNames{}
	for i, r := range inline {
		if r.Name != "" {
			names[r.Name] = fmt.Sprintf("%s[%d]", path, i)
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, Problem{File: file, Line: 1, Column: 1, Message: fileProblem(err)})
			continue
		}
		var content ruleFile
		fd := &decoder{environ: d.environ, at: map[string]position{}, bad: map[string]bool{}, keys: appendKeys(nil, reflect.ValueOf(&content).Elem(), "", false)}
		fd.document(data, reflect.ValueOf(&content).Elem())
		if !fd.bad[""] {
			fd.rules(content.Rules, "rules", file+": ", names, a, against)
		}
		for _, p := range fd.problems.sorted() {
			p.File = file
			problems = append(problems, p)
		}
		rules = append(rules, content.Rules...)
	}
	return rules, problems
}

// fileProblem says why a file cannot be read, without its name.
func fileProblem(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
