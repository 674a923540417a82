package eventfile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
)

// defaultPartitions of topics that Produce creates.
const defaultPartitions = 8

// security turns the configuration into the client's options.
func security(k config.Kafka) ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if t := k.TLS; t.Enabled {
		c, err := consumer.TLSConfig(consumer.TLSOptions{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile})
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(c))
	}
	password, err := consumer.Password(consumer.SASLOptions{Mechanism: k.SASL.Mechanism, Username: k.SASL.Username, PasswordFile: k.SASL.PasswordFile})
	if err != nil {
		return nil, err
	}
	user := scram.Auth{User: k.SASL.Username, Pass: password}
	switch k.SASL.Mechanism {
	case config.MechanismPlain:
		opts = append(opts, kgo.SASL(plain.Auth{User: k.SASL.Username, Pass: password}.AsMechanism()))
	case config.MechanismScramSHA256:
		opts = append(opts, kgo.SASL(user.AsSha256Mechanism()))
	case config.MechanismScramSHA512:
		opts = append(opts, kgo.SASL(user.AsSha512Mechanism()))
	}
	return opts, nil
}

// connect waits until a broker answers. A broker that refuses the credentials
// will go on refusing them, so that ends the wait.
func connect(ctx context.Context, client *kgo.Client, o ProduceOptions) error {
	patience := o.Connect
	if patience == 0 {
		patience = 30 * time.Second
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	brokers := strings.Join(o.Kafka.Brokers, ",")
	for attempt := 0; ; attempt++ {
		err := ping(limited, client)
		var refused *kerr.Error
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("kafka %s: %w", brokers, context.Cause(ctx))
		case errors.As(err, &refused) && !refused.Retriable:
			return fmt.Errorf("kafka %s: %w", brokers, err)
		case limited.Err() != nil:
			return fmt.Errorf("kafka %s: no broker answers within %v: %w", brokers, patience, err)
		case attempt == 0:
			o.Logger.Warn("waiting for a broker", "brokers", brokers, "err", err)
		}
		select {
		case <-limited.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// ping bounds one attempt, which would otherwise hide the reason of a refused
// connection behind retries.
func ping(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return client.Ping(ctx)
}

// ensureTopics creates the input topics that are missing, with as many
// partitions as those that exist, and refuses numbers that differ: the streams
// are joined partition by partition.
func ensureTopics(ctx context.Context, admin *kadm.Client, o ProduceOptions) error {
	names := make([]string, event.NumStreams)
	for s := range event.NumStreams {
		names[s] = o.Topics.Input(s).Name
	}
	details, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("kafka: topics: %w", err)
	}
	partitions, first := 0, ""
	var missing []string
	for _, name := range names {
		d := details[name]
		switch n := len(d.Partitions); {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, name)
		case d.Err != nil:
			return fmt.Errorf("topic %s: %w", name, d.Err)
		case first != "" && n != partitions:
			return fmt.Errorf("topic %s: has %d partitions, %s has %d: the three topics need the same number", name, n, first, partitions)
		default:
			partitions, first = n, name
		}
	}
	switch {
	case partitions == 0 && o.Partitions > 0:
		partitions = o.Partitions
	case partitions == 0:
		partitions = defaultPartitions
	case o.Partitions > 0 && o.Partitions != partitions:
		o.Logger.Warn("topics exist with another number of partitions", "topic", first, "partitions", partitions, "asked", o.Partitions)
	}
	if len(missing) == 0 {
		return nil
	}
	// Records carry their event time, and a broker would at once drop those of a
	// log that is older than its default retention.
	forever := "-1"
	created, err := admin.CreateTopics(ctx, int32(partitions), -1, map[string]*string{"retention.ms": &forever}, missing...)
	if err != nil {
		return fmt.Errorf("kafka: create topics: %w", err)
	}
	for _, name := range missing {
		if c := created[name]; c.Err != nil && !errors.Is(c.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("topic %s: create: %s: %w", name, c.ErrMessage, c.Err)
		}
	}
	o.Logger.Info("created topics", "topics", strings.Join(missing, ","), "partitions", partitions, "retention_ms", forever)
	return nil
}

// warnRetention says so when a topic that exists already keeps records for less
// time than has passed since the oldest event: brokers go by the records' own
// timestamps, which are event times here.
func warnRetention(ctx context.Context, admin *kadm.Client, o ProduceOptions, oldestMs int64) {
	for s := range event.NumStreams {
		name := o.Topics.Input(s).Name
		configs, err := admin.DescribeTopicConfigs(ctx, name)
		if err != nil {
			continue // not every user may ask
		}
		for _, c := range configs {
			for _, entry := range c.Configs {
				ms, err := strconv.ParseInt(entry.MaybeValue(), 10, 64)
				if entry.Key != "retention.ms" || err != nil || ms < 0 {
					continue
				}
				if keeps := time.Duration(ms) * time.Millisecond; time.Since(time.UnixMilli(oldestMs)) > keeps {
					o.Logger.Warn("the topic's retention is shorter than the age of these events, so the broker may drop them soon",
						"topic", name, "retention", keeps, "oldest_event", time.UnixMilli(oldestMs).UTC())
				}
			}
		}
	}
}
