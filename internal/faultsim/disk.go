package faultsim

import (
	"errors"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// errSync is what a failing fsync returns.
var errSync = errors.New("simulated fsync error")

// faultFS is a disk as one process sees it. It counts what the process writes,
// and at a given count keeps a copy of what would be left of the disk if the
// machine stopped there. The process goes on, as its goroutines could not be
// stopped; what it does from then on has not happened.
type faultFS struct {
	vfs.FS
	mem *vfs.MemFS

	mu       sync.Mutex
	rng      *rand.Rand
	crashIn  int // writes and syncs until the crash, 0: none
	failSync int // syncs of logs in commits until one fails, 0: none
	inCommit bool
	failed   bool
	torn     bool
	atWrite  bool            // the crash was at a write or sync
	synced   map[string]bool // files that were synced at least once
	names    int
	made     map[string]int  // when names appeared, as a count; 0: their directory was synced since
	moved    map[string]bool // directories that took their name from another
	base     *vfs.MemFS      // after the crash: what was synced
	full     *vfs.MemFS      // after the crash: what was written
}

func newFaultFS(mem *vfs.MemFS, seed uint64) *faultFS {
	return &faultFS{FS: mem, mem: mem, rng: rand.New(rand.NewPCG(seed, 0xd15c)), synced: map[string]bool{}, made: map[string]int{}, moved: map[string]bool{}}
}

// arm has the disk crash at the n-th write or sync from now on.
func (f *faultFS) arm(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashIn = n
}

// committing says whether a commit is under way. Elsewhere a log's fsync does
// not fail: Pebble ends the whole process then.
func (f *faultFS) committing(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inCommit = yes
}

// armSync has the n-th sync of a log in a commit fail.
func (f *faultFS) armSync(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failSync = n
}

func (f *faultFS) crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.full != nil
}

func (f *faultFS) syncFailed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// crash keeps what is there now, unless it has crashed before.
func (f *faultFS) crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashLocked()
}

func (f *faultFS) crashLocked() {
	if f.full == nil {
		f.base = f.mem.CrashClone(vfs.CrashCloneCfg{})
		f.full = f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: f.rng})
	}
}

// due reports whether the crash is at this operation.
func (f *faultFS) due() bool {
	if f.crashIn == 0 || f.full != nil {
		return false
	}
	f.crashIn--
	f.atWrite = f.crashIn == 0
	return f.atWrite
}

// op does an operation that changes the disk.
func (f *faultFS) op(do func() error) error {
	f.mu.Lock()
	due := f.due()
	before := due && f.rng.IntN(2) == 0
	if before {
		f.crashLocked()
	}
	f.mu.Unlock()
	err := do()
	if due && !before {
		f.crash()
	}
	return err
}

func (f *faultFS) file(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f, name: clean(name)}, nil
}

func (f *faultFS) Create(name string, c vfs.DiskWriteCategory) (file vfs.File, err error) {
	f.name(name, false)
	err = f.op(func() error { file, err = f.FS.Create(name, c); return err })
	return f.file(name, file, err)
}

