package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/eventfile"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// DemoOptions says what the demo shows.
type DemoOptions struct {
	Listen  string // of the web page, host:port
	DataDir string // event files to replay; empty: a simulated ramp
	Exit    bool   // end after the last event
	// Pace is the wall time that the simulated ramp takes; 0: as fast as it can.
	Pace     time.Duration
	Out      io.Writer // the address, progress and the verdict
	Logger   *slog.Logger
	Version  string
	Revision string
}

// demoPartitions is few, so that the demo is light, and more than one, so that
// it shows the merge.
const demoPartitions = 4

// progressEvery is how often the demo prints how far it is.
const progressEvery = 5 * time.Second

// Demo runs the whole pipeline in this process, over an embedded broker: it
// replays files or a simulated ramp, and prints the verdict. Without Exit it
// goes on serving the page until ctx is cancelled.
func Demo(ctx context.Context, o DemoOptions) error {
	cfg := config.Default()
	cfg.Web.Listen = o.Listen
	if o.DataDir == "" {
		// No simulated conversion comes later, so that labels ripen on screen.
		cfg.Join.AttributionWindow = simulate.DefaultOptions().LongestDelay
	}
	var topics []string
	for s := range event.NumStreams {
		topics = append(topics, cfg.Topics.Input(s).Name)
	}
	broker, err := kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{
		Topics:     append(topics, cfg.Topics.DeadLetters.Name),
		Partitions: demoPartitions,
	})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer broker.Stop()
	cfg.Kafka.Brokers = broker.Brokers()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := make(chan *Service, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{
			Config: cfg, Logger: o.Logger, EachDimension: true, InMemory: true,
			Version: o.Version, Revision: o.Revision,
			// The service is held before anybody can ask whether it has caught
			// up with topics that are still empty.
			Started: func(s *Service) { s.Hold(); started <- s },
		})
	}()
	select {
	case err := <-ended:
		return err
	case s := <-started:
		err := o.show(ctx, s, &cfg)
		if err != nil || o.Exit {
			cancel()
			return errors.Join(ignoreCancel(err), <-ended)
		}
		return <-ended
	}
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// show plays the events and prints the verdict.
func (o *DemoOptions) show(ctx context.Context, s *Service, cfg *config.Config) error {
	fmt.Fprintf(o.Out, "rampgauge demo: http://%s\n", s.Addr)
	stop := o.progress(s)
	err := o.play(ctx, cfg)
	if err == nil {
		s.pipeline.holds.Store(0)
		err = waitCaughtUp(ctx, s)
	}
	stop()
	if err != nil {
		return err
	}
	for _, v := range verdicts(s.Merged, settledControl(cfg)) {
		fmt.Fprintln(o.Out, v)
	}
	return nil
}

func (o *DemoOptions) play(ctx context.Context, cfg *config.Config) error {
	if o.DataDir == "" {
		return o.playSimulation(ctx, cfg)
	}
	counts, err := eventfile.Produce(ctx, eventfile.ProduceOptions{
		Dir: o.DataDir, Kafka: cfg.Kafka, Topics: cfg.Topics, Partitions: demoPartitions, Logger: o.Logger,
		KeptForever: true,
	})
	if err != nil {
		return fmt.Errorf("demo --data %s: %w", o.DataDir, err)
	}
	fmt.Fprintf(o.Out, "replayed %d predictions, %d impressions, %d conversions from %s\n",
		counts.Records[event.Predictions], counts.Records[event.Impressions], counts.Records[event.Conversions], o.DataDir)
	return nil
}

// playSimulation produces a simulated ramp that ends about now, paced so that
// the page has something to show while it runs.
func (o *DemoOptions) playSimulation(ctx context.Context, cfg *config.Config) error {
	opts := simulate.DefaultOptions()
	var span time.Duration
	for _, s := range opts.Steps {
		span += s.Duration
	}
	opts.Start = time.Now().Add(-span - opts.LongestDelay).Truncate(time.Minute)
	generator := simulate.New(opts)
	fmt.Fprintf(o.Out, "simulating %s of a ramp in about %s: %s\n", span, o.Pace, opts.Scenario.Title)
	for _, step := range opts.Steps {
		fmt.Fprintf(o.Out, "  treatment at %g %% for %s\n", step.TreatmentPercent, step.Duration)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Kafka.Brokers...), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer client.Close()
	pace := pacer{start: time.Now(), first: opts.Start, speed: float64(span) / float64(max(o.Pace, time.Nanosecond))}
	var failed error
	generator.Run(func(e simulate.Event) bool {
		if o.Pace > 0 {
			failed = pace.wait(ctx, e.EventTimeMs)
		}
		var value []byte
		if failed == nil {
			value, failed = proto.Marshal(e.Message)
		}
		if failed != nil || ctx.Err() != nil {
			return false
		}
		client.Produce(ctx, &kgo.Record{
			Topic: cfg.Topics.Input(e.Stream).Name, Key: []byte(e.AuctionID), Value: value,
			Timestamp: time.UnixMilli(e.EventTimeMs),
		}, nil)
		return true
	})
	return errors.Join(failed, ctx.Err(), client.Flush(ctx))
}

// pacer maps event time to wall time.
type pacer struct {
	start time.Time // wall time of first
	first time.Time
	speed float64 // event time per wall time
}

func (p *pacer) wait(ctx context.Context, eventMs int64) error {
	due := p.start.Add(time.Duration(float64(time.UnixMilli(eventMs).Sub(p.first)) / p.speed))
	ahead := time.Until(due)
	// A sleep for each of thousands of events a second would cost more than
	// the events.
	if ahead < 5*time.Millisecond {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(ahead):
		return nil
	}
}

// progress prints how far the demo is until the function returned is called.
func (o *DemoOptions) progress(s *Service) (stop func()) {
	done := make(chan struct{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				for _, line := range progressLines(s.Merged) {
					fmt.Fprintln(o.Out, line)
				}
			}
		}
	}()
	return func() { close(done); <-gone }
}

// waitCaughtUp waits until all that is on the topics is in the numbers.
func waitCaughtUp(ctx context.Context, s *Service) error {
	for {
		ok, err := s.CaughtUp(ctx)
		if ok && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
