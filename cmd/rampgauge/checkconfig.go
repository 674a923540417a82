package main

import (
	"errors"
	"fmt"

	"github.com/rampgauge/rampgauge/internal/config"
)

// checkConfigCommand reports what is wrong with a configuration file.
type checkConfigCommand struct {
	Effective bool   `help:"Also print the configuration with its defaults and overrides, secrets masked."`
	File      string `arg:"" help:"The configuration file."`
}

// Help is shown by check-config --help.
func (checkConfigCommand) Help() string {
	return "Prints one line a problem, with line, column, key and what is allowed, and exits 2 if there is any."
}

// Run prints the problems as the result, and one line to stderr that sums them up.
func (c checkConfigCommand) Run(s system) error {
	loaded, err := config.Load(c.File)
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(s.stdout, p)
		}
		more := ""
		if n := len(problems) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		return usageError{fmt.Errorf("%s%s", problems[0], more)}
	}
	if err != nil {
		return usageError{err}
	}
	if c.Effective {
		text, err := loaded.Masked()
		if err != nil {
			return err
		}
		fmt.Fprint(s.stdout, text)
		return nil
	}
	fmt.Fprintf(s.stdout, "%s: ok\n", c.File)
	return nil
}
