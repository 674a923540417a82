package durable

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Settle flushes, and waits until there is nothing to compact.
func Settle(d *DB) error {
	return d.faults.guard("settle", func() error {
		if err := d.pebble.Flush(); err != nil {
			return err
		}
		if done := d.reclaimer.done; done != nil {
			<-done
		}
		for idle := 0; idle < 3; time.Sleep(time.Millisecond) {
			m := d.pebble.Metrics()
			if idle++; m.Compact.NumInProgress+m.Flush.NumInProgress > 0 {
				idle = 0
			}
		}
		return nil
	})
}

// SetFormat makes the directory one of another version.
func SetFormat(d *DB, version uint32) error {
	return d.pebble.Set(formatKey, append(binary.LittleEndian.AppendUint32(nil, version), formatRecord(1)[4:]...), pebble.Sync)
}

// Stored counts chunks, and the rows in them whether they are good or replaced.
func Stored(d *DB) (chunks, rows int) {
	for _, c := range d.chunks {
		if c.n > 0 && c.live != 0 {
			chunks++
			rows += int(c.n)
		}
	}
	return chunks, rows
}

// CheckTables does that part of Open.
func CheckTables(dir string, o Options) error {
	d := newDB(dir, o)
	if err := d.lock(); err != nil {
		return err
	}
	return errors.Join(d.checkTables(), d.Close())
}
