package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/rampgauge/rampgauge/internal/config"
)

// Exit codes of all commands.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2 // a wrong flag or configuration
)

// commandLine is every command, in the order of the help.
type commandLine struct {
	Demo        demoCommand        `cmd:"" help:"Show the whole pipeline with nothing to install: a simulated ramp, or event files."`
	Run         runCommand         `cmd:"" help:"Run the service."`
	Produce     produceCommand     `cmd:"" help:"Put event files on the topics."`
	Gate        gateCommand        `cmd:"" help:"Ask a running server whether a ramp may go on."`
	Test        testCommand        `cmd:"" help:"Rehearse alert rules on stories of what happens to an experiment."`
	Dashboards  dashboardsCommand  `cmd:"" help:"Write alert rules for Prometheus."`
	CheckConfig checkConfigCommand `cmd:"" help:"Check a configuration file and report every problem."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running server whether it is healthy and ready."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Docs        docsCommand        `cmd:"" hidden:"" help:"Print this reference as Markdown."`
}

// system is what a command gets from the operating system: results go to
// stdout, all else to stderr.
type system struct {
	stdout, stderr io.Writer
	hangups        func() <-chan os.Signal
}

// terminal says whether somebody is watching stderr.
func (s system) terminal() bool {
	f, ok := s.stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// logger writes to stderr as configured.
func (s system) logger(c config.Log) *slog.Logger {
	o := &slog.HandlerOptions{}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		panic(fmt.Sprintf("BUG: log.level %q passed the check of the configuration", c.Level))
	}
	o.Level = level
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(s.stderr, o))
	}
	return slog.New(slog.NewTextHandler(s.stderr, o))
}

// usageError is an error of whoever typed the command: it ends with exitUsage.
type usageError struct{ error }

// Unwrap returns the error itself.
func (e usageError) Unwrap() error { return e.error }

// execute runs one command line and returns its exit code. It may be called
// several times in one process, and at the same time.
func execute(ctx context.Context, args []string, s system) int {
	helped := false
	parser, err := kong.New(&commandLine{},
		kong.Name("rampgauge"),
		kong.Description("Why does a better model not win online? Watches ramped experiments on their live streams."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(s.stdout, s.stderr),
		kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		panic(fmt.Sprintf("BUG: command line: %v", err))
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(s.stderr, "rampgauge: %v\n", err)
		return exitUsage
	}
	return exitCode(parsed.Run(), s)
}

// exitCode prints err, if any, and classifies it.
func exitCode(err error, s system) int {
	if err == nil {
		return exitOK
	}
	var coded codedError
	if errors.As(err, &coded) && coded.err == nil {
		return coded.code
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintf(s.stderr, "rampgauge: %s\n", p)
		}
		return exitUsage
	}
	// Joined errors stay on one line.
	fmt.Fprintf(s.stderr, "rampgauge: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	if coded.code != 0 {
		return coded.code
	}
	return exitError
}

// loadConfig reads the file of a command that runs with it: whatever is wrong
// with it is an error of whoever started the command.
func loadConfig(path string) (config.Config, error) {
	c, err := config.Load(path)
	if err != nil {
		return config.Config{}, usageError{err}
	}
	return c, nil
}
