package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/diagnosis"
	"github.com/rampgauge/rampgauge/internal/api/exposition"
	"github.com/rampgauge/rampgauge/internal/api/page"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// DefaultListen is the address served where none is given: this machine only.
const DefaultListen = "127.0.0.1:8080"

// DefaultControl is the name of the control arm where none is configured.
const DefaultControl = "control"

// Timeouts of the server. Answers come from memory, so whoever needs longer is
// not reading; the drain stays well inside the 10 s in which the service leaves.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 3 * time.Second
	maxHeaderBytes    = 64 << 10
)

// Pipeline is what the API asks of the running pipeline.
type Pipeline interface {
	// Status says how far the numbers are. Where it returns an error, lag and
	// CaughtUp are unknown and the rest of the Status still holds.
	Status(ctx context.Context) (telemetry.Status, error)
	// Ready reports whether partitions are assigned and their state restored.
	Ready() bool
	// Lag is the lag of each partition as last seen; it does not block.
	Lag() []telemetry.PartitionLag
}

// Experiment is a configured experiment.
type Experiment struct {
	Name    string
	Control string // name of the control arm; empty: DefaultControl
}

// Options configures a Server. Merged, Pipeline, Counters and Logger are required.
type Options struct {
	Merged   *aggregator.Merged
	Pipeline Pipeline
	Counters *telemetry.Counters
	Logger   *slog.Logger
	// Experiments returns those to report, as last loaded. Where it is nil or
	// returns none, every experiment seen is reported.
	Experiments func() []Experiment
	// Owned reports whether this instance exposes an experiment's gauges. All
	// instances answer for it, but a gauge in two of them would count twice; nil:
	// all are.
	Owned func(experiment string) bool
	// Reload loads the configuration again; nil: reloading is answered by 501.
	Reload func() error
	// Config returns the configuration in force as YAML with secrets masked;
	// nil: there is no such endpoint.
	Config func() ([]byte, error)
	// Alerts returns the alerts of every experiment and of the service, in every
	// phase: the gate asks for a sample ratio that was judged and is silent. nil:
	// there are none.
	Alerts func() []alerts.Alert
	// Guardrails returns what the gate of an experiment asks for; nil: the defaults.
	Guardrails func(experiment string) diagnosis.Guardrails
	// Now is the clock that the age of data is told by; nil: time.Now.
	Now func() time.Time
	// AttributionWindow is how long after its impression a conversion counts.
	AttributionWindow time.Duration
	Version           string
	Revision          string // of the sources, may be empty
	Instance          string
}

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	opts    Options
	pages   *page.Renderer
	handler http.Handler
}

// New returns a Server that does not listen yet.
func New(o Options) *Server {
	if o.Experiments == nil {
		o.Experiments = func() []Experiment { return nil }
	}
	if o.Owned == nil {
		o.Owned = func(string) bool { return true }
	}
	if o.Alerts == nil {
		o.Alerts = func() []alerts.Alert { return nil }
	}
	if o.Guardrails == nil {
		o.Guardrails = func(string) diagnosis.Guardrails { return diagnosis.DefaultGuardrails() }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{opts: o, pages: page.New(o.Version)}
	metrics := exposition.New(exposition.Options{
		Windows:       s.windows,
		NewestMs:      o.Merged.NewestMs,
		SeriesDropped: o.Merged.SeriesDropped,
		Status:        o.Pipeline.Status,
		Lag:           o.Pipeline.Lag,
		Alerts:        s.ownAlerts,
		Counters:      o.Counters,
		Version:       o.Version,
		Revision:      o.Revision,
		Logger:        o.Logger,
	})
	s.handler = s.routes(metrics.Handler())
	return s
}

// Handler returns the handler of all routes.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve listens on an address (empty: DefaultListen) and serves until ctx is
// cancelled; see ServeListener.
func (s *Server) Serve(ctx context.Context, listen, webConfigFile string) error {
	if listen == "" {
		listen = DefaultListen
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("web.listen %s: %w", listen, err)
	}
	return s.ServeListener(ctx, l, webConfigFile)
}

// ServeListener serves on l until ctx is cancelled, then lets requests finish
// for a few seconds and returns nil. It closes l. webConfigFile names an
// exporter-toolkit file with TLS and basic auth; empty: plain HTTP.
func (s *Server) ServeListener(ctx context.Context, l net.Listener, webConfigFile string) error {
	// Serve would find a wrong file too, but does not close the listener then.
	if err := web.Validate(webConfigFile); err != nil {
		return errors.Join(fmt.Errorf("web.config_file %s: %w", webConfigFile, err), l.Close())
	}
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn),
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		err := server.Shutdown(bound)
		if errors.Is(err, context.DeadlineExceeded) {
			s.opts.Logger.Warn("cut requests that were still running", "after", drainTimeout)
			err = server.Close()
		}
		drained <- err
	})
	err := web.Serve(l, server, &web.FlagConfig{WebConfigFile: &webConfigFile}, s.opts.Logger)
	if stop() {
		// The server gave up by itself: nothing else will close it.
		return errors.Join(fmt.Errorf("web.listen %s: %w", l.Addr(), err), server.Close())
	}
	if err := <-drained; err != nil {
		return fmt.Errorf("web.listen %s: shut down: %w", l.Addr(), err)
	}
	return nil
}
