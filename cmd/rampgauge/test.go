package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rampgauge/rampgauge/alerts/rehearse"
	"github.com/rampgauge/rampgauge/internal/config"
)

// testCommand rehearses alert rules.
type testCommand struct {
	Output  string   `default:"text" enum:"text,json" placeholder:"FORMAT" help:"text or json (default ${default})."`
	Verbose bool     `short:"v" help:"Also print what somebody would have been told, and when."`
	Files   []string `arg:"" name:"file" help:"Files with stories; see docs/rehearsal.md."`
}

// Help is shown by test --help.
func (testCommand) Help() string {
	return "Steps the alerts through stories of what happens to an experiment, and compares them with what is expected. Prints a line a test; " +
		"exits 1 if one fails, and 2 with every problem if a file is wrong."
}

// testReport is one test as JSON.
type testReport struct {
	File string `json:"file"`
	rehearse.Result
}

// Run runs the tests of all files, once all of them have been found good.
func (c testCommand) Run(s system) error {
	tests := make([][]rehearse.Test, len(c.Files))
	var problems config.Problems
	for i, file := range c.Files {
		var err error
		var wrong config.Problems
		tests[i], err = config.LoadScenarios(file)
		if errors.As(err, &wrong) {
			problems = append(problems, wrong...)
		} else if err != nil {
			return usageError{err}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	reports := []testReport{}
	failed := 0
	for i, file := range c.Files {
		for _, t := range tests[i] {
			r := rehearse.Run(t)
			if !r.OK {
				failed++
			}
			reports = append(reports, testReport{file, r})
			if c.Output == "text" {
				if err := r.Write(s.stdout, file, c.Verbose); err != nil {
					return err
				}
			}
		}
	}
	if c.Output == "json" {
		e := json.NewEncoder(s.stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"ok": failed == 0, "tests": reports}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("test: %d of %d tests failed", failed, len(reports))
	}
	return nil
}
