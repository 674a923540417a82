package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Profile is what is known of an experiment offline: a JSON file of the form
//
//	{"experiment": "l1-cvr-v2", "coverage": {"offsite_visits": 0.97}}
//
// It may hold more, which is not read.
type Profile struct {
	// Experiment is whose profile it is.
	Experiment string
	// Coverage is the share of candidates that have each feature family, 0 to 1.
	Coverage map[string]float64
}

// ParseProfile reads a profile. The error, if any, is Problems.
func ParseProfile(data []byte) (Profile, error) {
	var raw struct {
		Experiment *string             `json:"experiment"`
		Coverage   map[string]*float64 `json:"coverage"`
	}
	at := func(offset int64) Problem {
		before := data[:min(max(int(offset), 0), len(data))]
		line := bytes.LastIndexByte(before, '\n')
		return Problem{Line: bytes.Count(before, []byte{'\n'}) + 1, Column: max(len(before)-line-1, 1)}
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		p := at(0)
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			p = at(syntax.Offset)
			p.Message = "not JSON: " + syntax.Error()
		case errors.As(err, &kind):
			p = at(kind.Offset)
			p.Path, p.Message = kind.Field, "got a "+kind.Value+`; want {"experiment": "name", "coverage": {"family": share}}`
		default:
			p.Message = err.Error()
		}
		return Profile{}, Problems{p}
	}
	var problems Problems
	report := func(path, format string, args ...any) {
		problems = append(problems, Problem{Line: 1, Column: 1, Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if raw.Experiment == nil {
		report("experiment", "is missing; name the experiment as the records do")
	}
	if raw.Coverage == nil {
		report("coverage", "is missing; give the share of candidates that have each feature family")
	}
	p := Profile{Coverage: make(map[string]float64, len(raw.Coverage))}
	for _, family := range sortedKeys(raw.Coverage) {
		share := raw.Coverage[family]
		if share == nil {
			report("coverage."+family, "has no value; want a share, 0 to 1")
			continue
		}
		if !(0 <= *share && *share <= 1) {
			report("coverage."+family, "%g is out of range; want a share, 0 to 1", *share)
		}
		p.Coverage[family] = *share
	}
	if len(problems) > 0 {
		return Profile{}, problems
	}
	p.Experiment = *raw.Experiment
	return p, nil
}

// profiles reads the offline profiles of experiments into them.
func (d *decoder) profiles(dir string, list []Experiment) (problems Problems) {
	for i := range list {
		e := &list[i]
		path := fmt.Sprintf("experiments[%d].baseline", i)
		if e.Baseline == "" || !d.good(path) {
			continue
		}
		file := relativeTo(dir, e.Baseline)
		data, err := os.ReadFile(file)
		if err != nil {
			d.require(false, path, "%q: %s", e.Baseline, fileProblem(err))
			continue
		}
		p, err := ParseProfile(data)
		var wrong Problems
		if errors.As(err, &wrong) {
			for _, w := range slices.Clone(wrong) {
				w.File = file
				problems = append(problems, w)
			}
			continue
		}
		d.require(p.Experiment == e.Name, path, "%q is the profile of experiment %q", e.Baseline, p.Experiment)
		e.Profile = p
	}
	return problems
}
