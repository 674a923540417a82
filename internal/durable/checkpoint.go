package durable

import (
	"github.com/cockroachdb/pebble/v2"
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
		return d.writeCommitted(&gate{d.opts.FS, d.faults}, dir)
	})
	if err != nil && d.faults.first() != nil {
		d.fail(err)
	}
	return err
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
