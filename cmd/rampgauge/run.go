package main

import (
	"context"

	"github.com/prometheus/common/version"

	"github.com/rampgauge/rampgauge/internal/app"
)

// runCommand is the service.
type runCommand struct {
	ConfigFile string `name:"config.file" required:"" placeholder:"FILE" help:"The configuration file."`
}

// Help is shown by run --help.
func (runCommand) Help() string {
	return "SIGTERM commits and leaves within ten seconds. SIGHUP, like POST /-/reload, reads the experiments and the alert rules again."
}

// Run serves until ctx ends.
func (c runCommand) Run(ctx context.Context, s system) error {
	loaded, err := loadConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	return app.Run(ctx, app.Options{
		Config: loaded, ConfigFile: c.ConfigFile, Logger: s.logger(loaded.Log), Hangup: s.hangups(),
		Version: buildVersion(), Revision: version.GetRevision(),
	})
}
