package deliver

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty/pagerdutytest"
)

// crashing copies the directory at a call, before or after it is made, and never
// returns from it until the process is gone.
type crashing struct {
	*pagerduty.Receiver
	from, to string
	at       int64
	before   bool
	calls    atomic.Int64
	crashed  chan struct{}
}

func (c *crashing) Send(ctx context.Context, n alerts.Notification) error {
	if c.calls.Add(1) != c.at {
		return c.Receiver.Send(ctx, n)
	}
	if !c.before {
		if err := c.Receiver.Send(ctx, n); err != nil {
			return err
		}
	}
	if err := os.CopyFS(c.to, os.DirFS(c.from)); err != nil {
		return err
	}
	close(c.crashed)
	<-ctx.Done()
	return ctx.Err()
}

// TestCrashAtEveryCall goes on from the disk as it was then; what was not told
// as delivered is added again, as the engine does.
func TestCrashAtEveryCall(t *testing.T) {
	for _, before := range []bool{true, false} {
		for at := int64(1); at <= 9; at++ {
			synctest.Test(t, func(t *testing.T) {
				fake := pagerdutytest.New(nil)
				first, second := t.TempDir(), t.TempDir()
				c := &crashing{Receiver: pager(t, fake), from: first, to: second, at: at, before: before, crashed: make(chan struct{})}
				one := newRig(t, first, c).start()
				s := &story{experiment: "exp"}
				var all []alerts.Notification
				for _, subject := range []string{"a", "b", "c"} {
					n := []alerts.Notification{s.fires(subject), s.steps(), s.resolves(subject)}
					all = append(all, n...)
					one.add(n...)
				}
				<-c.crashed
				told := one.told()
				one.halt()
				two := newRig(t, second, pager(t, fake)).open()
				for _, n := range all {
					if !slices.Contains(told, n.Sequence) {
						two.add(n)
					}
				}
				two.start()
				passes(time.Minute)
				two.halt()
				want(t, fake, 3, 3)
				// All that is sent twice is what was under way.
				if got, most := fake.Answers(202), 10; got > most {
					t.Errorf("crash at %d: %d calls, want at most %d", at, got, most)
				}
				if got := len(told) + len(two.told()); got < 9 {
					t.Errorf("crash at %d: %d notifications were told, want 9", at, got)
				}
			})
		}
	}
}

// written returns the journal of a few additions and outcomes.
func written(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		r := newRig(t, dir, pager(t, fake)).start()
		s := &story{experiment: "exp"}
		r.add(s.fires("a"), s.steps())
		passes(time.Second)
		fake.Set(pagerdutytest.Refused)
		r.add(s.resolves("a"), s.fires("b"))
		passes(time.Second)
		r.halt()
	})
	data, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTornJournal: of a journal that was cut anywhere all whole lines count.
func TestTornJournal(t *testing.T) {
	data := written(t)
	for cut := range len(data) {
		s, damaged, err := readJournal(data[:cut])
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := bytes.Count(data[:cut], []byte("\n"))
		wanted, _, err := readJournal(data[:bytes.LastIndexByte(data[:cut], '\n')+1])
		if err != nil {
			t.Fatal(err)
		}
		rest := cut - (bytes.LastIndexByte(data[:cut], '\n') + 1)
		atEnd := data[cut] == '\n' && rest > 0 // all of a line but its end: it counts
		if torn := rest > 0 && !atEnd; torn != (damaged == 1) {
			t.Errorf("cut at %d: %d damaged lines of %d", cut, damaged, whole)
		}
		if !atEnd && (len(s.entries) != len(wanted.entries) || len(s.done) != len(wanted.done)) {
			t.Errorf("cut at %d: got %d entries and %d done, want %d and %d", cut, len(s.entries), len(s.done), len(wanted.entries), len(wanted.done))
		}
	}
}

