package deliver

import (
	"encoding/hex"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// identity is by which a notification is known again. The sequence would be
// enough, were it not that an experiment which is begun anew counts from 1 again.
type identity struct {
	Experiment string `json:"experiment"`
	Sequence   uint64 `json:"sequence"`
	Sum        string `json:"sum"` // of key, action and event time
}

func identify(n alerts.Notification) identity {
	h := fnv.New64a()
	_, _ = h.Write([]byte(n.Key + "\x00" + string(n.Action) + "\x00" + strconv.FormatInt(n.AtMs, 10)))
	return identity{n.Experiment, n.Sequence, hex.EncodeToString(h.Sum(nil))}
}

// outcome is how a receiver and a notification are done with each other.
type outcome string

const (
	sent     outcome = "sent"
	refused  outcome = "refused"  // for good
	disowned outcome = "disowned" // left to the experiment's new owner
	removed  outcome = "removed"  // there is no such receiver any more
)

// record is one line of the journal: exactly one of its fields is set.
type record struct {
	Format int        `json:"format,omitempty"`
	Add    *addition  `json:"add,omitempty"`
	Settle *settled   `json:"settle,omitempty"`
	Done   *identity  `json:"done,omitempty"`
	Fire   *firing    `json:"fire,omitempty"`
	Quiet  *quietened `json:"quiet,omitempty"`
	Call   *called    `json:"call,omitempty"`
}

// addition is a notification, with the receivers that wait for it.
type addition struct {
	N  alerts.Notification `json:"n"`
	To []string            `json:"to"`
	// Disowned is whether another receiver of it was left to a new owner.
	Disowned bool `json:"disowned,omitempty"`
}

type settled struct {
	identity
	Receiver string  `json:"receiver"`
	Outcome  outcome `json:"outcome"`
	// Keep is whether the receiver has to be told of it again while it fires.
	Keep bool `json:"keep,omitempty"`
}

// firing is a trigger that a receiver is to be told of again and again.
type firing struct {
	Receiver string              `json:"receiver"`
	N        alerts.Notification `json:"n"`
}

// quietened ends a firing.
type quietened struct {
	Receiver string `json:"receiver"`
	Key      string `json:"key"`
}

// called is a call against a limit.
type called struct {
	Limit string `json:"limit"`
	AtMs  int64  `json:"at_ms"`
}

// entry is a notification that some receivers wait for.
type entry struct {
	id       identity
	n        alerts.Notification
	waiting  []string
	disowned bool
}

// maxDone is how many notifications are remembered that were dealt with, for
// when they are added again by somebody who has not heard of it.
const maxDone = 4096

// keepCalls is how long a call matters to any limit.
const keepCalls = time.Minute

// state is what the journal amounts to.
type state struct {
	entries []*entry // in the order of arrival
	known   map[identity]*entry
	done    map[identity]bool
	doneLog []identity // the oldest first
	firing  map[string]map[string]alerts.Notification
	calls   map[string][]time.Time
}

func newState() *state {
	return &state{
		known: map[identity]*entry{}, done: map[identity]bool{},
		firing: map[string]map[string]alerts.Notification{}, calls: map[string][]time.Time{},
	}
}

// apply makes one step. It returns the notification that all its receivers are
// done with now, if there is one.
func (s *state) apply(r record) *alerts.Notification {
	switch {
	case r.Add != nil:
		return s.add(*r.Add)
	case r.Settle != nil:
		return s.settle(*r.Settle)
	case r.Done != nil:
		s.finish(*r.Done)
	case r.Fire != nil:
		s.fire(r.Fire.Receiver, r.Fire.N)
	case r.Quiet != nil:
		delete(s.firing[r.Quiet.Receiver], r.Quiet.Key)
	case r.Call != nil:
		s.calls[r.Call.Limit] = append(s.calls[r.Call.Limit], time.UnixMilli(r.Call.AtMs))
	}
	return nil
}

func (s *state) add(a addition) *alerts.Notification {
	id := identify(a.N)
	if s.done[id] {
		return nil
	}
	e := s.known[id]
	if e == nil {
		e = &entry{id: id, n: a.N}
		s.entries, s.known[id] = append(s.entries, e), e
	}
	e.disowned = e.disowned || a.Disowned
	for _, name := range a.To {
		if !slices.Contains(e.waiting, name) {
			e.waiting = append(e.waiting, name)
		}
	}
	return s.close(e)
}

func (s *state) settle(t settled) *alerts.Notification {
	e := s.known[t.identity]
	if e == nil {
		return nil
	}
	e.waiting = slices.DeleteFunc(e.waiting, func(name string) bool { return name == t.Receiver })
	e.disowned = e.disowned || t.Outcome == disowned
	switch {
	case e.n.Action == alerts.Resolve && t.Outcome != disowned:
		delete(s.firing[t.Receiver], e.n.Key)
	case e.n.Action == alerts.Trigger && t.Outcome == sent && t.Keep:
		s.fire(t.Receiver, e.n)
	}
	return s.close(e)
}

// close takes an entry out that nobody waits for.
func (s *state) close(e *entry) *alerts.Notification {
	if len(e.waiting) > 0 {
		return nil
	}
	delete(s.known, e.id)
	s.entries = slices.DeleteFunc(s.entries, func(o *entry) bool { return o == e })
	if e.disowned { // if it comes back, it has to be sent
		return nil
	}
	s.finish(e.id)
	return &e.n
}

func (s *state) finish(id identity) {
	if s.done[id] {
		return
	}
	s.done[id] = true
	if s.doneLog = append(s.doneLog, id); len(s.doneLog) > maxDone {
		delete(s.done, s.doneLog[0])
		s.doneLog = s.doneLog[1:]
	}
}

func (s *state) fire(receiver string, n alerts.Notification) {
	if s.firing[receiver] == nil {
		s.firing[receiver] = map[string]alerts.Notification{}
	}
	s.firing[receiver][n.Key] = n
}

// snapshot returns records that amount to the state.
func (s *state) snapshot(now time.Time) []record {
	out := []record{{Format: format}}
	for _, id := range s.doneLog {
		out = append(out, record{Done: &id})
	}
	for _, limit := range slices.Sorted(maps.Keys(s.calls)) {
		s.calls[limit] = slices.DeleteFunc(s.calls[limit], func(t time.Time) bool { return now.Sub(t) >= keepCalls })
		for _, t := range s.calls[limit] {
			out = append(out, record{Call: &called{limit, t.UnixMilli()}})
		}
	}
	for _, receiver := range slices.Sorted(maps.Keys(s.firing)) {
		for _, key := range slices.Sorted(maps.Keys(s.firing[receiver])) {
			out = append(out, record{Fire: &firing{receiver, s.firing[receiver][key]}})
		}
	}
	for _, e := range s.entries {
		out = append(out, record{Add: &addition{e.n, e.waiting, e.disowned}})
	}
	return out
}
