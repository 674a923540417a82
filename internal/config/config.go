// Package config owns the configuration file: its keys, their defaults, how it
// is read and what is refused. It is the only package that knows YAML; the
// others receive plain Go values.
//
// Files of alert rules and of scenarios to rehearse them by are YAML too, and
// are read here for the same reason.
//
// It opens no network connection and holds no secret: passwords stay in the
// files that the configuration names until a caller asks for them.
package config

import (
	"fmt"
	"reflect"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// Config is the whole file. The comments on its fields are the reference in
// docs/config.md.
type Config struct {
	// Where the records come from.
	Kafka Kafka `yaml:"kafka"`
	// Which topics hold which stream.
	Topics Topics `yaml:"topics"`
	// How predictions, impressions and conversions find each other.
	Join Join `yaml:"join"`
	// What is summed, how finely, and for how long it is kept.
	Aggregation Aggregation `yaml:"aggregation"`
	// The experiments to report. Empty: every experiment seen.
	Experiments []Experiment `yaml:"experiments"`
	// What outlives the process.
	State State `yaml:"state"`
	// The HTTP server of the page, the API and the metrics.
	Web Web `yaml:"web"`
	// Who is told when something is wrong.
	Alerts Alerts `yaml:"alerts"`
	// When a ramp may go on. An experiment's own `gate` goes before it, key by key.
	Gate Gate `yaml:"gate"`
	// The service's own log, on standard error.
	Log Log `yaml:"log"`
}

// Kafka says how to reach the brokers.
type Kafka struct {
	// Addresses to find the cluster by, each `host:port`.
	Brokers []string `yaml:"brokers,required"`
	// Consumer group. Instances of one deployment share it.
	Group string `yaml:"group"`
	// Encryption of the connections.
	TLS TLS `yaml:"tls"`
	// Authentication of the connections.
	SASL SASL `yaml:"sasl"`
}

// TLS holds the files of an encrypted connection, all PEM.
type TLS struct {
	// Whether the brokers speak TLS.
	Enabled bool `yaml:"enabled"`
	// Certificates to trust. Empty: those of the system.
	CAFile string `yaml:"ca_file"`
	// Certificate to show to the brokers. Goes with `key_file`.
	CertFile string `yaml:"cert_file"`
	// Key of the certificate. Goes with `cert_file`.
	KeyFile string `yaml:"key_file"`
}

// SASL holds the user that brokers are told.
type SASL struct {
	// `none`, `plain`, `scram-sha-256` or `scram-sha-512`.
	Mechanism string `yaml:"mechanism"`
	// User name. Needed unless the mechanism is `none`.
	Username string `yaml:"username"`
	// File that holds the password; line ends at its end are dropped.
	PasswordFile string `yaml:"password_file"`
}

// The values of SASL.Mechanism.
const (
	MechanismNone        = "none"
	MechanismPlain       = "plain"
	MechanismScramSHA256 = "scram-sha-256"
	MechanismScramSHA512 = "scram-sha-512"
)

// Topics names the three inputs and the three outputs. No two are the same.
type Topics struct {
	// Scored auctions.
	Predictions Input `yaml:"predictions"`
	// Auction winners that were shown.
	Impressions Input `yaml:"impressions"`
	// Outcomes of impressions.
	Conversions Input `yaml:"conversions"`
	// Merged state, compacted. Each group needs a topic of its own.
	Panes Output `yaml:"panes"`
	// Records that were refused, with the reason in their headers.
	DeadLetters Output `yaml:"dead_letters"`
	// What alerts know, compacted, so that it survives a change of owner.
	Alerts Output `yaml:"alerts"`
}

// Input is a topic to read.
type Input struct {
	// Name of the topic.
	Name string `yaml:"name"`
	// Encoding of its records: `protobuf` or `json` (proto3 JSON).
	Format event.Format `yaml:"format"`
}

// Output is a topic to write.
type Output struct {
	// Name of the topic.
	Name string `yaml:"name"`
}

// Input returns the topic of stream s.
func (t Topics) Input(s event.Stream) Input {
	switch s {
	case event.Predictions:
		return t.Predictions
	case event.Impressions:
		return t.Impressions
	case event.Conversions:
		return t.Conversions
	}
	panic(fmt.Sprintf("BUG: no topic for %v", s))
}

// Join bounds the join of the three streams.
type Join struct {
	// Largest event-time distance of an impression from its prediction, either way.
	Window time.Duration `yaml:"window"`
	// A conversion counts up to this long after its impression.
	AttributionWindow time.Duration `yaml:"attribution_window"`
	// Conversion types that make a label. Empty: all.
	ConversionTypes []string `yaml:"conversion_types"`
	// Memory for what the join holds, of all partitions together. Below it nothing
	// is evicted. Beyond it the oldest auctions are dropped, and what still comes
	// for them is found by reading their topic again: the numbers are the same, but
	// dropping auctions that impressions are on their way to is slow, and is said
	// in the log and counted.
	Memory Size `yaml:"memory"`
}

// Aggregation says what is summed.
type Aggregation struct {
	// Smallest slice of event time; windows are multiples of it. It divides a
	// minute evenly, or is whole minutes that divide an hour.
	Pane time.Duration `yaml:"pane"`
	// Windows to publish, each ending at the newest pane.
	Windows []time.Duration `yaml:"windows"`
	// Panes older than this, by event time against the newest event, are dropped.
	Retention time.Duration `yaml:"retention"`
	// Breakdowns beside the total, each a list of dimensions, as in
	// `[[surface], [surface, country]]`.
	Slices [][]string `yaml:"slices"`
	// Series budget: sets of labels (experiment, arm, ramp, slice) that are kept.
	// What it cuts is counted.
	MaxSeries int `yaml:"max_series"`
	// How often what was read becomes visible in the numbers, and durable.
	CommitInterval time.Duration `yaml:"commit_interval"`
}

// Experiment is one experiment to report.
type Experiment struct {
	// Name, as in the records' assignments.
	Name string `yaml:"name,required"`
	// The arm that the others are compared with.
	Control string `yaml:"control"`
	// File with an offline profile to compare with, relative to this file; see
	// the end of this page. Empty: none.
	Baseline string `yaml:"baseline"`
	// Who is told of its alerts: what routes ask for, and what alerts show.
	Owner string `yaml:"owner"`
	// What its gate asks for. What is left out is as in `gate`.
	Gate Gate `yaml:"gate"`
	// Profile is what Load read from Baseline.
	Profile Profile `yaml:"-"`
}

// State says where state lives.
type State struct {
	// Directory on a local disk.
	Dir string `yaml:"dir"`
	// What the states of all partitions that an instance has may take on its disk.
	// Beyond it no more records are read until there is room: they stay on the
	// topics, and the lag grows. 0: no limit.
	MaxDisk Size `yaml:"max_disk"`
	// Copies of the state for moves between machines.
	Checkpoint Checkpoint `yaml:"checkpoint"`
}

// Checkpoint says where copies of the state go.
type Checkpoint struct {
	// `file:///…` or `s3://…`. Empty: none.
	URL string `yaml:"url"`
	// How often.
	Interval time.Duration `yaml:"interval"`
}

// Web is the HTTP server.
type Web struct {
	// Address to listen on, `host:port`; port 0 takes a free one.
	Listen string `yaml:"listen"`
	// Prometheus exporter-toolkit file for TLS and basic auth. Empty: neither.
	ConfigFile string `yaml:"config_file"`
}

// Log is the service's own log.
type Log struct {
	// Lowest level that is written: `debug`, `info`, `warn` or `error`.
	Level string `yaml:"level"`
	// `text` or `json`.
	Format string `yaml:"format"`
}

// Default returns a fresh value, so no caller can edit another's defaults. Its
// brokers are those of a local installation; a file has to name its own.
func Default() Config {
	return Config{
		Kafka: Kafka{
			Brokers: []string{"127.0.0.1:9092"},
			Group:   "rampgauge",
			SASL:    SASL{Mechanism: MechanismNone},
		},
		Topics: Topics{
			Predictions: Input{Name: "predictions"},
			Impressions: Input{Name: "impressions"},
			Conversions: Input{Name: "conversions"},
			Panes:       Output{Name: "rampgauge.panes"},
			DeadLetters: Output{Name: "rampgauge.dead-letters"},
			Alerts:      Output{Name: "rampgauge.alerts"},
		},
		Join: Join{
			Window:            10 * time.Minute,
			AttributionWindow: 24 * time.Hour,
			Memory:            1 << 30,
		},
		Aggregation: Aggregation{
			Pane:           10 * time.Second,
			Windows:        []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour},
			Retention:      720 * time.Hour,
			MaxSeries:      30_000,
			CommitInterval: time.Second,
		},
		State: State{
			Dir:        "./rampgauge-data",
			Checkpoint: Checkpoint{Interval: 10 * time.Second},
		},
		Web:    Web{Listen: "127.0.0.1:8080"},
		Alerts: Alerts{Mode: AlertsDirect, FalseAlarmsPerMonth: alerts.DefaultBudget().PerMonth},
		Gate:   defaultGate(),
		Log:    Log{Level: "info", Format: "text"},
	}
}

// defaultExperiment holds the defaults of one entry of experiments.
func defaultExperiment() Experiment { return Experiment{Control: "control", Gate: defaultGate()} }

// Parse is ParseEnviron with an empty environment: the same data always give
// the same answer.
func Parse(data []byte) (Config, error) { return ParseEnviron(data, nil) }

// ParseEnviron decodes data over the defaults, puts the environment's
// overrides on top and checks the result. The environment has the form of
// os.Environ. It opens none of the files that the configuration names: Load
// does. The error, if any, is Problems. The Config is meaningless then.
func ParseEnviron(data []byte, environ []string) (Config, error) {
	c := Default()
	d := newDecoder(environ)
	d.config(data, &c)
	if len(d.problems) > 0 {
		return Config{}, d.problems.sorted()
	}
	return c, nil
}

// config decodes data over c and checks it.
func (d *decoder) config(data []byte, c *Config) {
	d.document(data, reflect.ValueOf(c).Elem())
	d.overrides(c)
	d.validate(c)
	d.inheritGate(c)
}
