package durable

import (
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gate is a file system that writes nothing after the first write that went
// wrong, and nothing once its DB is closed: a goroutine of Pebble's that could
// not be stopped does no harm to whoever opens the directory next.
type gate struct {
	vfs.FS
	f *faults
}

var errStopped = fs.ErrClosed

func (g *gate) check() error {
	if g.f.stopped.Load() {
		return errStopped
	}
	return nil
}

// write calls what writes to a file, and notes when that goes wrong.
func (g *gate) write(name string, log bool, call func() error) error {
	err := g.check()
	if err == nil {
		if err = call(); err == nil {
			return nil
		}
		g.f.trip("write "+g.PathBase(name), err)
	}
	if log && g.f.opened.Load() {
		// Pebble, if it learnt of it, would end the process.
		<-g.f.closing
	}
	return err
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

func (g *gate) open(name string, call func() (vfs.File, error)) (file vfs.File, err error) {
	err = g.write(name, isLog(name), func() error { file, err = call(); return err })
	if err != nil {
		return nil, err
	}
	return &gateFile{file, g, name, isLog(name)}, nil
}

func (g *gate) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(name, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

func (g *gate) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.open(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, opts...) })
}

func (g *gate) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(to, func() (vfs.File, error) { return g.FS.ReuseForWrite(from, to, c) })
}

func (g *gate) OpenDir(name string) (vfs.File, error) {
	file, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &gateFile{file, g, name, true}, nil
}

func (g *gate) Rename(from, to string) error {
	return g.write(to, false, func() error { return g.FS.Rename(from, to) })
}

// Link may fail, and the file is copied then.
func (g *gate) Link(from, to string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.Link(from, to)
}

// Remove leaves, at worst, what is removed later.
func (g *gate) Remove(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.Remove(name)
}

func (g *gate) RemoveAll(name string) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.FS.RemoveAll(name)
}

func (g *gate) Unwrap() vfs.FS { return g.FS }

type gateFile struct {
	vfs.File
	g    *gate
	name string
	log  bool // a log, or the directory, which is synced with each new log
}

func (f *gateFile) Write(b []byte) (n int, err error) {
	err = f.g.write(f.name, f.log, func() error { n, err = f.File.Write(b); return err })
	return n, err
}

func (f *gateFile) WriteAt(b []byte, offset int64) (n int, err error) {
	err = f.g.write(f.name, f.log, func() error { n, err = f.File.WriteAt(b, offset); return err })
	return n, err
}

func (f *gateFile) Sync() error { return f.g.write(f.name, f.log, f.File.Sync) }

func (f *gateFile) SyncData() error { return f.g.write(f.name, f.log, f.File.SyncData) }

func (f *gateFile) SyncTo(length int64) (full bool, err error) {
	err = f.g.write(f.name, f.log, func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}
