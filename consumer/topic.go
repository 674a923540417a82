package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Topic reads a whole topic and writes to it, outside of any group: it is for
// state that every instance has all of. It is safe for concurrent use.
type Topic struct {
	name     string
	options  Options
	client   *client
	problems *problems
	stats    Stats

	mu        sync.Mutex
	positions []int64       // by partition: all below has been handed in
	moved     chan struct{} // closed, and replaced, when positions have moved
}

// TopicConfig says how a topic is to be made where it is missing.
type TopicConfig struct {
	Partitions int
	Settings   map[string]string // as cleanup.policy=compact
}

// TopicInfo is what a broker knows of a topic.
type TopicInfo struct {
	Partitions int
	Created    bool              // by this call
	Settings   map[string]string // those asked for, as they are; empty where we may not know them
}

// Message is a record to be written. A nil Value is a tombstone.
type Message struct {
	Key, Value  []byte
	HeaderKey   string // empty: no header
	HeaderValue []byte
}

// NewTopic returns a Topic that asks nothing yet. Of the options it uses those
// about connections, fetching and logging.
func NewTopic(o Options, name string) *Topic {
	o.Topics, o.DeadLetterTopic = [len(o.Topics)]string{name, name, name}, name
	t := &Topic{name: name, options: o, client: newClient(&o), problems: newProblems(o.Logger), moved: make(chan struct{})}
	t.client.transport.MetadataTopics = []string{name}
	return t
}

// Close gives the connections back. Nothing may be under way.
func (t *Topic) Close() { t.client.close() }

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// Report logs what keeps the topic from working: once for each kind of problem
// until Recovered.
func (t *Topic) Report(err error) { t.problems.report("topic "+t.name, errorKind(err), err) }

// Recovered says that the topic works.
func (t *Topic) Recovered() { t.problems.over("topic " + t.name) }

// Backoff waits as is right after that many failures in a row, or until ctx is done.
func Backoff(ctx context.Context, failures int) {
	timer := time.NewTimer(max(backoff(failures), retryFirst))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Ensure makes the topic where it is missing and says what it is like. It asks
// once: the caller repeats it after an error.
func (t *Topic) Ensure(ctx context.Context, c TopicConfig) (TopicInfo, error) {
	info, err := t.describe(ctx, c)
	if !errors.Is(err, kafka.UnknownTopicOrPartition) {
		return info, err
	}
	topic := kafka.TopicConfig{Topic: t.name, NumPartitions: c.Partitions, ReplicationFactor: -1}
	for _, k := range slices.Sorted(maps.Keys(c.Settings)) {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: c.Settings[k]})
	}
	res, err := t.client.kafkaClient().CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = res.Errors[t.name]
	}
	created := err == nil
	if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return TopicInfo{}, fmt.Errorf("topic %q: create: %w", t.name, err)
	}
	// The broker that answered may be ahead of the one asked next.
	for failures := 1; ; failures++ {
		info, err = t.describe(ctx, c)
		if !errors.Is(err, kafka.UnknownTopicOrPartition) || failures > 5 || ctx.Err() != nil {
			info.Created = created
			return info, err
		}
		Backoff(ctx, failures)
	}
}

func (t *Topic) describe(ctx context.Context, c TopicConfig) (TopicInfo, error) {
	res, err := t.client.topicMetadata(ctx, []string{t.name})
	if err != nil {
		return TopicInfo{}, fmt.Errorf("topic %q: metadata: %w", t.name, err)
	}
	if len(res.Topics) != 1 {
		return TopicInfo{}, fmt.Errorf("topic %q: metadata of %d topics: %w", t.name, len(res.Topics), kafka.UnknownTopicOrPartition)
	}
	if code := kafka.Error(res.Topics[0].ErrorCode); code != 0 {
		return TopicInfo{}, fmt.Errorf("topic %q: %w", t.name, code)
	}
	info := TopicInfo{Partitions: len(res.Topics[0].Partitions), Settings: map[string]string{}}
	configs, err := t.client.kafkaClient().DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: t.name, ConfigNames: slices.Sorted(maps.Keys(c.Settings)),
		}},
	})
	if err == nil && len(configs.Resources) == 1 {
		err = configs.Resources[0].Error
	}
	if errors.Is(err, kafka.TopicAuthorizationFailed) || errors.Is(err, kafka.ClusterAuthorizationFailed) {
		return info, nil
	}
	if err != nil {
		return TopicInfo{}, fmt.Errorf("topic %q: settings: %w", t.name, err)
	}
	for _, r := range configs.Resources {
		for _, e := range r.ConfigEntries {
			info.Settings[e.ConfigName] = e.ConfigValue
		}
	}
	return info, nil
}

// Produce writes messages to one partition as one batch, and returns once all
// replicas in sync have them. After an error they may be there or not.
func (t *Topic) Produce(ctx context.Context, partition int, messages []Message) error {
	now := time.Now()
	records := make([]protocol.Record, len(messages))
	for i := range messages {
		m := &messages[i]
		records[i] = kafka.Record{Time: now, Key: kafka.NewBytes(m.Key)}
		if m.Value != nil {
			records[i].Value = kafka.NewBytes(m.Value)
		}
		if m.HeaderKey != "" {
			records[i].Headers = []kafka.Header{{Key: m.HeaderKey, Value: m.HeaderValue}}
		}
	}
	res, err := t.client.kafkaClient().Produce(ctx, &kafka.ProduceRequest{
		Topic: t.name, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Snappy,
		Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = res.Error
	}
	if err == nil && len(res.RecordErrors) > 0 {
		err = fmt.Errorf("%d records refused: %w", len(res.RecordErrors), res.RecordErrors[0])
	}
	if err != nil {
		return fmt.Errorf("topic %q: partition %d: produce: %w", t.name, partition, err)
	}
	return nil
}

// TooLarge reports whether an error of Produce means that the batch is larger
// than the topic takes.
func TooLarge(err error) bool { return errors.Is(err, kafka.MessageSizeTooLarge) }

// Ends returns the offset behind the last record of each partition.
func (t *Topic) Ends(ctx context.Context) ([]int64, error) {
	found, err := t.client.ends(ctx, []string{t.name})
	if err != nil {
		return nil, err
	}
	ends := make([]int64, len(found))
	for tp, end := range found {
		if int(tp.partition) >= len(ends) {
			return nil, fmt.Errorf("%s/%d: of %d partitions: %w", tp.topic, tp.partition, len(ends), kafka.LeaderNotAvailable)
		}
		ends[tp.partition] = end
	}
	return ends, nil
}
