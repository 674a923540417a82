package main

import "testing"

const adviceLocked = "in use by another process: stop it, or give each instance a state directory of its own"

// TestStateInUse starts a second process on the directory of one that runs.
func TestStateInUse(t *testing.T) {
	s := newService(t, 100)
	dir := t.TempDir()
	first := s.run(s.config(dir))
	want, _ := s.answer(first)
	for _, group := range []string{"rampgauge", "another"} {
		t.Run(group, func(t *testing.T) {
			s := s.at(t)
			wantLine(t, s.run(s.config(dir, "kafka: {brokers: ["+s.brokers+"], group: "+group+"}")), dir, adviceLocked)
		})
	}
	if got, _ := s.answer(first); got != want || want == "" {
		t.Errorf("of the first process, afterwards: %s\nwant %s", got, want)
	}
	first.terminate()
	// Whoever comes when it is gone may have it.
	next := s.run(s.config(dir))
	if got, _ := s.answer(next); got != want {
		t.Errorf("of the next process: %s\nwant %s", got, want)
	}
	// A process that is killed leaves nothing that would have to be cleared away.
	if err := next.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	next.end()
	// Of another group, which need not find out first that a member is gone.
	last := s.run(s.config(dir, "kafka: {brokers: ["+s.brokers+"], group: last}"))
	if got, _ := s.answer(last); got != want {
		t.Errorf("after a kill: %s\nwant %s", got, want)
	}
	last.terminate()
}

// TestStateOfOtherSettings changes, one at a time, settings that the numbers
// depend on. The line says which, and with the old ones all goes on.
func TestStateOfOtherSettings(t *testing.T) {
	s := newService(t, 300)
	dir := t.TempDir()
	p := s.run(s.config(dir))
	want, _ := s.answer(p)
	p.terminate()
	for _, tc := range []struct{ name, line, want string }{
		{"join.window", "join: {window: 5m}", "join.window was 10m0s, is 5m0s; "},
		{"join.attribution_window and a type", "join: {attribution_window: 48h, conversion_types: [buy]}",
			`join.attribution_window was 24h0m0s, is 48h0m0s; join.conversion_types was [], is ["buy"]; `},
		{"aggregation.pane", "aggregation: {pane: 30s}", "aggregation.pane was 10s, is 30s; "},
		{"aggregation.slices", "aggregation: {slices: [[surface]]}", `aggregation.slices was [], is [["surface"]]; `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := s.at(t)
			p := s.run(s.config(dir, tc.line))
			if _, ok := s.answer(p); ok {
				t.Fatalf("not refused:\n%s", p.out.String())
			}
			wantLine(t, p, dir, tc.want, "go back to what was, or delete the directory: it is made anew from the topics")
		})
	}
	p = s.run(s.config(dir))
	if got, _ := s.answer(p); got != want || want == "" {
		t.Errorf("with the settings as they were: %s\nwant %s", got, want)
	}
	p.terminate()
}
