package durable

import (
	"errors"
	"fmt"
	"time"
)

// closeWait is how long Close waits for Pebble after a fault.
const closeWait = 3 * time.Second

// Close implements partition.State. What was not committed is forgotten. After
// a write that went wrong some memory may not be given back, and some goroutines
// wait for ever: Pebble has no way out of a log that it cannot write. To close
// once more does nothing.
func (d *DB) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	err := d.close()
	d.faults.stopped.Store(true)
	if d.locked != nil {
		err = errors.Join(err, d.faults.explain("unlock", d.locked.Close()))
		d.locked = nil
	}
	return err
}

func (d *DB) close() error {
	p := d.pebble
	d.pebble = nil
	healthy := p != nil && d.Err() == nil
	var err error
	if healthy && d.commits > 0 {
		err = d.faults.guard("close", func() error { return d.writeCommitted(&gate{d.opts.FS, d.faults}, d.dir) })
	}
	if !d.reclaimer.stop() || d.faults.left {
		d.opts.Logger.Warn("memory of a state that met a fault is not given back", "dir", d.dir)
		return err
	}
	close(d.faults.closing)
	if p == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				closed <- fmt.Errorf("%v", r)
			}
		}()
		closed <- p.Close()
	}()
	if healthy && err == nil {
		return d.faults.explain("close", <-closed)
	}
	select {
	case e := <-closed:
		// The caller knows the fault; this is what came of it.
		d.opts.Logger.Debug("state closed after a fault", "dir", d.dir, "err", e)
	case <-time.After(closeWait):
	}
	return err
}
