package durable

import (
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Checkpoint makes a copy of the state as of the last Commit in dir, which must
// not exist and should lie on the same file system: tables are linked then and
// take no room of their own. A table's name stands for its contents as long as
// the state lives, so that a copy elsewhere needs those alone that it lacks.
// Open opens the copy like any other directory.
func (d *DB) Checkpoint(dir string) error {
	if err := d.Err(); err != nil {
		return err
	}
	err := d.faults.guard("checkpoint", func() error {
		// What is in the log would have to be copied with each checkpoint.
		if err := d.pebble.Flush(); err != nil {
			return err
		}
		if err := d.pebble.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
			return err
		}
		if err := d.emptyLogs(dir); err != nil {
			return err
		}
		return d.writeCommitted(&gate{d.opts.FS, d.faults}, dir)
	})
	if err != nil && d.faults.first() != nil {
		d.fail(err)
	}
	return err
}

// emptyLogs empties the logs of a copy: all that was in them has been flushed.
// Pebble writes over logs that it has done with, so that what follows in them is
// as long as the longest that there was, and would travel with each copy.
func (d *DB) emptyLogs(dir string) error {
	fsys := &gate{d.opts.FS, d.faults}
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		log, err := fsys.Create(fsys.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		if err := errors.Join(log.Sync(), log.Close()); err != nil {
			return err
		}
	}
	return nil
}

// DiskBytes is what the directory takes on disk, with what is about to be
// deleted; 0 after an error.
func (d *DB) DiskBytes() int64 {
	if d.Err() != nil {
		return 0
	}
	var n int64
	err := d.faults.guard("read", func() error {
		n = int64(d.pebble.Metrics().DiskSpaceUsage())
		return nil
	})
	if err != nil {
		return 0
	}
	return n
}
