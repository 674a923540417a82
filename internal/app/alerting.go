package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/deliver"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/alertlog"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/watch"
)

// errNotHere means that the home partition of an experiment is not open here.
var errNotHere = errors.New("its partition is not open here")

// alerting runs the engines of the experiments that this instance owns, and
// what tells of their alerts.
type alerting struct {
	log    *alertlog.Log
	runner *watch.Runner
	outbox outbox
	health health
}

// outbox is where notifications go. A deliver.Outbox is one.
type outbox interface {
	watch.Outbox
	Run(ctx context.Context) error
	Close() error
}

func newAlerting(o *Options, kafka consumer.Options, merged *aggregator.Merged, p *pipeline, c *cores, s *settings) (*alerting, error) {
	cfg := &o.Config
	a := &alerting{health: health{pipeline: p, merged: merged, lag: p.lagging}}
	a.log = alertlog.New(alertlog.Options{Kafka: kafka, Topic: cfg.Topics.Alerts.Name, Logger: o.Logger})
	store := watch.Store(watch.NewMemory())
	if !o.InMemory {
		disk, err := watch.OpenDisk(filepath.Join(cfg.State.Dir, "alerts"))
		if err != nil {
			return nil, fmt.Errorf("state.dir: %w", err)
		}
		store = disk
	}
	var err error
	if a.outbox, err = newOutbox(o, func(experiment string) bool { return a.runner.Owns(experiment) }, func(n alerts.Notification) {
		if err := a.runner.Delivered(n); err != nil {
			o.Logger.Error("a delivery is not noted, so that it may be repeated", "error", err)
		}
	}); err != nil {
		return nil, err
	}
	a.runner = watch.NewRunner(watch.RunnerOptions{
		Experiments: func() []string {
			return append([]string{""}, s.reported(merged.Experiments())...) // "": the service itself
		},
		Owned: p.owns, Claim: c.claimExperiment, Ready: p.Ready,
		Engine:    s.engine,
		NewEngine: func(o alerts.Options) watch.Engine { return alerts.NewEngine(o) },
		Windows:   watch.Panes{Merged: merged, Pane: cfg.Aggregation.Pane},
		Health:    a.health.of,
		Log:       a.log, Store: store, Outbox: a.outbox, Now: o.Now, Logger: o.Logger,
	})
	return a, nil
}

// reported are the names of those experiments that the configuration in force
// reports: those that it names or, if it names none, all.
func (s *settings) reported(all []aggregator.Experiment) []string {
	listed := s.current.Load().Experiments
	var names []string
	for _, e := range all {
		if len(listed) == 0 || slices.ContainsFunc(listed, func(l config.Experiment) bool { return l.Name == e.Name }) {
			names = append(names, e.Name)
		}
	}
	return names
}

// deliver runs the outbox once it is known what this instance owns: before, it
// would leave to others what waits in it.
func (a *alerting) deliver(ctx context.Context) error {
	select {
	case <-a.runner.Opened():
		return a.outbox.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

// engine is how an experiment is judged, by the configuration in force.
func (s *settings) engine(experiment string) alerts.Options {
	c := s.current.Load()
	o := alerts.Options{
		Experiment: experiment, Control: settledControl(c)(experiment),
		Rules: c.Alerts.Effective(), Budget: alerts.Budget{PerMonth: c.Alerts.FalseAlarmsPerMonth},
	}
	for _, e := range c.Experiments {
		if e.Name == experiment {
			o.Owner, o.Baseline = e.Owner, e.Profile.Coverage
		}
	}
	return o
}

// claimExperiment asks the group whether the partition that an experiment is at
// home in is still ours, and returns the epoch of that ownership.
func (c *cores) claimExperiment(ctx context.Context, experiment string, seen uint64) (uint64, error) {
	home := aggregator.Home(experiment, max(1, c.pipeline.partitions()))
	c.mu.Lock()
	o := c.open[home]
	c.mu.Unlock()
	if o == nil {
		return 0, fmt.Errorf("experiment %q: partition %d: %w", experiment, home, errNotHere)
	}
	none := [event.NumStreams]int64{-1, -1, -1}
	if err := o.current(ctx, none); err != nil {
		return 0, fmt.Errorf("experiment %q: %w", experiment, err)
	}
	return claim(seen, o.generation, func() error { return nil })
}

// newOutbox is the queue to the configured receivers. The demo has none, and a
// dry run prints what it would send.
func newOutbox(o *Options, owned func(string) bool, delivered func(alerts.Notification)) (outbox, error) {
	options, err := deliverOptions(&o.Config)
	if err != nil {
		return nil, err
	}
	options.Logger, options.Now, options.Owned, options.Delivered = o.Logger, o.Now, owned, delivered
	if o.DryRun != nil || o.InMemory {
		return &preview{options: options, to: o.DryRun, waiting: make(chan alerts.Notification, previewWaiting)}, nil
	}
	options.Dir = filepath.Join(o.Config.State.Dir, "outbox")
	opened, err := deliver.Open(options)
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w: %w", err, durable.ErrFull)
	}
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// preview prints what would be sent, or nothing, and takes it for delivered.
type preview struct {
	options deliver.Options
	to      io.Writer
	waiting chan alerts.Notification
}

// previewWaiting is how many notifications a preview holds while it prints.
const previewWaiting = 1024

var errPreviewFull = errors.New("too many notifications wait to be printed")

func (p *preview) Add(ns ...alerts.Notification) error {
	for _, n := range ns {
		select {
		case p.waiting <- n:
		default:
			return errPreviewFull
		}
	}
	return nil
}

// Adopt implements watch.Outbox: nobody is reminded of anything.
func (p *preview) Adopt(...alerts.Notification) error { return nil }

func (p *preview) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-p.waiting:
			if err := p.print(n); err != nil {
				p.options.Logger.Error("a notification cannot be printed", "error", err)
			}
			p.options.Delivered(n)
		}
	}
}

func (p *preview) print(n alerts.Notification) error {
	if p.to == nil {
		return nil
	}
	previews, err := deliver.DryRun(p.options, n)
	for _, v := range previews {
		if _, err := fmt.Fprintf(p.to, "%s: %s %s\n%s\n", v.Receiver, v.Method, v.URL, v.Body); err != nil {
			return err
		}
	}
	return err
}

func (p *preview) Close() error { return nil }