// TestDamagedByte: a byte that changes costs its own line and is told of.
func TestDamagedByte(t *testing.T) {
	data := written(t)
	for i := 0; i < len(data); i += 3 {
		bad := bytes.Clone(data)
		bad[i] ^= 0x04
		_, damaged, err := readJournal(bad)
		if err != nil || damaged < 1 || damaged > 2 { // two, if a line's end is lost or made
			t.Errorf("byte %d of %q: %d damaged lines, %v", i, data[max(0, i-5):min(len(data), i+5)], damaged, err)
		}
	}
}

func TestDamageIsToldOf(t *testing.T) {
	dir := t.TempDir()
	data := written(t)
	if err := os.WriteFile(filepath.Join(dir, journalName), data[:len(data)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, asideName), []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, dir, pager(t, pagerdutytest.New(nil))).open()
	if !strings.Contains(r.logged(), "damaged lines") {
		t.Errorf("log: %q, want a warning", r.logged())
	}
	if err := r.box.Close(); err != nil {
		t.Error(err)
	}
	r = newRig(t, dir, pager(t, pagerdutytest.New(nil))).open()
	if r.logged() != "" {
		t.Errorf("log: %q, want the damage gone", r.logged())
	}
	if err := r.box.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	line, err := appendRecord(nil, record{Format: format + 1})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, journalName)
	if err := os.WriteFile(path, line, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "format 2, want 1") {
		t.Errorf("got %v, want the format refused", err)
	}
	if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, line) {
		t.Errorf("the journal was changed: %q, %v", left, err)
	}
}

// TestDiskFails: Add says so, and adding again once the disk is well makes it
// durable.
func TestDiskFails(t *testing.T) {
	dir := t.TempDir()
	c := &recorder{name: "c"}
	r := newRig(t, dir, c).open()
	s := &story{experiment: "exp"}
	n := s.fires("x")
	if err := r.box.journal.file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.box.Add(n); err == nil {
		t.Fatal("Add: got no error, want one")
	}
	if err := r.box.Add(n); err != nil {
		t.Fatal(err)
	}
	again := newRig(t, dir, c).open()
	if got := again.box.Counts()[0].Queued; got != 1 {
		t.Errorf("%d are queued after a restart, want 1", got)
	}
	if err := again.box.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzReadJournal(f *testing.F) {
	n := (&story{experiment: "exp"}).fires("a")
	var b []byte
	for _, r := range []record{
		{Format: format}, {Add: &addition{N: n, To: []string{"a", "b"}}}, {Settle: &settled{identity: identify(n), Receiver: "a", Outcome: sent, Keep: true}},
		{Settle: &settled{identity: identify(n), Receiver: "b", Outcome: refused}}, {Call: &called{"k", 5}}, {Quiet: &quietened{"a", n.Key}},
	} {
		var err error
		if b, err = appendRecord(b, r); err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
	}
	f.Add([]byte(`{"add":{"n":{},"to":[]}}`), false)
	f.Add([]byte(`{"fire":{"receiver":"x","n":{"key":"k"}}}`), false)
	f.Fuzz(func(t *testing.T, data []byte, raw bool) {
		if !raw { // JSON that has a good checksum
			var lines []byte
			for line := range bytes.SplitSeq(data, []byte{'\n'}) {
				lines = appendLine(lines, line)
			}
			data = lines
		}
		s, _, err := readJournal(data)
		if err != nil {
			return
		}
		// What is written of it reads as the same.
		var b []byte
		for _, r := range s.snapshot(time.UnixMilli(0)) {
			if b, err = appendRecord(b, r); err != nil {
				t.Fatal(err)
			}
		}
		again, damaged, err := readJournal(b)
		if err != nil || damaged > 0 {
			t.Fatalf("the snapshot has %d damaged lines, %v", damaged, err)
		}
		if len(again.entries) != len(s.entries) || len(again.done) != len(s.done) {
			t.Fatalf("got %d entries and %d done, want %d and %d", len(again.entries), len(again.done), len(s.entries), len(s.done))
		}
	})
}
