package durable

import "time"

// Settle flushes, and waits until there is nothing to compact.
func Settle(d *DB) error {
	if err := d.pebble.Flush(); err != nil {
		return err
	}
	for {
		m := d.pebble.Metrics()
		if m.Compact.NumInProgress == 0 && m.Flush.NumInProgress == 0 && m.Compact.EstimatedDebt == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
		if m.Compact.NumInProgress == 0 && m.Flush.NumInProgress == 0 && m.Levels[0].TablesCount == 0 {
			return nil
		}
		idle++
		if m.Compact.NumInProgress > 0 {
			idle = 0
		}
		if idle > 20 {
			return nil
		}
	}
}

var idle int

func Metrics(d *DB) string  { return d.pebble.Metrics().String() }
func DiskBytes(d *DB) int64 { return int64(d.pebble.Metrics().DiskSpaceUsage()) }
