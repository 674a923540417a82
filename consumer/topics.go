package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// What can keep a Consumer from starting. The first three heal with time and
// are retried; Run returns the others.
var (
	// ErrUnreachable means that no broker answers.
	ErrUnreachable = errors.New("broker unreachable")
	// ErrMissingTopic means that an input topic does not exist.
	ErrMissingTopic = errors.New("missing topic")
	// ErrPartitionCounts means that the input topics differ in their number of
	// partitions, so that partition p of one does not join partition p of another.
	ErrPartitionCounts = errors.New("partition counts differ")

	// ErrTLS means that one side speaks TLS and the other does not, or that a
	// certificate is refused.
	ErrTLS = errors.New("tls refused")
	// ErrAuthentication means that the broker refuses the SASL mechanism or the
	// credentials, or wants some where none are configured.
	ErrAuthentication = errors.New("authentication refused")
	// ErrAuthorization means that the user may not read a topic or use the group.
	ErrAuthorization = errors.New("not authorized")
	// ErrBrokerVersion means that the broker is too old.
	ErrBrokerVersion = errors.New("broker too old")
)

// heals says whether a problem of the start may be over by itself.
func heals(err error) bool {
	for _, fatal := range []error{ErrTLS, ErrAuthentication, ErrAuthorization, ErrBrokerVersion} {
		if errors.Is(err, fatal) {
			return false
		}
	}
	return true
}

// errorKind groups errors whose texts differ in addresses and counts.
func errorKind(err error) string {
	for _, kind := range []error{ErrUnreachable, ErrMissingTopic, ErrPartitionCounts, ErrTLS, ErrAuthentication, ErrAuthorization, ErrBrokerVersion} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	var code kafka.Error
	if errors.As(err, &code) {
		return code.Title()
	}
	return "error"
}

// awaitTopics waits until a broker is there and the input topics fit. It logs
// each distinct problem once, and returns those that waiting does not heal.
func (c *Consumer) awaitTopics(ctx context.Context) error {
	for failures := 0; ; failures++ {
		err := c.checkTopics(ctx)
		if err == nil {
			c.problems.over("start")
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !heals(err) {
			return err
		}
		// The text is the problem's identity here: which topic is missing, and
		// which counts differ, is what changes while topics are being created.
		c.problems.report("start", err.Error(), err)
		select {
		case <-time.After(max(backoff(failures+1), 100*time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Consumer) checkTopics(ctx context.Context) error {
	res, err := c.client.topicMetadata(ctx, c.options.Topics[:])
	if err != nil {
		return c.diagnose(ctx, err)
	}
	counts, err := topicCounts(&c.options, res)
	if err == nil {
		err = checkCounts(&c.options, counts)
	}
	if err == nil {
		c.setCounts(counts)
	}
	return err
}

// topicCounts reads the partition count of each input topic.
func topicCounts(o *Options, res *metadata.Response) (counts [event.NumStreams]int, err error) {
	var errs []error
	for i, topic := range o.Topics {
		at := slices.IndexFunc(res.Topics, func(t metadata.ResponseTopic) bool { return t.Name == topic })
		code := kafka.UnknownTopicOrPartition
		if at >= 0 {
			code = kafka.Error(res.Topics[at].ErrorCode)
		}
		switch code {
		case 0, kafka.LeaderNotAvailable:
			counts[i] = len(res.Topics[at].Partitions)
		case kafka.UnknownTopicOrPartition:
			errs = append(errs, fmt.Errorf("topics.%s: %q does not exist on %v; create it, with as many partitions as the others: %w",
				event.Stream(i), topic, o.Brokers, ErrMissingTopic))
		case kafka.TopicAuthorizationFailed:
			errs = append(errs, fmt.Errorf("topics.%s: %q: the broker denies reading it; allow Read and Describe: %w", event.Stream(i), topic, ErrAuthorization))
		default:
			errs = append(errs, fmt.Errorf("topics.%s: %q: %w", event.Stream(i), topic, code))
		}
	}
	return counts, oneLine(errs)
}

// oneLine joins errors like errors.Join, on a single line.
func oneLine(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	err := errs[0]
	for _, e := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, e)
	}
	return err
}

func checkCounts(o *Options, counts [event.NumStreams]int) error {
	for i := range counts {
		if counts[i] != counts[0] {
			return fmt.Errorf("topics: %q has %d partitions, %q has %d, %q has %d; they are joined by partition, so recreate them with equal counts: %w",
				o.Topics[0], counts[0], o.Topics[1], counts[1], o.Topics[2], counts[2], ErrPartitionCounts)
		}
	}
	return nil
}
