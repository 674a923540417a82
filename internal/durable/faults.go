package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// The kinds of errors that ask for different things to be done.
var (
	ErrLocked  = errors.New("in use by another process: stop it, or give each instance a state directory of its own")
	ErrVersion = errors.New("stop this program and start the one that wrote it, or delete the directory: it is made anew from its checkpoint or from the topics")
	ErrDamaged = errors.New("delete the directory: it is made anew from its checkpoint or from the topics")
	ErrFull    = errors.New("disk full: make room, or move the state directory")
	ErrAccess  = errors.New("not writable: let this program's user write there, on a file system that is not read-only")
	ErrIO      = errors.New("reading or writing the disk went wrong: look at the system's log; when the disk is sound, start again")
)

// faults is what goes wrong in a DB on any goroutine, Pebble's own among them.
// After the first fault nothing is written any more: a page that the system
// could not sync may be reported as synced the next time, and what Pebble has
// in memory is then not what is on disk.
type faults struct {
	dir     string
	once    sync.Once
	tripped chan struct{} // closed with the first fault
	err     error         // that one; read after tripped is closed
	closing chan struct{} // closed by DB.Close, unless left
	stopped atomic.Bool   // nothing may be written any more
	opened  atomic.Bool
	left    bool // a call of Pebble's was left behind, and will never end
	damaged atomic.Pointer[string]
}

func newFaults(dir string) *faults {
	return &faults{dir: dir, tripped: make(chan struct{}), closing: make(chan struct{})}
}

// trip notes a fault.
func (f *faults) trip(what string, err error) {
	f.once.Do(func() {
		f.err = f.explain(what, err)
		f.stopped.Store(true)
		close(f.tripped)
	})
}

// first is the first fault, nil before it.
func (f *faults) first() error {
	select {
	case <-f.tripped:
		return f.err
	default:
		return nil
	}
}

// explain is an error in one line that names the directory or the file, and
// says what to do.
func (f *faults) explain(what string, err error) error {
	if err == nil || errors.Is(err, errExplained) {
		return err
	}
	kind := ErrIO
	var pathError *fs.PathError
	switch {
	case isKind(err):
		kind = nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		kind = ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		kind = ErrAccess
	case pebble.IsCorruptionError(err), errors.Is(err, errChunk), errors.Is(err, fs.ErrNotExist):
		kind = ErrDamaged
	case errors.As(err, &pathError):
	}
	// Pebble keeps the file's name beside the message.
	text := strings.Join(strings.Fields(err.Error()), " ")
	if file := f.damaged.Load(); errors.Is(kind, ErrDamaged) && file != nil && !strings.Contains(text, path.Base(*file)) {
		text = path.Base(*file) + ": " + text
	}
	return &explained{text: fmt.Sprintf("state %s: %s: %s", f.dir, what, text), kind: kind, cause: err}
}

// explained is an error that needs no more words.
type explained struct {
	text        string
	kind, cause error
}

var errExplained = errors.New("explained")

func (e *explained) Error() string {
	if e.kind == nil {
		return e.text
	}
	return e.text + ": " + e.kind.Error()
}

func (e *explained) Is(target error) bool {
	return target == errExplained || target == e.kind && e.kind != nil
}

func (e *explained) Unwrap() error { return e.cause }

func isKind(err error) bool {
	for _, kind := range []error{ErrLocked, ErrVersion, ErrDamaged, ErrFull, ErrAccess, ErrIO} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// guard calls f, which may hang or panic once Pebble met a fault, and returns
// then no later than that.
func (f *faults) guard(what string, call func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				err, ok := r.(error)
				if !ok {
					err = fmt.Errorf("%v", r)
				}
				f.trip(what, err)
				done <- err
			}
		}()
		done <- call()
	}()
	select {
	case err := <-done:
		if first := f.first(); first != nil {
			return first
		}
		return f.explain(what, err)
	case <-f.tripped:
		f.left = true
		return f.err
	}
}

// listener makes what Pebble meets in the background a fault.
func (f *faults) listener(rotated func()) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			select {
			case <-f.closing:
				return
			default:
			}
			f.trip("in the background", err)
			// Pebble would try again at once, and without end.
			<-f.closing
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) { f.damaged.Store(&info.Path) },
		WALCreated:     func(pebble.WALCreateInfo) { rotated() },
	}
}