func (f *faultFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (file vfs.File, err error) {
	f.name(name, false)
	err = f.op(func() error { file, err = f.FS.OpenReadWrite(name, c, opts...); return err })
	return f.file(name, file, err)
}

func (f *faultFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (file vfs.File, err error) {
	f.name(name, false)
	err = f.op(func() error { file, err = f.FS.ReuseForWrite(old, name, c); return err })
	return f.file(name, file, err)
}

func (f *faultFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.file(name, file, err)
}

// Remove does not count as a write: Pebble removes what it does not need at times
// of its own choice.

func (f *faultFS) Rename(old, name string) error {
	return f.op(func() error {
		info, err := f.Stat(old)
		if err != nil {
			return err
		}
		if err := f.FS.Rename(old, name); err != nil {
			return err
		}
		f.name(name, f.wasSynced(old))
		if info.IsDir() {
			f.move(clean(old), clean(name))
		}
		return nil
	})
}

// move notes that a directory has another name, with all that is in it.
func (f *faultFS) move(old, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full != nil {
		return
	}
	f.moved[name] = true
	for in := range f.made { // of what was there before under the new name
		if strings.HasPrefix(in, name+"/") {
			delete(f.made, in)
			delete(f.synced, in)
		}
	}
	for in, made := range f.made {
		if rest, ok := strings.CutPrefix(in, old+"/"); ok {
			f.made[name+"/"+rest], f.synced[name+"/"+rest] = made, f.synced[in]
			delete(f.made, in)
			delete(f.synced, in)
		}
	}
}

func (f *faultFS) Link(old, name string) error {
	f.name(name, f.wasSynced(old))
	return f.op(func() error { return f.FS.Link(old, name) })
}

func (f *faultFS) MkdirAll(name string, mode os.FileMode) error {
	for at := clean(name); at != "/"; at = path.Dir(at) {
		if _, err := f.Stat(at); err != nil {
			f.name(at, false)
		}
	}
	return f.op(func() error { return f.FS.MkdirAll(name, mode) })
}

// RemoveAll removes one file after the other: a crash leaves some.
func (f *faultFS) RemoveAll(name string) error {
	names, err := f.List(name)
	if err != nil { // not a directory
		return f.op(func() error { return f.FS.RemoveAll(name) })
	}
	slices.Sort(names)
	for _, in := range names {
		if err := f.RemoveAll(f.PathJoin(name, in)); err != nil {
			return err
		}
	}
	return f.op(func() error { return f.FS.RemoveAll(name) })
}

func (f *faultFS) wasSynced(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = clean(name)
	_, ours := f.made[name]
	return f.synced[name] || !ours // what was there before this process was
}

// noteSync notes that a file was synced, or the names in a directory.
func (f *faultFS) noteSync(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full != nil {
		return
	}
	f.synced[name] = true
	for in := range f.made {
		if path.Dir(in) == name {
			f.made[in], f.moved[in] = 0, false
		}
	}
}

// name notes that a name appears now.
func (f *faultFS) name(name string, synced bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full != nil {
		return // what is noted is as of the crash
	}
	name = clean(name)
	f.names++
	f.made[name] = f.names
	f.synced[name] = synced
}

type faultFile struct {
	vfs.File
	fs   *faultFS
	name string
}

// tear writes a part only before the crash, if it is due now.
func (f *faultFile) tear(p []byte, write func(p []byte) (int, error)) (int, error) {
	f.fs.mu.Lock()
	due := f.fs.due()
	cut := 0
	if due {
		cut = f.fs.rng.IntN(len(p) + 1)
		f.fs.torn = cut > 0 && cut < len(p)
	}
	f.fs.mu.Unlock()
	if !due {
		return write(p)
	}
	n, err := write(p[:cut])
	f.fs.crash()
	if err != nil {
		return n, err
	}
	m, err := write(p[cut:])
	return n + m, err
}

func (f *faultFile) Write(p []byte) (int, error) { return f.tear(p, f.File.Write) }

func (f *faultFile) WriteAt(p []byte, at int64) (int, error) {
	return f.tear(p, func(q []byte) (int, error) {
		n, err := f.File.WriteAt(q, at)
		at += int64(n)
		return n, err
	})
}

func (f *faultFile) sync(do func() error) error {
	if strings.HasSuffix(f.name, ".log") {
		f.fs.mu.Lock()
		if f.fs.failSync > 0 && f.fs.inCommit {
			if f.fs.failSync--; f.fs.failSync == 0 {
				f.fs.failed = true
			}
		}
		failed := f.fs.failed
		f.fs.mu.Unlock()
		if failed {
			return errSync
		}
	}
	return f.fs.op(func() error {
		err := do()
		if err == nil {
			f.fs.noteSync(f.name)
		}
		return err
	})
}

func (f *faultFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *faultFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *faultFile) SyncTo(n int64) (full bool, err error) {
	err = f.sync(func() error { full, err = f.File.SyncTo(n); return err })
	return full, err
}
