package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/rampgauge/rampgauge/consumer/event"
)

const (
	// A broker serves one request a connection. Several at a time let a source
	// that has room again be fetched while the caught-up ones wait in a long
	// poll; the last slot is kept for those with a backlog.
	requestsPerBroker = 4
	// Polls that follow at once on one another would return a record each.
	pollPause = 5 * time.Millisecond

	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second

	metadataAge = 20 * time.Second
)

// fetcher reads all sources from the brokers that lead them. One goroutine,
// run, owns everything here but the channels.
type fetcher struct {
	client   *client
	options  *Options
	topics   []string
	problems *problems
	stats    *Stats
	buffers  *buffers
	onCounts func(counts [event.NumStreams]int) // the topics' partition counts have been looked up

	commands chan func()
	answers  chan func()
	room     chan struct{}

	sources []*source
	brokers map[int32]*broker
	leaders map[topicPartition]int32
	turn    int // rotates the sources, so that none is always last in a request

	metadataBusy     bool
	metadataDue      time.Time
	metadataFailures int
}

// broker is what the fetcher knows of one broker.
type broker struct {
	requests int
	rereads  int  // of them, for what is read again: in requests of their own, since a request names a partition once
	lookup   bool // a lookup of earliest offsets is under way
	failures int
	retryAt  time.Time
	pollAt   time.Time
}

func newFetcher(c *Consumer) *fetcher {
	return &fetcher{
		client: c.client, options: &c.options, topics: c.options.Topics[:], problems: c.problems, stats: &c.stats,
		buffers: new(buffers), onCounts: c.setCounts,
		commands: make(chan func()), answers: make(chan func(), 16), room: make(chan struct{}, 1),
		brokers: make(map[int32]*broker), leaders: make(map[topicPartition]int32),
	}
}

// do runs f on the fetcher's goroutine, or not at all once ctx is done.
func (f *fetcher) do(ctx context.Context, fn func()) {
	select {
	case f.commands <- fn:
	case <-ctx.Done():
	}
}

// add starts to read sources; remove stops it and drops what is queued.
func (f *fetcher) add(ctx context.Context, sources ...*source) {
	f.do(ctx, func() {
		for _, s := range sources {
			s.leader = f.leader(s.tp())
			s.maxBytes = int32(s.quota)
		}
		f.sources = append(f.sources, sources...)
	})
}

func (f *fetcher) remove(ctx context.Context, sources ...*source) {
	f.do(ctx, func() {
		f.sources = slices.DeleteFunc(f.sources, func(s *source) bool { return slices.Contains(sources, s) })
		for _, s := range sources {
			s.seek(Earliest)
		}
	})
}

func (f *fetcher) leader(tp topicPartition) int32 {
	if id, ok := f.leaders[tp]; ok {
		return id
	}
	return -1
}

// run fetches until ctx is done, and returns when no request is left.
func (f *fetcher) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		due := f.dispatch(ctx, now)
		timer.Reset(max(due.Sub(now), 0))
		select {
		case fn := <-f.commands:
			fn()
		case fn := <-f.answers:
			fn()
		case <-f.room:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	pending := 0
	for _, b := range f.brokers {
		pending += b.requests
		if b.lookup {
			pending++
		}
	}
	if f.metadataBusy {
		pending++
	}
	for range pending {
		(<-f.answers)()
	}
}

