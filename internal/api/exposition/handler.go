package exposition

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// Options says where the metrics come from. All fields but
// Revision and Alerts are required.
type Options struct {
	// Windows returns the sums of every cell in every window.
	Windows func() []aggregator.WindowSums
	// NewestMs is the newest event time in the numbers, Unix ms; 0 before the first.
	NewestMs func() int64
	// SeriesDropped is how many series the budget has cut.
	SeriesDropped func() int64
	// Status is asked with a short deadline; on an error its counts still hold.
	Status func(context.Context) (telemetry.Status, error)
	Lag    func() []telemetry.PartitionLag
	// Alerts returns the alerts to expose, in every phase; nil: none.
	Alerts func() []alerts.Alert

	Counters          *telemetry.Counters
	Version, Revision string
	Logger            *slog.Logger
}

// Exposition is one registry with all metrics of one service.
type Exposition struct {
	registry *prometheus.Registry
	logger   *slog.Logger
}

// New returns an Exposition with a registry of its own, so that one process can
// hold two services.
func New(o Options) *Exposition {
	if o.Alerts == nil {
		o.Alerts = func() []alerts.Alert { return nil }
	}
	r := prometheus.NewRegistry()
	r.MustRegister(
		newExperiments(o.Windows),
		newAlertStates(o.Alerts),
		newService(o),
		newBridge(o.Counters),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return &Exposition{r, o.Logger}
}

// Gatherer returns the registry for reading.
func (e *Exposition) Gatherer() prometheus.Gatherer { return e.registry }

// Handler serves the metrics in the format that the client negotiates. A metric
// that cannot be collected is logged and left out; the rest is served.
func (e *Exposition) Handler() http.Handler {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{
		ErrorLog:          slog.NewLogLogger(e.logger.Handler(), slog.LevelWarn),
		ErrorHandling:     promhttp.ContinueOnError,
		Registry:          e.registry,
		EnableOpenMetrics: true,
		CoalesceGather:    true,
	})
}
