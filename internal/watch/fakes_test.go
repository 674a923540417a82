package watch

import (
	"context"
	"errors"
	"fmt"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// cuttable is a Store whose process may die in the middle of a Save.
type cuttable struct{ i *instance }

func (c cuttable) Load(experiment string) (alertlog.Version, []byte, bool, error) {
	return c.i.store.Load(experiment)
}

func (c cuttable) Save(experiment string, v alertlog.Version, state []byte) (err error) {
	if c.i.full {
		return errFull
	}
	c.i.w.write("store", func() { err = c.i.store.Save(experiment, v, state) })
	return err
}

// fakeLog is one instance's view of the topic.
type fakeLog struct {
	w       *world
	view    map[string]record
	pending map[string]record
	next    int
}

var errDown = errors.New("broker unreachable")

func (l *fakeLog) Ready() bool { return l.next > 0 || !l.w.topic.down }

func (l *fakeLog) CaughtUp(context.Context) (bool, error) {
	if l.w.topic.down {
		return false, errDown
	}
	return l.next == len(l.w.topic.records), nil
}

func (l *fakeLog) Get(experiment string) (alertlog.Version, []byte, bool) {
	r, ok := l.view[experiment]
	return r.version, r.state, ok
}

func (l *fakeLog) Put(experiment string, v alertlog.Version, state []byte) {
	if r := l.view[experiment]; !r.version.Less(v) {
		return
	}
	l.view[experiment] = record{experiment, v, state}
	l.pending[experiment] = l.view[experiment]
}

func (l *fakeLog) Flush(context.Context) error {
	if l.w.topic.down && len(l.pending) > 0 {
		return errDown
	}
	l.pump()
	return nil
}

// pump writes what waits, and reads what is there.
func (l *fakeLog) pump() {
	if l.w.topic.down {
		return
	}
	for _, name := range l.w.names {
		if r, ok := l.pending[name]; ok {
			delete(l.pending, name)
			l.w.write("topic", func() { l.w.topic.records = append(l.w.topic.records, r) })
		}
	}
	for ; l.next < len(l.w.topic.records); l.next++ {
		r := l.w.topic.records[l.next]
		if l.view[r.experiment].version.Less(r.version) {
			l.view[r.experiment] = r
			delete(l.pending, r.experiment)
		}
	}
}

// outbox is on an instance's disk. It delivers in order what its instance owns.
type outbox struct {
	i       *instance
	known   map[string]bool // false: waiting; true: delivered
	waiting []alerts.Notification
	reminds map[string]bool // keys that it reminds of
	down    bool            // the receiver is
	full    bool            // the disk is
}

func identity(n alerts.Notification) string {
	return fmt.Sprint(n.Experiment, n.Sequence, n.Key, n.Action, n.AtMs)
}

var errFull = errors.New("no space left on device")

func (o *outbox) Add(told ...alerts.Notification) error {
	if o.full {
		return errFull
	}
	var again []alerts.Notification
	o.i.w.write("outbox", func() {
		for _, n := range told {
			done, known := o.known[identity(n)]
			switch {
			case !known:
				o.known[identity(n)] = false
				o.waiting = append(o.waiting, n)
			case done:
				again = append(again, n)
			}
		}
	})
	for _, n := range again {
		_ = o.i.Delivered(n)
	}
	return nil
}

func (o *outbox) Adopt(triggers ...alerts.Notification) error {
	if o.full {
		return errFull
	}
	for _, n := range triggers {
		o.reminds[n.Key] = true
	}
	return nil
}

func (o *outbox) pump() {
	select {
	case <-o.i.Opened():
	default:
		return
	}
	for len(o.waiting) > 0 && !o.down {
		n := o.waiting[0]
		if !o.i.Owns(n.Experiment) {
			o.waiting = o.waiting[1:]
			delete(o.known, identity(n)) // if it comes back, it has to be sent
			continue
		}
		o.i.w.note("%s sends %s %s#%d@%d", o.i.name, n.Action, n.Experiment, n.Sequence, (n.AtMs-startMs)/1000)
		o.i.w.write("send "+string(n.Action), func() { o.i.w.receiver.send(n) })
		o.i.w.write("settle", func() {
			o.waiting = o.waiting[1:]
			o.known[identity(n)] = true
		})
		if err := o.i.Delivered(n); err != nil && !o.i.full {
			o.i.w.t.Errorf("Delivered: %v", err)
		}
	}
}
