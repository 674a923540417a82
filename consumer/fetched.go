package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

func (s *source) place() string { return fmt.Sprintf("%s/%d", s.topic, s.partition) }

func compareTopicPartition(x, y topicPartition) int {
	return cmp.Or(cmp.Compare(x.topic, y.topic), cmp.Compare(x.partition, y.partition))
}

// fetched takes in the answer to one fetch request.
func (f *fetcher) fetched(ctx context.Context, id int32, b *broker, targets []fetchTarget, res *fetchResponse, err error) {
	if err == nil && res.code != 0 {
		res.release()
		err = res.code
	}
	if err != nil {
		f.brokerFailed(ctx, id, b, err)
		return
	}
	f.brokerWorks(id, b)
	f.stats.Fetches.Add(1)
	for i := range res.parts {
		p := &res.parts[i]
		if p.code != 0 {
			p.data.release()
			f.partFailed(p)
			continue
		}
		f.accept(p)
	}
}

// accept queues the records of one partition.
func (f *fetcher) accept(p *fetchPart) {
	s := p.target.source
	s.beyond = time.Time{}
	if s.failures > 0 {
		s.failures = 0
		f.problems.over(s.place())
	}
	var c *chunk
	next := p.target.offset
	if p.data != nil {
		whole, last := scan(p.data.bytes)
		if s.reread {
			f.stats.RereadBytes.Add(uint64(whole))
		} else {
			f.stats.Bytes.Add(uint64(whole))
		}
		switch {
		case whole == 0 && int(s.maxBytes) >= maxPartitionBytes:
			// No request would return this batch whole: its length is wrong.
			// The worker gives it up and seeks behind it.
			whole = len(p.data.bytes)
		case whole > 0:
			// A wrong header must not send the prefetch beyond the end.
			next = max(next, min(last+1, max(p.highWater, p.target.offset)))
		}
		if whole > 0 {
			c = &chunk{next: next, data: p.data.bytes[:whole], buffer: p.data, aborted: p.aborted, highWater: p.highWater}
		}
	}
	if c == nil || !s.push(c, p.target.epoch, next, p.stable) {
		p.data.release()
		c = nil
		s.push(nil, p.target.epoch, next, p.stable)
	}
	s.starved = c == nil && next < p.stable
	if s.reread && c == nil && !s.starved {
		s.retryAt = time.Now().Add(retryFirst) // the end lags, or has gone back
	}
	switch {
	case !s.starved:
		s.maxBytes = int32(s.quota)
	case p.data != nil: // the batch was cut off
		s.maxBytes = min(s.maxBytes*4, maxPartitionBytes)
	default: // the broker skipped it: others came first
		s.retryAt = time.Now().Add(time.Millisecond)
	}
}

// maxPartitionBytes is the largest record batch that is asked for.
const maxPartitionBytes = 256 << 20

// scan returns the size of the whole batches at the start of b, and the last
// offset of the last of them.
func scan(b []byte) (whole int, last int64) {
	for {
		h, ok := parseBatchHeader(b[whole:])
		if !ok {
			return whole, last
		}
		whole += h.size
		last = h.lastOffset()
	}
}

func (f *fetcher) partFailed(p *fetchPart) {
	s := p.target.source
	if p.code == kafka.OffsetOutOfRange {
		s.outOfRange(p.target.epoch)
		return
	}
	f.sourceFailed(s, p.code)
}

// sourceFailed backs one source off and, where its leader may have moved,
// looks for the new one.
func (f *fetcher) sourceFailed(s *source, err error) {
	f.stats.FetchErrors.Add(1)
	now := time.Now()
	s.failures++
	s.retryAt = now.Add(backoff(s.failures))
	moved := errors.Is(err, kafka.NotLeaderForPartition) || errors.Is(err, kafka.LeaderNotAvailable) ||
		errors.Is(err, kafka.FencedLeaderEpoch) || errors.Is(err, kafka.UnknownLeaderEpoch) || errors.Is(err, kafka.ReplicaNotAvailable)
	if moved || errors.Is(err, kafka.UnknownTopicOrPartition) || errors.Is(err, kafka.KafkaStorageError) {
		f.needMetadata(now)
	}
	// A move of the leader is everyday life; it is a problem when it lasts.
	if !moved || s.failures > 3 {
		f.problems.report(s.place(), fmt.Sprint(err), fmt.Errorf("%s: fetch: %w", s.place(), err))
	}
}

func (f *fetcher) brokerFailed(ctx context.Context, id int32, b *broker, err error) {
	if ctx.Err() != nil {
		return
	}
	f.stats.FetchErrors.Add(1)
	now := time.Now()
	b.failures++
	b.retryAt = now.Add(backoff(b.failures))
	f.needMetadata(now)
	f.problems.report(brokerPlace(id), "fetch", fmt.Errorf("broker %d: fetch: %w", id, err))
}

func (f *fetcher) brokerWorks(id int32, b *broker) {
	if b.failures > 0 {
		b.failures = 0
		f.problems.over(brokerPlace(id))
	}
}

func brokerPlace(id int32) string { return fmt.Sprintf("broker %d", id) }
