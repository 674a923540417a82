package durable

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Lock makes sure, until it is closed, that no other process uses dir, in which
// a process has the directories of its partitions. It makes dir if it does not
// exist. Its errors are those of Open.
func Lock(dir string, o Options) (io.Closer, error) {
	l, err := lock(dir, o.withDefaults().FS, newFaults(dir))
	if err != nil {
		return nil, err // and not a nil *pebble.Lock
	}
	return l, nil
}

func lock(dir string, fsys vfs.FS, f *faults) (*pebble.Lock, error) {
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		if errors.Is(err, syscall.ENOTDIR) {
			err = fmt.Errorf("%w: %w", err, ErrAccess)
		}
		return nil, f.explain("make", err)
	}
	l, err := pebble.LockDirectory(dir, fsys)
	if err == nil {
		return l, nil
	}
	explained := f.explain("lock", err)
	if errors.Is(explained, ErrIO) {
		return nil, f.explain("lock", fmt.Errorf("%w: %w", err, ErrLocked))
	}
	return nil, explained
}
