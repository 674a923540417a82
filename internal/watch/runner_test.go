package watch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// breached is a world whose experiment x is breached from 15 s on, owned by a.
func breached(t *testing.T) (w *world, a *instance) {
	w = newWorld(t, map[string]*script{"x": {breaches: [][2]int64{{at(15), at(1000)}}}})
	a = w.instance("a")
	w.assign("x", a)
	a.learn()
	return w, a
}

func (w *world) seconds(n int, instances ...*instance) {
	for range n {
		w.pass()
		for _, i := range instances {
			i.run()
		}
	}
}

func TestNobodyIsToldOfWhatIsNotStored(t *testing.T) {
	w, a := breached(t)
	w.seconds(10, a)
	a.full = true
	w.seconds(30, a)
	if n := len(w.receiver.incidents) + len(a.box.known); n != 0 {
		t.Errorf("%d notifications left while no state could be stored, want 0", n)
	}
	if n := strings.Count(w.lines.String(), "no space left on device"); n != 1 {
		t.Errorf("%d lines about it, want 1", n)
	}
	a.full = false
	w.seconds(1, a)
	if len(w.receiver.incidents) != 1 {
		t.Errorf("incidents once there is room: %v, want 1", w.receiver.incidents)
	}
}

// An owner that reads a state of a newer epoch stops without another write.
func TestZombieStops(t *testing.T) {
	w, a := breached(t)
	w.seconds(10, a)
	before := a.store.states["x"].version
	w.topic.records = append(w.topic.records, record{"x", alertlog.Version{Epoch: 99, Sequence: 1}, []byte("{}")})
	w.epoch, w.owner["x"] = 99, "b" // which a has not heard of
	w.seconds(30, a)
	if v := a.store.states["x"].version; v != before {
		t.Errorf("stored %v after a state of epoch 99 was read, want still %v", v, before)
	}
	if a.Owns("x") || len(a.box.known) > 0 {
		t.Errorf("owns x: %v, handed over %v; want neither", a.Owns("x"), a.box.known)
	}
	if n := strings.Count(w.lines.String(), "left to its new owner"); n != 1 {
		t.Errorf("%d lines about it, want 1", n)
	}
}

// A process that has stood still tells nothing before it has asked the group.
func TestStoodStill(t *testing.T) {
	for _, tc := range []struct {
		name   string
		owner  string // once it goes on
		told   int
		within bool // it stands still in the middle of a turn
	}{
		{name: "and is still the owner", owner: "a", told: 1},
		{name: "and is not", owner: "b"},
		{name: "in a turn and is still the owner", owner: "a", told: 1, within: true},
		{name: "in a turn and is not", owner: "b", within: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, a := breached(t)
			w.seconds(19, a) // the next window is the first of the breach
			sleep := func() {
				w.now = w.now.Add(time.Minute)
				w.owner["x"] = tc.owner
			}
			if tc.within {
				w.inWindow = sleep
			} else {
				sleep()
				if a.Owns("x") {
					t.Error("the outbox is told that x is owned, by a process that stood still")
				}
			}
			w.newestMs += 10_000
			a.run()
			if n := len(w.receiver.incidents); n != tc.told {
				t.Errorf("%d incidents, want %d", n, tc.told)
			}
		})
	}
}

// What the outbox drops because the process stood still it is given again, if
// the experiment is still ours, and with it what is firing.
func TestDroppedWhileStoodStill(t *testing.T) {
	w, a := breached(t)
	a.box.down = true
	w.seconds(30, a)
	if len(a.box.waiting) != 1 || len(a.box.reminds) != 0 {
		t.Fatalf("waiting %v, reminded of %v; want one, and nothing before it is sent", a.box.waiting, a.box.reminds)
	}
	w.now = w.now.Add(time.Minute)
	a.box.down = false
	a.box.pump()
	if len(a.box.waiting) > 0 || len(w.receiver.incidents) > 0 {
		t.Fatalf("a process that stood still sent %v and keeps %v, want neither", w.receiver.incidents, a.box.waiting)
	}
	w.seconds(1, a)
	if len(w.receiver.incidents) != 1 || len(a.box.reminds) != 1 {
		t.Errorf("incidents %v, reminded of %v; want the one of the breach", w.receiver.incidents, a.box.reminds)
	}
}

