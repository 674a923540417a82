package e2e

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// TestDiskBudget runs the log with no room on disk: nothing is taken, nothing
// is lost, and the status says why. With room it is all there.
func TestDiskBudget(t *testing.T) {
	l := logs(t)[0]
	want := l.expected(t)
	cfg := startBroker(t, event.Protobuf)
	produceFiles(t, cfg, l.dir)
	cfg.State.MaxDisk = 1
	s, stop := runService(t, cfg, nil)
	st := s.overDisk()
	if st.CaughtUp || st.Budgets.StateDiskBytes <= 1 || st.LagRecords < want.Auctions {
		t.Errorf("over the budget: %+v, want at least %d records behind", st, want.Auctions)
	}
	for name, r := range st.Records {
		if r.Consumed != 0 {
			t.Errorf("%s: %d consumed without room on disk", name, r.Consumed)
		}
	}
	for name, least := range map[string]float64{"rampgauge_state_over_budget": 1, "rampgauge_state_disk_bytes": 2} {
		if v := s.metric(name); v < least {
			t.Errorf("%s = %v, want at least %v", name, v, least)
		}
	}
	before := time.Now()
	stop()
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("took %s to leave", took)
	}

	cfg.State.MaxDisk = 1 << 40
	s = startService(t, cfg, nil)
	st = s.caughtUp()
	checkConsumed(t, st, want)
	if st.Budgets.OverDisk || st.Budgets.StateDiskBytes == 0 || st.Budgets.JoinMemoryBytes == 0 || s.metric("rampgauge_state_over_budget") != 0 {
		t.Errorf("with room: %+v", st.Budgets)
	}
	for _, d := range compareExpected(parseSummary(t, s.get(summaryPath(want.Experiment, "slot"))), want) {
		t.Error(d)
	}
}

// TestMemoryBudget runs the log with next to no memory: auctions are dropped
// while impressions are on their way to them, which is counted, and read again.
func TestMemoryBudget(t *testing.T) {
	l := logs(t)[0]
	want := l.expected(t)
	cfg := startBroker(t, event.Protobuf)
	cfg.Join.Memory = 1
	produceFiles(t, cfg, l.dir)
	start := time.Now()
	// Late records are gathered for seconds before they are sought.
	s := startService(t, cfg, func() time.Time { return time.UnixMilli(clockMs).Add(100 * time.Since(start)) })
	checkConsumed(t, s.caughtUp(), want)
	for _, d := range compareExpected(parseSummary(t, s.get(summaryPath(want.Experiment, "slot"))), want) {
		t.Error(d)
	}
	if n := s.metric("rampgauge_join_early_evictions_total"); n == 0 {
		t.Error("no bucket was dropped early")
	}
}

// overDisk waits until the service says that its disk budget is used up.
func (s server) overDisk() status {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if st, err := s.status(); err == nil && st.Budgets.OverDisk && st.LagRecords > 0 {
			return st
		}
		if time.Now().After(deadline) {
			s.t.Fatal("the disk budget is not used up")
		}
	}
}

// metric is the value of a metric without labels.
func (s server) metric(name string) float64 {
	s.t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(s.get("/metrics"))
	if m == nil {
		s.t.Fatalf("/metrics lacks %s", name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}
