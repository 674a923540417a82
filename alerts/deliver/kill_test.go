package deliver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty/pagerdutytest"
)

// childURL is set in processes that TestKilled starts.
const childURL = "RAMPGAUGE_TEST_PAGERDUTY"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := child(url, os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child is an instance that adds the same notifications at each start, as an
// engine does that has not heard of their delivery, and sends until it is killed.
func child(url, dir, keyFile string) error {
	p, err := pagerduty.New(pagerduty.Options{Name: "pager", RoutingKeyFile: keyFile, URL: url})
	if err != nil {
		return err
	}
	box, err := Open(Options{Dir: dir, Receivers: []Receiver{p}, Routes: Routes{Default: []string{"pager"}}})
	if err != nil {
		return err
	}
	if err := box.Add(scene()...); err != nil {
		return err
	}
	return box.Run(context.Background())
}

func scene() []alerts.Notification {
	s := &story{experiment: "exp"}
	ns := []alerts.Notification{s.fires("a"), s.steps(), s.resolves("a"), s.fires("b"), s.resolves("b")}
	for i := range ns { // the same at each start
		ns[i].AtMs, ns[i].DecidedAt = int64(i), time.UnixMilli(1_800_000_000_000)
	}
	return ns
}

// TestKilled kills a process by SIGKILL whenever PagerDuty has taken an event
// and the answer is on its way.
func TestKilled(t *testing.T) {
	fake, err := pagerdutytest.Start(pagerdutytest.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir, keyFile := t.TempDir(), filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(routingKey), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() (kill func()) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], dir, keyFile)
		cmd.Env = append(os.Environ(), childURL+"="+fake.URL())
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // says that it was killed
		}
	}
	events := func() int {
		sum := 0
		for _, in := range fake.Incidents() {
			sum += in.Triggers + in.Resolves
		}
		for _, c := range fake.Changes() {
			sum += c.Times
		}
		return sum
	}
	// Each of these processes is killed while its first call waits for an answer.
	for i := range 4 {
		if err := fake.Set(pagerdutytest.AcceptAndHang); err != nil {
			t.Fatal(err)
		}
		before := events()
		kill := start()
		eventually(t, fmt.Sprintf("process %d: an event taken without answer", i), func() bool { return events() > before })
		kill()
		if err := fake.Set(pagerdutytest.None); err != nil {
			t.Fatal(err)
		}
	}
	kill := start()
	eventually(t, "all resolved", func() bool {
		open := 0
		for _, in := range fake.Incidents() {
			if in.Open {
				open++
			}
		}
		return open == 0 && len(fake.Incidents()) == 2 && len(fake.Changes()) == 1
	})
	kill()
	want(t, fake.Fake, 2, 1)
	if in := fake.Incidents(); in[0].Triggers != 5 {
		t.Errorf("the first trigger came %d times, want once from each process: nobody has had an answer", in[0].Triggers)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// TestRealServer misbehaves on real sockets.
func TestRealServer(t *testing.T) {
	fake, err := pagerdutytest.Start(pagerdutytest.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	}()
	p := pager(t, fake.Fake, func(o *pagerduty.Options) { o.Transport, o.URL, o.Timeout = nil, fake.URL(), 300*time.Millisecond })
	n := (&story{experiment: "exp"}).fires("a")
	for _, fault := range []pagerdutytest.Fault{
		pagerdutytest.Refused, pagerdutytest.Broken, pagerdutytest.Hang, pagerdutytest.AcceptAndDrop, pagerdutytest.AcceptAndHang, pagerdutytest.Throttled,
	} {
		if err := fake.Set(fault); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), n); err == nil {
			t.Errorf("fault %d: got no error, want one", fault)
		}
	}
	if err := fake.Set(pagerdutytest.None); err != nil {
		t.Fatal(err)
	}
	if err := p.Send(t.Context(), n); err != nil {
		t.Error(err)
	}
	if in := fake.Incidents(); len(in) != 1 || in[0].Triggers != 3 {
		t.Errorf("got %+v, want one incident with three triggers", in)
	}
}
