package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// script is what happens to an experiment, in event time, ms: what its engine
// says of a window depends on nothing else.
type script struct {
	breaches [][2]int64
	changes  []int64
}

// fakeEngine follows a script.
type fakeEngine struct {
	w      *world
	script *script
	opts   alerts.Options
	state  fakeState
}

type fakeState struct {
	ThroughMs   int64
	Sequence    uint64
	Firing      int // 1 + index of the breach that fires
	Waiting     []alerts.Notification
	Open        *alerts.Notification
	WindowsSeen int
	Shown       []alerts.Alert `json:"shown"`
	Ticks       int
}

func (e *fakeEngine) Reconfigure(o alerts.Options) { e.opts = o }
func (e *fakeEngine) Open() (out []alerts.Notification) {
	if e.state.Open != nil {
		out = append(out, *e.state.Open)
	}
	return out
}

func (e *fakeEngine) State() ([]byte, error) {
	e.state.Shown = e.Alerts()
	return json.Marshal(e.state)
}
func (e *fakeEngine) Restore(b []byte) error             { return json.Unmarshal(b, &e.state) }
func (e *fakeEngine) Undelivered() []alerts.Notification { return slices.Clone(e.state.Waiting) }
func (e *fakeEngine) ThroughMs() int64                   { return e.state.ThroughMs }

func (e *fakeEngine) Delivered(sequence uint64) {
	e.state.Waiting = slices.DeleteFunc(e.state.Waiting, func(n alerts.Notification) bool { return n.Sequence == sequence })
}

func (e *fakeEngine) Alerts() []alerts.Alert {
	phase := alerts.Inactive
	if e.state.Firing > 0 {
		phase = alerts.Firing
	}
	return []alerts.Alert{{Key: alerts.Key(e.opts.Experiment, "", "breach", ""), Experiment: e.opts.Experiment, Phase: phase, Summary: e.opts.Owner}}
}

func (e *fakeEngine) Tick(time.Time, alerts.Health) []alerts.Notification {
	e.state.Ticks++
	return nil
}

func (e *fakeEngine) Step(w *alerts.Window, _ time.Time) (out []alerts.Notification) {
	if w.StartMs < e.state.ThroughMs {
		panic(fmt.Sprintf("window from %d after one to %d", w.StartMs, e.state.ThroughMs))
	}
	e.state.ThroughMs = w.EndMs
	e.state.WindowsSeen++
	tell := func(a alerts.Action, name string) {
		e.state.Sequence++
		n := alerts.Notification{Sequence: e.state.Sequence, Action: a, Experiment: e.opts.Experiment, AtMs: w.EndMs, Key: name, DecidedAt: e.w.now}
		switch a {
		case alerts.Trigger:
			e.state.Open = &n
		case alerts.Resolve:
			e.state.Open = nil
		case alerts.Change:
		}
		e.state.Waiting, out = append(e.state.Waiting, n), append(out, n)
	}
	key := alerts.Key(e.opts.Experiment, "", "breach", "")
	for i, b := range e.script.breaches {
		if b[0] < w.EndMs && w.EndMs <= b[1] && e.state.Firing == 0 {
			e.state.Firing = i + 1
			tell(alerts.Trigger, key)
		}
		if w.EndMs > b[1] && e.state.Firing == i+1 {
			e.state.Firing = 0
			tell(alerts.Resolve, key)
		}
	}
	for _, c := range e.script.changes {
		if w.StartMs < c && c <= w.EndMs {
			tell(alerts.Change, "ramp")
		}
	}
	return out
}

// receiver joins triggers by key, as PagerDuty does.
type receiver struct {
	open      map[string]bool
	incidents []string // key@event time of the trigger that opened it
	resolves  int      // that closed one
	changes   map[string]bool
	contents  map[string]string // of an experiment's sequence
	renewed   []string          // what came again with another content
	strict    bool              // the time of the decision is part of the content
}

func newReceiver() *receiver {
	return &receiver{open: map[string]bool{}, changes: map[string]bool{}, contents: map[string]string{}}
}

func (r *receiver) send(n alerts.Notification) {
	id := fmt.Sprintf("%s#%d", n.Experiment, n.Sequence)
	content := fmt.Sprintf("%s %s@%d", n.Action, n.Key, n.AtMs)
	if r.strict {
		content += fmt.Sprint(" decided at ", n.DecidedAt.UnixMilli())
	}
	if before, ok := r.contents[id]; ok && before != content {
		r.renewed = append(r.renewed, fmt.Sprintf("%s: %s, then %s", id, before, content))
	}
	r.contents[id] = content
	switch n.Action {
	case alerts.Trigger:
		if !r.open[n.Key] {
			r.open[n.Key] = true
			r.incidents = append(r.incidents, fmt.Sprintf("%s@%d", n.Key, n.AtMs))
		}
	case alerts.Resolve:
		if r.open[n.Key] {
			r.open[n.Key] = false
			r.resolves++
		}
	case alerts.Change:
		r.changes[n.Experiment+" "+content] = true
	}
}

// topic is the alerts topic, compacted.
type topic struct {
	records []record
	down    bool
}

type record struct {
	experiment string
	version    alertlog.Version
	state      []byte
}

// cut is what a process dies of in the middle of a write.
type cut struct{ write string }

// instance is one process and what outlives it.
type instance struct {
	w     *world
	name  string
	store *Memory
	box   *outbox
	full  bool // its disk takes no state

	*Runner
	log     *fakeLog
	owns    map[string]bool // as its consumer believes
	claims  int
	engines map[string]*fakeEngine
}