// A new owner has receivers reminded of what was firing before.
func TestAdopts(t *testing.T) {
	w, a := breached(t)
	w.seconds(30, a)
	if len(w.receiver.incidents) != 1 {
		t.Fatalf("incidents: %v, want 1", w.receiver.incidents)
	}
	b := w.instance("b")
	b.box.full = true
	w.assign("x", b)
	a.learn()
	b.learn()
	w.seconds(10, a, b)
	if n := strings.Count(w.lines.String(), "1 alerts that are firing may be forgotten"); n != 1 {
		t.Errorf("%d lines about an outbox that takes nothing, want 1", n)
	}
	b.box.full = false
	w.seconds(1, a, b)
	if len(b.box.reminds) != 1 {
		t.Errorf("reminded of %v, want of what fires", b.box.reminds)
	}
}

// While the group has given nothing yet, nothing is taken up; what it has taken
// away is given up all the same.
func TestNotReady(t *testing.T) {
	w, a := breached(t)
	ready := false
	a.o.Ready = func() bool { return ready }
	opened := func() bool { return !a.isOpening() }
	w.seconds(5, a)
	if a.unit("x") != nil || opened() {
		t.Error("an experiment was taken up before the group had given it")
	}
	ready = true
	w.seconds(1, a)
	if a.unit("x") == nil || !opened() {
		t.Error("the experiment was not taken up")
	}
	ready = false
	w.seconds(1, a)
	if a.unit("x") == nil {
		t.Error("the experiment was given up")
	}
	a.owns["x"] = false
	w.seconds(1, a)
	if a.unit("x") != nil || !opened() {
		t.Error("the experiment was not given up")
	}
}

// What is delivered after an experiment was given away is the next owner's to note.
func TestDeliveredTooLate(t *testing.T) {
	w, a := breached(t)
	a.box.down = true
	w.seconds(30, a)
	u := a.unit("x")
	a.owns["x"] = false
	w.seconds(1, a)
	before := a.store.states["x"].version
	a.units["x"] = u // as a delivery under way has it
	if err := a.Delivered(alerts.Notification{Experiment: "x", Sequence: 1}); err != nil {
		t.Errorf("Delivered = %v", err)
	}
	delete(a.units, "x")
	if err := a.Delivered(alerts.Notification{Experiment: "x", Sequence: 1}); err != nil {
		t.Errorf("Delivered = %v", err)
	}
	if v := a.store.states["x"].version; v != before {
		t.Errorf("stored %v once the experiment was given away, want still %v", v, before)
	}
}

// An experiment is taken up once all that its last owner wrote is known.
func TestOpensWhenTheTopicIsRead(t *testing.T) {
	w, a := breached(t)
	w.seconds(1, a)
	w.topic.down = true
	b := w.instance("b")
	b.log.next = 1 // it has been ready before
	w.assign("x", b)
	a.owns["x"] = false
	b.learn()
	w.seconds(10, b)
	if b.unit("x") != nil {
		t.Error("an experiment was taken up while the topic was away")
	}
	w.topic.down = false
	b.log.next = 0
	for range 5 { // it reads slowly: turns without a pump
		w.pass()
		b.log.next = 0
		b.turn(context.Background())
	}
	if b.unit("x") != nil {
		t.Error("an experiment was taken up before the topic had been read")
	}
	w.seconds(3, b)
	if b.unit("x") == nil {
		t.Error("the experiment was not taken up")
	}
}

