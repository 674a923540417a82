package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/prometheus/common/version"

	"github.com/rampgauge/rampgauge/internal/app"
	"github.com/rampgauge/rampgauge/internal/config"
)

// demoCommand is the service over an embedded broker with events to watch.
type demoCommand struct {
	Listen string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address of the web page; port 0 takes a free one (default ${default})."`
	Data   string        `placeholder:"DIR" help:"Replay the event files in DIR instead of the simulated ramp."`
	Exit   bool          `help:"End after the last event instead of serving on."`
	Pace   time.Duration `default:"1m" placeholder:"DURATION" help:"How long the simulated ramp takes (default ${default})."`
	Level  string        `name:"log.level" default:"warn" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Lowest level of the log: debug, info, warn or error (default ${default})."`
}

// Help is shown by demo --help.
func (demoCommand) Help() string {
	return "Prints the address of the web page, then progress, then the verdict: the cause that was found, with the evidence."
}

// Validate refuses addresses that cannot be listened on.
func (c demoCommand) Validate() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("--listen: %q: want host:port", c.Listen)
	}
	if c.Pace < 0 {
		return fmt.Errorf("--pace: %v: want 0 or more", c.Pace)
	}
	return nil
}

// Run shows the demo until ctx ends, or with Exit until the verdict.
func (c demoCommand) Run(ctx context.Context, s system) error {
	return app.Demo(ctx, app.DemoOptions{
		Listen: c.Listen, DataDir: c.Data, Exit: c.Exit, Pace: c.Pace, Out: s.stdout,
		Logger:  s.logger(config.Log{Level: c.Level, Format: "text"}),
		Version: buildVersion(), Revision: version.GetRevision(),
	})
}
