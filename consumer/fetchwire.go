package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// errFrame means that a fetch response is not what the protocol says.
var errFrame = errors.New("malformed fetch response")

// errVersion means that the broker is older than Kafka 0.11, which brought
// record batches and isolation levels.
var errVersion = errors.New("broker too old: fetch below v4")

// fetchRequest asks one broker for several partitions. It is sent through
// kafka-go's transport and encoded by kafka-go; the answer is read here, each
// record set as it is into a buffer of its own.
type fetchRequest struct {
	broker   int32
	clientID string
	maxWait  time.Duration
	maxBytes int32
	targets  []fetchTarget
	buffers  *buffers
	version  int16 // set on the connection's goroutine, before the exchange
}

// fetchTarget is one partition of a request, with the source it is for.
type fetchTarget struct {
	source   *source
	epoch    uint64 // the source's epoch when the request was made
	offset   int64
	maxBytes int32
}

// fetchResponse holds one part for each partition that the broker answered.
type fetchResponse struct {
	code  kafka.Error // of the whole request
	parts []fetchPart
}

type fetchPart struct {
	target    *fetchTarget
	code      kafka.Error
	highWater int64
	stable    int64 // last stable offset: the end of what read_committed returns
	aborted   []abortedTransaction
	data      *buffer // nil when there are no records
}

// abortedTransaction says that producer's records from first on are void,
// until the marker that ends the transaction.
type abortedTransaction struct{ producer, first int64 }

func (r *fetchResponse) ApiKey() protocol.ApiKey { return protocol.Fetch }

func (r *fetchResponse) release() {
	for i := range r.parts {
		r.parts[i].data.release()
	}
}

func (c *client) fetch(ctx context.Context, r *fetchRequest) (*fetchResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, r.maxWait+c.timeout)
	defer cancel()
	res, err := c.transport.RoundTrip(ctx, c.addr, r)
	if err != nil {
		return nil, err
	}
	return res.(*fetchResponse), nil
}

func (r *fetchRequest) ApiKey() protocol.ApiKey { return protocol.Fetch }

func (r *fetchRequest) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: r.broker}, nil
}

func (r *fetchRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Fetch]
	return true
}

// RawExchange writes the request and reads the answer.
func (r *fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if r.version < 4 {
		return nil, errVersion
	}
	if err := protocol.WriteRequest(rw, r.version, correlation, r.clientID, r.wire()); err != nil {
		return nil, err
	}
	res, err := r.read(rw)
	if err != nil {
		return nil, fmt.Errorf("fetch response: %w", err)
	}
	return res, nil
}

func (r *fetchRequest) wire() *fetch.Request {
	req := &fetch.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(r.maxWait.Milliseconds()),
		MinBytes:       1,
		MaxBytes:       r.maxBytes,
		IsolationLevel: readCommitted,
		SessionEpoch:   -1, // no session: each request is whole
	}
	for i := range r.targets {
		t := &r.targets[i]
		at := slices.IndexFunc(req.Topics, func(x fetch.RequestTopic) bool { return x.Topic == t.source.topic })
		if at < 0 {
			at = len(req.Topics)
			req.Topics = append(req.Topics, fetch.RequestTopic{Topic: t.source.topic})
		}
		topic := &req.Topics[at]
		topic.Partitions = append(topic.Partitions, fetch.RequestPartition{
			Partition: t.source.partition, CurrentLeaderEpoch: -1, FetchOffset: t.offset, LogStartOffset: -1, PartitionMaxBytes: t.maxBytes,
		})
	}
	return req
}

// read reads a response of the version that was asked for (v4 to v11).
func (r *fetchRequest) read(rw io.Reader) (res *fetchResponse, err error) {
	f := frame{r: rw, remain: 8}
	size := f.int32()
	if id := f.int32(); f.err == nil && id != correlation {
		f.fail("correlation id %d", id)
	}
	f.remain = int(size) - 4
	f.int32() // throttle time: the broker has waited already
	res = &fetchResponse{parts: make([]fetchPart, 0, len(r.targets))}
	defer func() {
		if err != nil {
			res.release()
		}
	}()
	if r.version >= 7 {
		res.code = kafka.Error(f.int16())
		f.int32() // session id
	}
	next := 0 // brokers answer in the order of the request
	for range f.count() {
		topic := f.string()
		for range f.count() {
			p := r.part(&f)
			index := f.partition
			if f.err != nil {
				p.data.release()
				return res, f.err
			}
			if p.target, next = r.target(topic, index, next); p.target == nil {
				p.data.release()
				return res, fmt.Errorf("%s/%d was not asked for: %w", topic, index, errFrame)
			}
			res.parts = append(res.parts, p)
		}
	}
	if f.err == nil && f.remain > 0 {
		_, f.err = io.CopyN(io.Discard, rw, int64(f.remain))
	}
	return res, f.err
}

func (r *fetchRequest) part(f *frame) (p fetchPart) {
	f.partition = f.int32()
	p.code = kafka.Error(f.int16())
	p.highWater = f.int64()
	p.stable = f.int64()
	if r.version >= 5 {
		f.int64() // log start offset
	}
	for range f.count() {
		p.aborted = append(p.aborted, abortedTransaction{producer: f.int64(), first: f.int64()})
		if f.err != nil {
			return p
		}
	}
	if r.version >= 11 {
		f.int32() // preferred read replica: not used
	}
	if p.stable < 0 {
		p.stable = p.highWater
	}
	if n := int(f.int32()); n > 0 && f.err == nil {
		if n > f.remain {
			f.fail("record set of %d bytes, %d left", n, f.remain)
			return p
		}
		p.data = r.buffers.get(n)
		f.full(p.data.bytes)
	}
	return p
}

// target finds the target that a part of the answer is for, trying from first.
func (r *fetchRequest) target(topic string, partition int32, from int) (*fetchTarget, int) {
	for i := range r.targets {
		at := (from + i) % len(r.targets)
		if t := &r.targets[at]; t.source.partition == partition && t.source.topic == topic {
			return t, at + 1
		}
	}
	return nil, from
}

// frame reads the fixed fields of one response and remembers the first error.
type frame struct {
	r         io.Reader
	remain    int
	scratch   [8]byte
	partition int32
	err       error
}

func (f *frame) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format+": %w", append(args, errFrame)...)
	}
}

func (f *frame) full(b []byte) bool {
	if f.err == nil && len(b) > f.remain {
		f.fail("need %d bytes, have %d", len(b), f.remain)
	}
	if f.err != nil {
		return false
	}
	n, err := io.ReadFull(f.r, b)
	f.remain -= n
	f.err = err
	return err == nil
}

func (f *frame) int16() int16 {
	if !f.full(f.scratch[:2]) {
		return 0
	}
	return int16(binary.BigEndian.Uint16(f.scratch[:]))
}

func (f *frame) int32() int32 {
	if !f.full(f.scratch[:4]) {
		return 0
	}
	return int32(binary.BigEndian.Uint32(f.scratch[:]))
}

func (f *frame) int64() int64 {
	if !f.full(f.scratch[:8]) {
		return 0
	}
	return int64(binary.BigEndian.Uint64(f.scratch[:]))
}

// count is an array's length; no element takes less than 6 bytes.
func (f *frame) count() int {
	n := int(f.int32())
	if n > f.remain/6 {
		f.fail("array of %d in %d bytes", n, f.remain)
	}
	if f.err != nil {
		return 0
	}
	return max(n, 0)
}

func (f *frame) string() string {
	n := int(f.int16())
	if n <= 0 || f.err != nil {
		return ""
	}
	b := make([]byte, n)
	f.full(b)
	return string(b)
}
