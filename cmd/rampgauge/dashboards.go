package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/dashboards"
	"github.com/rampgauge/rampgauge/internal/config"
)

// dashboardsCommand writes what other programs need to watch rampgauge with.
type dashboardsCommand struct {
	Out        string          `required:"" type:"path" placeholder:"DIR" help:"Where to write: the files go to DIR/prometheus."`
	ConfigFile string          `name:"config.file" placeholder:"FILE" help:"The configuration that rampgauge runs with: rules, windows, slices and control arms are taken from it, and can be replaced by the flags below."`
	Control    string          `placeholder:"ARM" help:"Name of the control arm (default control)."`
	Slices     []string        `placeholder:"DIMENSION" help:"All dimensions of aggregation.slices, separated by commas: alerts are about totals, and leave them out."`
	Windows    []time.Duration `placeholder:"DURATION" help:"Those of aggregation.windows, separated by commas (default 5m,1h,24h)."`
	Job        string          `default:"rampgauge" placeholder:"NAME" help:"Job that Prometheus scrapes rampgauge under (default ${default})."`
	Server     string          `placeholder:"URL" help:"Where people find the pages of rampgauge (default http://127.0.0.1:8080)."`
}

// Help is shown by dashboards --help.
func (dashboardsCommand) Help() string {
	return "Writes rules for Prometheus with their tests for promtool. Load one of the two files: firing.yml passes on what rampgauge has found, " +
		"rules.yml judges its gauges by PromQL alone. Prints the paths of what was written."
}

// Run writes the files.
func (c dashboardsCommand) Run(s system) error {
	o := dashboards.DefaultOptions()
	if c.ConfigFile != "" {
		loaded, err := loadConfig(c.ConfigFile)
		if err != nil {
			return err
		}
		if o, err = c.configured(o, loaded); err != nil {
			return usageError{err}
		}
		if loaded.Alerts.Mode != config.AlertsOff {
			fmt.Fprintf(s.stderr, "rampgauge: alerts.mode: %s: whoever pages from Prometheus wants %q, else each breach pages twice\n", loaded.Alerts.Mode, config.AlertsOff)
		}
	}
	o.Job = c.Job
	if c.Control != "" {
		o.Control = c.Control
	}
	if len(c.Slices) > 0 {
		o.Slices = c.Slices
	}
	if len(c.Windows) > 0 {
		o.Windows = c.Windows
	}
	if c.Server != "" {
		o.Server = c.Server
	}
	files, err := dashboards.Files(o)
	if err != nil {
		return usageError{err}
	}
	for _, f := range files {
		path := filepath.Join(c.Out, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("dashboards: %w", err)
		}
		if err := os.WriteFile(path, f.Content, 0o644); err != nil {
			return fmt.Errorf("dashboards: %w", err)
		}
		fmt.Fprintln(s.stdout, path)
	}
	return nil
}

// configured takes from a configuration what rules have to know.
func (c dashboardsCommand) configured(o dashboards.Options, from config.Config) (dashboards.Options, error) {
	o.Rules, o.Windows = from.Alerts.Effective(), from.Aggregation.Windows
	o.Slices = slices.Compact(slices.Sorted(slices.Values(slices.Concat(from.Aggregation.Slices...))))
	if from.Alerts.PageURL != "" {
		o.Server = from.Alerts.PageURL
	}
	var controls []string
	for _, e := range from.Experiments {
		if !slices.Contains(controls, e.Control) {
			controls = append(controls, e.Control)
		}
	}
	switch {
	case len(controls) == 1:
		o.Control = controls[0]
	case len(controls) > 1 && c.Control == "":
		return o, fmt.Errorf("experiments: control arms are %s: want one name for all of them, or --control", strings.Join(controls, ", "))
	}
	return o, nil
}