// dispatch sends every request that is due and returns when to look again.
func (f *fetcher) dispatch(ctx context.Context, now time.Time) (due time.Time) {
	due = now.Add(time.Minute)
	wait := func(until time.Time) bool {
		if until.After(now) {
			if until.Before(due) {
				due = until
			}
			return true
		}
		return false
	}
	f.turn++
	type plan struct{ behind, polling, rereads, unlocated []fetchTarget }
	plans := make(map[int32]*plan)
	for i := range f.sources {
		s := f.sources[(i+f.turn)%len(f.sources)]
		if s.busy || wait(s.retryAt) {
			continue
		}
		if s.leader < 0 {
			f.needMetadata(now)
			continue
		}
		next, epoch, room := s.position()
		if !room {
			continue
		}
		p := plans[s.leader]
		if p == nil {
			p = new(plan)
			plans[s.leader] = p
		}
		t := fetchTarget{source: s, epoch: epoch, offset: next, maxBytes: s.maxBytes}
		switch {
		case next < 0:
			p.unlocated = append(p.unlocated, t)
		case s.reread:
			p.rereads = append(p.rereads, t)
		case s.starved: // first in the request: then a batch of any size is sent
			p.behind = slices.Insert(p.behind, 0, t)
		case s.backlog():
			p.behind = append(p.behind, t)
		default:
			p.polling = append(p.polling, t)
		}
	}
	for id, p := range plans {
		b := f.brokers[id]
		if b == nil {
			b = new(broker)
			f.brokers[id] = b
		}
		if wait(b.retryAt) {
			continue
		}
		if len(p.unlocated) > 0 && !b.lookup {
			f.locate(ctx, id, b, p.unlocated)
		}
		if len(p.rereads) > 0 && b.rereads == 0 {
			f.fetch(ctx, id, b, p.rereads, 0)
		}
		main := b.requests - b.rereads
		if len(p.behind) > 0 && main < requestsPerBroker {
			// What is behind is answered at once; what has never been asked
			// for may have nothing, and must not wait to learn it.
			f.fetch(ctx, id, b, p.behind, 0)
			main++
		}
		if len(p.polling) > 0 && main < requestsPerBroker-1 && !wait(b.pollAt) {
			b.pollAt = now.Add(pollPause)
			f.fetch(ctx, id, b, p.polling, f.options.FetchWait)
		}
	}
	if !f.metadataBusy && !wait(f.metadataDue) {
		f.refresh(ctx)
	}
	return due
}

func (f *fetcher) fetch(ctx context.Context, id int32, b *broker, targets []fetchTarget, wait time.Duration) {
	req := &fetchRequest{broker: id, clientID: f.options.ClientID, maxWait: wait, maxBytes: int32(f.options.FetchBytes), targets: targets, buffers: f.buffers}
	for i := range targets {
		targets[i].source.busy = true
	}
	rereads := 0
	if targets[0].source.reread {
		rereads = 1
	}
	b.requests++
	b.rereads += rereads
	go func() {
		res, err := f.client.fetch(ctx, req)
		f.answers <- func() {
			b.requests--
			b.rereads -= rereads
			for i := range targets {
				targets[i].source.busy = false
			}
			f.fetched(ctx, id, b, targets, res, err)
		}
	}()
}

// needMetadata brings the next look-up forward, as far as failures allow.
func (f *fetcher) needMetadata(now time.Time) {
	if soon := now.Add(backoff(f.metadataFailures)); soon.Before(f.metadataDue) {
		f.metadataDue = soon
	}
}

// refresh looks up the leaders.
func (f *fetcher) refresh(ctx context.Context) {
	f.metadataBusy = true
	go func() {
		res, err := f.client.topicMetadata(ctx, f.topics)
		f.answers <- func() {
			f.metadataBusy = false
			f.refreshed(ctx, res, err)
		}
	}()
}

func (f *fetcher) refreshed(ctx context.Context, res *metadata.Response, err error) {
	now := time.Now()
	if err != nil {
		if ctx.Err() == nil {
			f.problems.report("brokers", "metadata", fmt.Errorf("brokers %v: metadata: %w", f.options.Brokers, err))
		}
		f.metadataFailures++
		f.metadataDue = now.Add(backoff(f.metadataFailures))
		return
	}
	f.problems.over("brokers")
	f.metadataDue = now.Add(metadataAge)
	clear(f.leaders)
	var counts [event.NumStreams]int
	for _, t := range res.Topics {
		if i := slices.Index(f.topics, t.Name); i >= 0 && t.ErrorCode == 0 {
			counts[i] = len(t.Partitions)
		}
		for _, p := range t.Partitions {
			if p.LeaderID >= 0 {
				f.leaders[topicPartition{t.Name, p.PartitionIndex}] = p.LeaderID
			}
		}
	}
	missing := false
	for _, s := range f.sources {
		if s.leader = f.leader(s.tp()); s.leader < 0 {
			missing = true
			f.problems.report(s.place(), "leader", fmt.Errorf("%s: no broker leads it", s.place()))
		}
	}
	f.metadataFailures++
	if !missing {
		f.metadataFailures = 0
	}
	f.onCounts(counts)
}

// backoff is how long to wait after n failures in a row.
func backoff(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(retryFirst<<min(n-1, 10), retryMost)
}