func TestCatchingUp(t *testing.T) {
	w, a := breached(t)
	w.firstMs = startMs - 10*time.Hour.Milliseconds()
	w.seconds(1, a)
	seen := a.engines["x"].state.WindowsSeen
	if want := int(lookback/(10*time.Second)) - 1; seen != want { // it is not cut in two
		t.Errorf("%d windows on first sight, want those of an hour, %d", seen, want)
	}
	w.seconds(8, a)
	w.newestMs += 500 * 10_000
	w.seconds(1, a)
	if got, want := a.engines["x"].state.WindowsSeen, seen+turnWindows; got != want {
		t.Errorf("%d windows after one turn, want %d", got, want)
	}
	w.seconds(1, a)
	if got, want := a.engines["x"].state.WindowsSeen, seen+501; got != want {
		t.Errorf("%d windows after two turns, want %d", got, want)
	}
}

func TestWindowFails(t *testing.T) {
	w, a := breached(t)
	w.windowErr = errors.New("unknown experiment")
	w.seconds(30, a)
	if n := strings.Count(w.lines.String(), "window 1790000000000 to 1790000010000 ms: unknown experiment"); n != 1 {
		t.Errorf("%d lines about it, want 1", n)
	}
	w.windowErr = nil
	w.seconds(1, a)
	if got := a.engines["x"].state.WindowsSeen; got != 3 {
		t.Errorf("%d windows once it works, want 3", got)
	}
}

// Any instance shows the alerts of all.
func TestAlerts(t *testing.T) {
	w := newWorld(t, map[string]*script{"x": {breaches: [][2]int64{{at(15), at(1000)}}}, "y": {}, "z": {}})
	a, b := w.instance("a"), w.instance("b")
	w.assign("x", a)
	w.assign("y", b)
	a.learn()
	b.learn()
	w.seconds(40, a, b)
	for _, i := range []*instance{a, b, a} {
		var got []string
		for _, alert := range i.Alerts() {
			got = append(got, alert.Experiment+" "+string(alert.Phase))
		}
		if s := strings.Join(got, ", "); s != "x firing, y inactive" {
			t.Errorf("%s shows %q", i.name, s)
		}
	}
	before := &a.published("y")[0]
	if &a.published("y")[0] != before {
		t.Error("a state that has not changed was decoded again")
	}
	// Of others what their owners have published, under their configuration.
	w.owners = "another team"
	a.Reconfigure()
	for _, alert := range a.Alerts() {
		want := map[string]string{"x": "another team", "y": ""}[alert.Experiment]
		if alert.Summary != want {
			t.Errorf("%s is shown under the owner %q, want %q", alert.Experiment, alert.Summary, want)
		}
	}
}

// A state that only this program's successor can read is left as it is.
func TestUnreadableState(t *testing.T) {
	w, a := breached(t)
	a.store.states["x"] = saved{alertlog.Version{Epoch: 1, Sequence: 5}, []byte("not JSON")}
	w.seconds(20, a)
	if got := string(a.store.states["x"].state); got != "not JSON" || a.unit("x") != nil {
		t.Errorf("the state is %q", got)
	}
	if a.isOpening() {
		t.Error("the outbox waits for a state that nobody can read")
	}
	if n := strings.Count(w.lines.String(), "state 1.5: "); n != 1 {
		t.Errorf("%d lines about it, want 1", n)
	}
}

// Run works by the clock, and ends with the state on the topic.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a := breached(t)
		w.newestMs = at(9)
		began := time.Now()
		a.o.Now = func() time.Time { return w.now.Add(time.Since(began)) }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(35500 * time.Millisecond)
		synctest.Wait()
		// One to claim it, and one each ten seconds.
		if v := a.store.states["x"].version; v.Sequence != 4 {
			t.Errorf("stored %v after 35 s, want 4 times", v)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if n := len(w.topic.records); n == 0 || w.topic.records[n-1].version.Sequence != 5 {
			t.Errorf("%d records on the topic, want the last state among them", n)
		}
		if a.Owns("x") {
			t.Error("x is owned after the end")
		}
	})
}
