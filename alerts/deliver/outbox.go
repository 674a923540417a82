package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Outbox is the queue of an instance. Its methods may be called by several
// goroutines at once.
type Outbox struct {
	o       Options
	windows *windows
	senders []*sender

	mu      sync.Mutex
	journal *journal
	state   *state
	tell    []alerts.Notification // Delivered is to be called for
	told    chan struct{}         // there is something to tell
}

// Open reads the queue of a directory, which it makes if need be. Damaged lines
// are passed over with a warning. What waits for a receiver that there is no
// more is given up.
func Open(options Options) (*Outbox, error) {
	if err := options.Check(); err != nil {
		return nil, err
	}
	o := &Outbox{o: options.withDefaults(), told: make(chan struct{}, 1)}
	var damaged int
	var err error
	if o.journal, o.state, damaged, err = openJournal(o.o.Dir, o.o.Now()); err != nil {
		return nil, err
	}
	if damaged > 0 {
		o.o.Logger.Warn("the outbox has damaged lines, which a process that was killed leaves behind; they are passed over", "dir", o.o.Dir, "lines", damaged)
	}
	o.windows = newWindows(o.state.calls, o.o.Now())
	for _, r := range o.o.Receivers {
		o.senders = append(o.senders, newSender(o, r))
	}
	if err := o.forgetReceivers(); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// forgetReceivers gives up what waits for receivers that there are no more.
func (o *Outbox) forgetReceivers() error {
	known := map[string]bool{}
	for _, r := range o.o.Receivers {
		known[r.Name()] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var records []record
	for _, e := range o.state.entries {
		for _, name := range e.waiting {
			if !known[name] {
				records = append(records, record{Settle: &settled{identity: e.id, Receiver: name, Outcome: removed}})
				o.o.Logger.Warn("a notification is given up: its receiver is not configured any more", "receiver", name, "experiment", e.n.Experiment, "key", e.n.Key, "summary", e.n.Summary)
			}
		}
	}
	for name := range o.state.firing {
		if !known[name] {
			delete(o.state.firing, name)
		}
	}
	return o.write(true, records...)
}

// Add puts notifications into the queue. They are on disk when it returns nil.
// What is waiting already is not added again; for what was dealt with already
// Delivered is called again.
func (o *Outbox) Add(ns ...alerts.Notification) error {
	o.mu.Lock()
	var records []record
	for _, n := range ns {
		id := identify(n)
		if o.state.done[id] {
			o.tell = append(o.tell, n)
			continue
		}
		var to []string
		for _, s := range o.senders {
			if slices.Contains(o.o.Routes.Match(n), s.name) && s.receiver.Accepts(n.Action) {
				to = append(to, s.name)
			}
		}
		if e := o.state.known[id]; e != nil && !slices.ContainsFunc(to, func(name string) bool { return !slices.Contains(e.waiting, name) }) {
			continue
		}
		records = append(records, record{Add: &addition{N: n, To: to}})
	}
	err := o.write(true, records...)
	o.mu.Unlock()
	o.wake()
	return err
}

// write applies records and writes them. The caller holds the lock.
func (o *Outbox) write(durable bool, records ...record) error {
	for _, r := range records {
		if n := o.state.apply(r); n != nil {
			o.tell = append(o.tell, *n)
		}
	}
	// A file that could not be written is begun anew even if there is nothing to
	// add: what an earlier Add has failed to write is in the state.
	if len(records) == 0 && o.journal.file != nil {
		return nil
	}
	return o.journal.append(o.state, o.o.Now(), durable, records...)
}

// record applies and writes records that nobody waits for.
func (o *Outbox) record(durable bool, records ...record) {
	o.mu.Lock()
	err := o.write(durable, records...)
	o.mu.Unlock()
	if err != nil {
		o.o.Logger.Error("the outbox cannot be written; what was sent since may be sent again after a restart", "dir", o.o.Dir, "err", err)
	}
	select {
	case o.told <- struct{}{}:
	default:
	}
}

// wake has everybody look whether there is something to do.
func (o *Outbox) wake() {
	for _, c := range append(channels(o.senders), o.told) {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func channels(senders []*sender) []chan struct{} {
	var out []chan struct{}
	for _, s := range senders {
		out = append(out, s.wake)
	}
	return out
}

// Run sends until ctx is done, and then returns nil. A call that is under way
// then has two seconds left, and so has calling Delivered; what is broken off is
// made again by the next Run. It may run once at a time.
func (o *Outbox) Run(ctx context.Context) error {
	var sending, telling sync.WaitGroup
	for _, s := range o.senders {
		sending.Go(func() { s.run(ctx) })
	}
	sent := make(chan struct{})
	telling.Go(func() { o.tellAll(sent) })
	<-ctx.Done()
	sending.Wait()
	close(sent)
	telling.Wait()
	return nil
}

// tellAll calls Delivered, in one goroutine and without locks, until the end, and
// a little longer if there is still something to tell. What it does not get to is
// told when it is added again.
func (o *Outbox) tellAll(end <-chan struct{}) {
	over := func() bool { return false }
	for {
		o.mu.Lock()
		ns := o.tell
		o.tell = nil
		o.mu.Unlock()
		for _, n := range ns {
			if over() {
				return
			}
			o.o.Delivered(n)
		}
		if len(ns) > 0 {
			continue
		}
		if end == nil {
			return
		}
		select {
		case <-end:
			ended := time.Now()
			end, over = nil, func() bool { return time.Since(ended) > grace }
		case <-o.told:
		}
	}
}

// Close closes the files, after Run has returned. Nothing is lost without it.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.journal.close()
}
