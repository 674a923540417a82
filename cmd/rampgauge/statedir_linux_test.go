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

const (
	adviceAccess = "not writable: let this program's user write there, on a file system that is not read-only"
	adviceFull   = "disk full: make room, or move the state directory"
)

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
