package consumer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/segmentio/kafka-go/sasl"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Options says what a Consumer reads and how.
type Options struct {
	Brokers         []string // bootstrap addresses, host:port
	Group, ClientID string
	Topics          [event.NumStreams]string // the topic of each stream
	DeadLetterTopic string
	TLS             *tls.Config    // nil: plaintext
	SASL            sasl.Mechanism // nil: no authentication

	// NewHandler makes, or brings back, the state machine of one partition
	// number. It is called when the partition is assigned; Close is called on
	// its result when the partition is given away or the Consumer stops.
	// ctx is for the call only; it is done when the group's generation is over
	// before that. The call is then made again, if the partition still comes here.
	// No two handlers of a partition are open at a time.
	NewHandler func(ctx context.Context, a Assignment) (Handler, error)
	// Held lists the partition numbers whose state lies with this process, so
	// that the group may leave them here. Partitions that a worker has now
	// count without it, and before those of other members. nil: none.
	Held func() []int32

	// Hold says that a partition takes no more records for now: they stay on the
	// topic, and nothing else stands still. It is called from the goroutine of the
	// partition's Handler, before each call of Handle, and at the commit interval
	// as long as it holds. nil: nothing holds.
	Hold func(partition int32) bool

	CommitInterval time.Duration // between commits while records flow
	IdleCommit     time.Duration // a commit follows this long after everything has been handed in
	LeaveTimeout   time.Duration // for the last commit and for leaving the group
	SessionTimeout time.Duration // silence after which the group gives our partitions away
	StuckAfter     time.Duration // a call of a Handler that lasts longer ends the member
	RequestTimeout time.Duration // for one answer of a broker
	FetchWait      time.Duration // how long a broker may hold a fetch that finds nothing

	QueueBytes       int // fetched ahead for each partition of each topic, as compressed
	FetchBytes       int // of one fetch response
	MaxBatchBytes    int // a record batch that decompresses to more is a corrupt one
	DeadLetterBytes  int // dead letters waiting to be written
	DeadLetterRecord int // a dead letter's value is cut so that key and value fit in this

	RereadBytesPerSecond int // what all handlers together may read again, as compressed

	// Dial replaces how connections are made. nil: TCP.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger // nil: slog.Default
}

// DefaultOptions returns what a deployment rarely changes. Brokers and
// NewHandler are left to be set.
func DefaultOptions() Options {
	return Options{
		Group:            "rampgauge",
		ClientID:         "rampgauge",
		Topics:           [event.NumStreams]string{"predictions", "impressions", "conversions"},
		DeadLetterTopic:  "rampgauge.dead-letters",
		CommitInterval:   time.Second,
		IdleCommit:       50 * time.Millisecond,
		LeaveTimeout:     7 * time.Second,
		SessionTimeout:   15 * time.Second,
		StuckAfter:       2 * time.Minute,
		RequestTimeout:   10 * time.Second,
		FetchWait:        500 * time.Millisecond,
		QueueBytes:       1 << 20,
		FetchBytes:       16 << 20,
		MaxBatchBytes:    64 << 20,
		DeadLetterBytes:  8 << 20,
		DeadLetterRecord: 900_000,

		RereadBytesPerSecond: 16 << 20,
	}
}

// Validate reports every problem of the options, each under its field's name.
func (o *Options) Validate() error {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("consumer options: "+format, args...))
		}
	}
	require(len(o.Brokers) > 0, "Brokers: none given")
	for _, b := range o.Brokers {
		_, port, err := net.SplitHostPort(b)
		require(err == nil && port != "", "Brokers: %q is not host:port", b)
	}
	require(o.Group != "", "Group: empty")
	for s, t := range o.Topics {
		require(t != "", "Topics: no topic for %s", event.Stream(s))
		require(t == "" || slices.Index(o.Topics[:], t) == s, "Topics: %q is given twice", t)
		require(t == "" || t != o.DeadLetterTopic, "DeadLetterTopic: %q is an input topic", t)
	}
	require(o.DeadLetterTopic != "", "DeadLetterTopic: empty")
	require(o.NewHandler != nil, "NewHandler: nil")
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"CommitInterval", o.CommitInterval}, {"IdleCommit", o.IdleCommit}, {"LeaveTimeout", o.LeaveTimeout},
		{"SessionTimeout", o.SessionTimeout}, {"RequestTimeout", o.RequestTimeout}, {"FetchWait", o.FetchWait},
		{"StuckAfter", o.StuckAfter},
	} {
		require(d.d > 0, "%s: must be positive, got %s", d.name, d.d)
	}
	for _, n := range []struct {
		name     string
		n, least int
	}{
		{"QueueBytes", o.QueueBytes, 16 << 10}, {"FetchBytes", o.FetchBytes, 16 << 10}, {"MaxBatchBytes", o.MaxBatchBytes, 64 << 10},
		{"DeadLetterBytes", o.DeadLetterBytes, 16 << 10}, {"DeadLetterRecord", o.DeadLetterRecord, 1 << 10},
		{"RereadBytesPerSecond", o.RereadBytesPerSecond, 1 << 10},
	} {
		require(n.n >= n.least && n.n <= 1<<30, "%s: must be from %d to %d, got %d", n.name, n.least, 1<<30, n.n)
	}
	return errors.Join(errs...)
}

func (o *Options) allTopics() []string {
	return append(slices.Clone(o.Topics[:]), o.DeadLetterTopic)
}

func (o *Options) dial() func(ctx context.Context, network, address string) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial
	}
	return (&net.Dialer{Timeout: o.RequestTimeout}).DialContext
}