// world is some instances around one topic, one group and one receiver.
type world struct {
	t         *testing.T
	now       time.Time
	newestMs  int64
	firstMs   int64
	scripts   map[string]*script
	names     []string
	topic     topic
	receiver  *receiver
	epoch     uint64            // of the group
	owner     map[string]string // by the coordinator
	instances []*instance
	lines     bytes.Buffer

	inWindow  func() // happens once, while a window is asked for
	windowErr error
	owners    string // of the experiments, by the configuration

	writes   int // made
	cutAt    int // the write to die at; 0: none
	cutAfter bool
	trace    []string
}

const startMs = 1_790_000_000_000

func newWorld(t *testing.T, scripts map[string]*script) *world {
	w := &world{
		t: t, now: time.UnixMilli(startMs), newestMs: startMs, firstMs: startMs, scripts: scripts, receiver: newReceiver(),
		epoch: 1, owner: map[string]string{},
	}
	for name := range scripts {
		w.names = append(w.names, name)
	}
	slices.Sort(w.names)
	return w
}

// write is a write of some process to somewhere.
func (w *world) write(what string, effect func()) {
	w.writes++
	if w.writes == w.cutAt && !w.cutAfter {
		panic(cut{what})
	}
	effect()
	if w.writes == w.cutAt {
		panic(cut{what})
	}
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%4d s: ", (w.now.UnixMilli()-startMs)/1000)+fmt.Sprintf(format, args...))
}

func (w *world) instance(name string) *instance {
	i := &instance{w: w, name: name, store: NewMemory(), owns: map[string]bool{}}
	i.box = &outbox{i: i, known: map[string]bool{}, reminds: map[string]bool{}}
	w.instances = append(w.instances, i)
	i.start()
	return i
}

// start begins the process anew: what was only in memory is gone.
func (i *instance) start() {
	i.log = &fakeLog{w: i.w, view: map[string]record{}, pending: map[string]record{}}
	i.engines = map[string]*fakeEngine{}
	i.Runner = NewRunner(RunnerOptions{
		Experiments: func() []string { return i.w.names },
		Owned:       func(e string) bool { return i.owns[e] },
		Claim:       i.claim,
		Ready:       func() bool { return true },
		Engine:      func(e string) alerts.Options { return alerts.Options{Experiment: e, Owner: i.w.owners} },
		NewEngine: func(o alerts.Options) Engine {
			e := &fakeEngine{w: i.w, opts: o, script: i.w.scripts[o.Experiment]}
			i.engines[o.Experiment] = e
			return e
		},
		Windows: i.w, Health: func(string) alerts.Health { return alerts.Health{NewestMs: i.w.newestMs} },
		Log: i.log, Store: cuttable{i}, Outbox: i.box,
		Now: func() time.Time { return i.w.now }, Logger: slog.New(slog.NewTextHandler(&i.w.lines, nil)),
	})
}

var errNotOwner = errors.New("another member may have the partition")

func (i *instance) claim(_ context.Context, experiment string, seen uint64) (uint64, error) {
	i.claims++
	if i.w.owner[experiment] != i.name {
		return 0, errNotOwner
	}
	return max(i.w.epoch, seen), nil
}

// assign gives an experiment to an instance, which does not know it yet.
func (w *world) assign(experiment string, to *instance) {
	w.epoch++
	w.owner[experiment] = to.name
}

// learn tells an instance what the group has given it.
func (i *instance) learn() {
	for _, e := range i.w.names {
		i.owns[e] = i.w.owner[e] == i.name
	}
}

// Complete has windows of 10 s.
func (w *world) Complete(_ string, throughMs int64) (fromMs, toMs int64, ok bool) {
	from := throughMs
	if from == 0 {
		from = w.firstMs
	}
	from = (from + 9999) / 10_000 * 10_000
	return from, from + 10_000, from+10_000 <= w.newestMs
}

func (w *world) Window(_ string, fromMs, toMs int64) (*alerts.Window, error) {
	if w.inWindow != nil {
		w.inWindow()
		w.inWindow = nil
	}
	if w.windowErr != nil {
		return nil, w.windowErr
	}
	return &alerts.Window{StartMs: fromMs, EndMs: toMs}, nil
}

// pass lets a second pass.
func (w *world) pass() {
	w.now = w.now.Add(time.Second)
	w.newestMs += 1000
}

// run does what an instance does in a second, or dies in it, and says whether it died.
func (i *instance) run() (died bool) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case cut:
			i.w.note("%s dies at write %d: %s", i.name, i.w.writes, r.write)
			i.start()
			died = true
		default:
			panic(r)
		}
	}()
	i.box.pump()
	i.log.pump()
	i.turn(context.Background())
	i.log.pump()
	i.box.pump()
	i.log.pump()
	return false
}

// settled wants one incident and one resolve a breach, each change, and no new sequence.
func (w *world) settled(what string) {
	w.t.Helper()
	breaches, changes := 0, 0
	for _, s := range w.scripts {
		breaches += len(s.breaches)
		changes += len(s.changes)
	}
	r := w.receiver
	if len(r.incidents) != breaches || r.resolves != breaches || len(r.changes) != changes || len(r.renewed) > 0 {
		w.t.Errorf("%s: %d incidents, %d resolved, %d changes, want %d, %d, %d\nincidents %v\nrenewed %v\n%s",
			what, len(r.incidents), r.resolves, len(r.changes), breaches, breaches, changes, r.incidents, r.renewed, strings.Join(w.trace, "\n"))
		if len(w.lines.String()) < 5000 {
			w.t.Logf("log:\n%s", w.lines.String())
		}
	}
}
