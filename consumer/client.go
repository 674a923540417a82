package consumer

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

const (
	anyBroker     int32 = -1
	readCommitted int8  = 1

	latestOffset   int64 = -1
	earliestOffset       = Earliest
)

// client sends requests to brokers over kafka-go's pooled connections.
type client struct {
	transport *kafka.Transport
	addr      net.Addr
	clientID  string
	timeout   time.Duration // for an answer, beyond what the request itself asks to wait
}

func newClient(o *Options) *client {
	return &client{
		transport: &kafka.Transport{
			Dial:        o.dial(),
			DialTimeout: o.RequestTimeout,
			IdleTimeout: time.Minute,
			ClientID:    o.ClientID,
			TLS:         o.TLS,
			SASL:        o.SASL,
			// The transport's own view is used to find a broker's address,
			// so its age bounds how long a moved broker stays out of reach.
			MetadataTTL:    2 * time.Second,
			MetadataTopics: o.allTopics(),
		},
		addr:     kafka.TCP(o.Brokers...),
		clientID: o.ClientID,
		timeout:  o.RequestTimeout,
	}
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// kafkaClient is kafka-go's own client over the same connections.
func (c *client) kafkaClient() *kafka.Client {
	return &kafka.Client{Addr: c.addr, Transport: c.transport, Timeout: c.timeout}
}

// direct is one request to one broker, past kafka-go's metadata cache and its
// splitting of requests. It writes and reads with kafka-go's own encoders.
type direct struct {
	request  protocol.Message
	broker   int32
	clientID string
	oldest   bool  // use version 0
	version  int16 // set on the connection's goroutine, before the exchange
}

// correlation is the id of every request here: a connection carries one
// exchange at a time and is closed when that fails.
const correlation = 1

func (d *direct) ApiKey() protocol.ApiKey { return d.request.ApiKey() }

func (d *direct) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: d.broker}, nil
}

func (d *direct) Required(versions map[protocol.ApiKey]int16) bool {
	if !d.oldest {
		d.version = versions[d.ApiKey()]
	}
	return true
}

func (d *direct) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if err := protocol.WriteRequest(rw, d.version, correlation, d.clientID, d.request); err != nil {
		return nil, err
	}
	_, res, err := protocol.ReadResponse(rw, d.ApiKey(), d.version)
	return &answer{res}, err
}

// answer keeps the transport from recognising a response and acting on it.
type answer struct{ protocol.Message }

func (c *client) send(ctx context.Context, broker int32, req protocol.Message) (protocol.Message, error) {
	return c.roundTrip(ctx, &direct{request: req, broker: broker, clientID: c.clientID})
}

func (c *client) roundTrip(ctx context.Context, d *direct) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.transport.RoundTrip(ctx, c.addr, d)
	if err != nil {
		return nil, err
	}
	return res.(*answer).Message, nil
}

// topicMetadata is what one broker knows of the topics now; it creates none.
func (c *client) topicMetadata(ctx context.Context, topics []string) (*metadata.Response, error) {
	res, err := c.send(ctx, anyBroker, &metadata.Request{TopicNames: topics})
	if err != nil {
		return nil, err
	}
	return res.(*metadata.Response), nil
}

// topicPartition names one partition of one topic.
type topicPartition struct {
	topic     string
	partition int32
}

// offsets asks one broker for the latest or earliest offset of partitions that
// it leads, as read_committed sees them. Partitions that it refuses are in errs.
func (c *client) offsets(ctx context.Context, broker int32, at int64, of []topicPartition) (found map[topicPartition]int64, errs map[topicPartition]error, err error) {
	req := &listoffsets.Request{ReplicaID: -1, IsolationLevel: readCommitted}
	for _, tp := range of {
		n := len(req.Topics)
		if n == 0 || req.Topics[n-1].Topic != tp.topic {
			req.Topics = append(req.Topics, listoffsets.RequestTopic{Topic: tp.topic})
			n++
		}
		t := &req.Topics[n-1]
		t.Partitions = append(t.Partitions, listoffsets.RequestPartition{Partition: tp.partition, CurrentLeaderEpoch: -1, Timestamp: at})
	}
	res, err := c.send(ctx, broker, req)
	if err != nil {
		return nil, nil, err
	}
	found = make(map[topicPartition]int64, len(of))
	errs = make(map[topicPartition]error)
	for _, t := range res.(*listoffsets.Response).Topics {
		for _, p := range t.Partitions {
			tp := topicPartition{t.Topic, p.Partition}
			if p.ErrorCode != 0 {
				errs[tp] = kafka.Error(p.ErrorCode)
			} else {
				found[tp] = p.Offset
			}
		}
	}
	for _, tp := range of {
		if _, ok := found[tp]; !ok && errs[tp] == nil {
			errs[tp] = fmt.Errorf("%s/%d: not in the broker's answer: %w", tp.topic, tp.partition, kafka.Unknown)
		}
	}
	return found, errs, nil
}
