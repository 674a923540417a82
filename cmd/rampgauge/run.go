package main

import (
	"context"
	"io"
	"os"
	"runtime/debug"

	"github.com/prometheus/common/version"

	"github.com/rampgauge/rampgauge/internal/app"
)

// runCommand is the service.
type runCommand struct {
	ConfigFile string `name:"config.file" required:"" placeholder:"FILE" help:"The configuration file."`
	DryRun     bool   `name:"alerts.dry-run" help:"Print what would be sent to receivers of alerts on standard output, secrets masked, and send nothing."`
}

// Help is shown by run --help.
func (runCommand) Help() string {
	return "SIGTERM commits and leaves within ten seconds. SIGHUP, like POST /-/reload, reads the experiments and the alert rules again."
}

// gcPercent lets garbage grow to half of what lives before it is collected, not
// to as much: most of what lives has no pointers, so that a collection is cheap
// and memory is what one pays for.
const gcPercent = 50

// Run serves until ctx ends.
func (c runCommand) Run(ctx context.Context, s system) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	loaded, err := loadConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	var dryRun io.Writer
	if c.DryRun {
		dryRun = s.stdout
	}
	return app.Run(ctx, app.Options{
		DryRun: dryRun,
		Config: loaded, ConfigFile: c.ConfigFile, Logger: s.logger(loaded.Log), Hangup: s.hangups(),
		Version: buildVersion(), Revision: version.GetRevision(),
	})
}
