package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The ends of more lines that say what to do.
const (
	adviceLocked = "in use by another process: stop it, or give each instance a state directory of its own"
	adviceAccess = "not writable: let this program's user write there, on a file system that is not read-only"
	adviceFull   = "disk full: make room, or move the state directory"
)

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

// TestReadOnlyStateDirectory takes the right to write away before the first
// start, and when there is a state.
func TestReadOnlyStateDirectory(t *testing.T) {
	s := newService(t, 100)
	parent := t.TempDir()
	dir := filepath.Join(parent, "state")
	wantLine(t, func() *process {
		defer readOnly(t, parent)()
		p := s.run(s.config(dir))
		p.end()
		return p
	}(), dir, adviceAccess)
	p := s.run(s.config(dir))
	want, _ := s.answer(p)
	p.terminate()
	wantLine(t, func() *process {
		defer readOnly(t, parent)()
		p := s.run(s.config(dir))
		p.end()
		return p
	}(), dir, adviceAccess)
	p = s.run(s.config(dir))
	if got, _ := s.answer(p); got != want || want == "" {
		t.Errorf("writable again: %s\nwant %s", got, want)
	}
	p.terminate()
}

// readOnly makes a directory read-only until restored is called. No mode keeps
// the superuser from writing, so for it the directory is mounted once more.
func readOnly(t *testing.T, dir string) (restored func()) {
	t.Helper()
	if os.Getuid() != 0 {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		return func() { _ = os.Chmod(dir, 0o755) }
	}
	mount(t, dir, dir, "", syscall.MS_BIND, "")
	mount(t, dir, dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	return func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}
}

// mount needs the superuser's rights, which not even the superuser has in most
// containers.
func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	err := syscall.Mount(source, target, kind, flags, options)
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("mount %s: %v: needs the right to mount", target, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull fills the disk under a running service, and makes room again.
func TestDiskFull(t *testing.T) {
	disk := t.TempDir()
	mount(t, "tmpfs", disk, "tmpfs", 0, "size=24m")
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "state")
	s := newService(t, 100)
	p := s.run(s.config(dir))
	if _, ok := s.answer(p); !ok {
		_, stderr := p.end()
		t.Fatalf("ended before the disk is full:\n%s", stderr)
	}
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	for n := 100; !p.has() && n < 20_000; n += 1000 {
		s.produce(n, n+1000)
		time.Sleep(200 * time.Millisecond) // for a commit or two
	}
	wantLine(t, p, dir, adviceFull)

	p = s.run(s.config(dir))
	if _, ok := s.answer(p); ok {
		t.Log("started on the full disk: what was there had room")
		p.terminate()
	} else {
		wantLine(t, p, dir, adviceFull)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p = s.run(s.config(dir))
	got, ok := s.answer(p)
	if !ok {
		_, stderr := p.end()
		t.Fatalf("with room again:\n%s", stderr)
	}
	p.terminate()
	p = s.run(s.config(t.TempDir(), "kafka: {brokers: ["+s.brokers+"], group: anew}", "topics: {panes: {name: anew}}"))
	if want, _ := s.answer(p); got != want || !strings.Contains(want, `"count":`) {
		t.Errorf("after a full disk:\n%s\ncounted anew:\n%s", got, want)
	}
	p.terminate()
}

// fill writes a file until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size >= 512; {
		if _, err = file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
