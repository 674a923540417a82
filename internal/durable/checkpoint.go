package durable

// Checkpoint makes dir, which must not exist, a state directory of its own that
// holds what the last Commit stored. Files that never change are linked, so it
// must be on the same file system.
func (d *DB) Checkpoint(dir string) error {
	if err := d.pebble.Checkpoint(dir); err != nil {
		return d.errorf("checkpoint in %s: %w", dir, err)
	}
	return nil
}
