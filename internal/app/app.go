// Package app wires the packages into one process and owns its lifecycle: what
// starts in which order, who tells whom, and how all of it ends.
//
// It holds no logic of the pipeline itself. The service and the demo run
// through the same Run.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/panes"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// Options says what to run. Config and Logger are required.
type Options struct {
	Config config.Config
	// ConfigFile is read again by a reload; empty: reloading is refused.
	ConfigFile string
	Logger     *slog.Logger
	// Hangup triggers a reload; nil: only the API does.
	Hangup <-chan os.Signal
	// InMemory keeps the state in memory: it is lost with the process.
	InMemory bool
	// EachDimension keeps a breakdown by each dimension seen, singly.
	EachDimension bool
	// DryRun, unless nil, is where notifications are printed instead of being sent.
	DryRun   io.Writer
	Version  string
	Revision string
	// Now is the clock; nil: the machine's.
	Now func() time.Time
	// Started is called with the service once it listens; nil: nobody needs it.
	Started func(*Service)
}

// Service is a running pipeline, as far as those who started it need it.
type Service struct {
	Merged *aggregator.Merged
	// Addr is the address that the API listens on.
	Addr     string
	pipeline *pipeline
}

// CaughtUp reports whether every record that was on the topics at the call's
// start is in the numbers.
func (s *Service) CaughtUp(ctx context.Context) (bool, error) {
	status, err := s.pipeline.Status(ctx)
	return status.CaughtUp, err
}

// Hold keeps the service from calling itself caught up while more input is
// known to be on its way; the function returned lifts it.
func (s *Service) Hold() (release func()) { return s.pipeline.hold() }

// flushPatience is how long the end of a service waits for its last panes to be
// written.
const flushPatience = 3 * time.Second

// Run runs the service until ctx is cancelled, then commits and leaves within
// ten seconds.
func Run(ctx context.Context, o Options) (err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &o.Config
	merged := aggregator.NewMerged(aggregatorOptions(c, o.EachDimension))
	counters := telemetry.New()
	kafka, err := consumerOptions(c)
	if err != nil {
		return err
	}
	kafka.Logger = o.Logger
	checkpoints, closeCheckpoints, err := openCheckpoints(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCheckpoints()) }()
	var cores *cores
	var p *pipeline
	topic := panes.New(panes.Options{
		CaughtUp: func(source int32) bool { return cores.caughtUp(source) },
		Seen:     func(_ int32, firstMs, newestMs int64) { p.seen(firstMs, newestMs) },
		Kafka:    kafka, Topic: c.Topics.Panes.Name, Merged: merged, Levels: aggregatorOptions(c, o.EachDimension).Levels, Logger: o.Logger,
	})
	p = newPipeline(merged, topic, counters, o.Now)
	cores = newCores(&o, merged, topic, p, checkpoints)
	locked, err := cores.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	kafka.NewHandler = cores.handler
	kafka.Held, kafka.Hold = cores.held, cores.disk.hold
	in, err := consumer.New(kafka)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	p.consumer = in

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Web.Listen)
	if err != nil {
		return fmt.Errorf("web.listen %s: %w; choose a free address", c.Web.Listen, err)
	}
	settings := newSettings(&o)
	alerting, err := newAlerting(&o, kafka, merged, p, cores, settings)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, alerting.outbox.Close()) }()
	settings.changed = alerting.runner.Reconfigure
	server := api.New(api.Options{
		Merged: merged, Pipeline: p, Counters: counters, Logger: o.Logger,
		Experiments: settings.experiments, Alerts: alerting.runner.Alerts, Guardrails: settings.guardrails, Reload: settings.reload, Config: settings.masked,
		AttributionWindow: c.Join.AttributionWindow, Owned: p.owns,
		Version: o.Version, Revision: o.Revision, Instance: instance(listener.Addr()),
	})

	g, ctx := errgroup.WithContext(ctx)
	// The topic outlives the consumer, whose last commits it still has to write.
	topicCtx, stopTopic := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTopic()
	g.Go(func() error { return topic.Run(topicCtx) })
	g.Go(func() error { return alerting.log.Run(topicCtx) })
	// What is delivered last is noted in the states that are given away.
	judging, stopJudging := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJudging()
	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	judged := make(chan struct{}) // all states of alerts are on their way to the topic
	g.Go(func() error {
		defer close(judged)
		return alerting.runner.Run(judging)
	})
	g.Go(func() error {
		defer stopJudging()
		return alerting.deliver(sending)
	})
	g.Go(func() error {
		defer stopTopic()
		err := in.Run(ctx)
		stopSending()
		<-judged
		flushCtx, cancel := context.WithTimeout(topicCtx, flushPatience)
		defer cancel()
		// What is not written is stored, and written by whoever opens the state next.
		_ = topic.Flush(flushCtx)
		return err
	})
	g.Go(func() error { return server.ServeListener(ctx, listener, c.Web.ConfigFile) })
	g.Go(func() error { return settings.watch(ctx) })
	o.Logger.Info("listening", "url", "http://"+listener.Addr().String())
	if o.Started != nil {
		o.Started(&Service{Merged: merged, Addr: listener.Addr().String(), pipeline: p})
	}
	return g.Wait()
}

func instance(addr net.Addr) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return host
	}
	return net.JoinHostPort(host, port)
}

func aggregatorOptions(c *config.Config, eachDimension bool) aggregator.Options {
	levels := aggregator.DefaultLevels()
	levels.Fine = c.Aggregation.Pane
	levels.Retention = c.Aggregation.Retention
	return aggregator.Options{
		Levels:            levels,
		Windows:           c.Aggregation.Windows,
		Slices:            c.Aggregation.Slices,
		EachDimension:     eachDimension,
		MaxSeries:         c.Aggregation.MaxSeries,
		AttributionWindow: c.Join.AttributionWindow,
	}
}

func consumerOptions(c *config.Config) (consumer.Options, error) {
	o := consumer.DefaultOptions()
	o.Brokers = c.Kafka.Brokers
	o.Group = c.Kafka.Group
	for s := range event.NumStreams {
		o.Topics[s] = c.Topics.Input(s).Name
	}
	o.DeadLetterTopic = c.Topics.DeadLetters.Name
	o.CommitInterval = c.Aggregation.CommitInterval
	var err error
	if t := c.Kafka.TLS; t.Enabled {
		o.TLS, err = consumer.TLSConfig(consumer.TLSOptions{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile})
		if err != nil {
			return o, err
		}
	}
	s := c.Kafka.SASL
	o.SASL, err = consumer.SASLMechanism(consumer.SASLOptions{Mechanism: s.Mechanism, Username: s.Username, PasswordFile: s.PasswordFile})
	return o, err
}
