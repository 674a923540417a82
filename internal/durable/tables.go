package durable

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// clearUnborn removes what is left of a directory whose making a crash cut
// short: nothing was committed there, and Pebble cannot go on from any point.
func (d *DB) clearUnborn() error {
	names, err := d.opts.FS.List(d.dir)
	if err != nil {
		return err
	}
	var left []string
	for _, name := range names {
		path := d.opts.FS.PathJoin(d.dir, name)
		switch {
		case name == committedName, strings.HasSuffix(name, ".sst"):
			return nil
		case strings.HasSuffix(name, ".log"):
			info, err := d.opts.FS.Stat(path)
			if err != nil || info.Size() > 0 {
				return err
			}
			left = append(left, path)
		case strings.HasPrefix(name, "MANIFEST-"), strings.HasPrefix(name, "OPTIONS-"), strings.HasPrefix(name, "marker."):
			left = append(left, path)
		}
	}
	for _, path := range left {
		if err := d.opts.FS.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// checkTables opens every table once, and looks at its footer and at where its
// blocks are. Pebble, when it finds these damaged in the background, ends the
// process; a damaged block further inside is an error for it too.
func (d *DB) checkTables() error {
	names, err := d.opts.FS.List(d.dir)
	if err != nil {
		return d.faults.explain("list", err)
	}
	o := d.pebbleOptions()
	o.EnsureDefaults()
	ro := o.MakeReaderOptions()
	damaged := map[string]error{}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			if err := d.checkTable(name, ro); err != nil {
				damaged[name] = err
			}
		}
	}
	if len(damaged) == 0 {
		return nil
	}
	return d.checkUsed(damaged)
}

func (d *DB) checkTable(name string, o sstable.ReaderOptions) error {
	file, err := d.opts.FS.Open(d.opts.FS.PathJoin(d.dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r, err := sstable.NewReader(context.Background(), readable, o)
	if err != nil {
		return err
	}
	return r.Close()
}

// checkUsed asks Pebble, in a way in which it does nothing in the background,
// whether the tables are in use: a crash leaves some half written that are not.
func (d *DB) checkUsed(damaged map[string]error) error {
	o := d.pebbleOptions()
	o.ReadOnly = true
	o.DisableTableStats = true
	p, err := pebble.Open(d.dir, o)
	if err != nil {
		return d.openError(err)
	}
	levels, err := p.SSTables()
	if err = errors.Join(err, p.Close()); err != nil {
		return d.openError(err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			name := t.BackingSSTNum.String() + ".sst"
			if err := damaged[name]; err != nil {
				return d.faults.explain("read "+name, fmt.Errorf("%w: %w", err, ErrDamaged))
			}
		}
	}
	return nil
}
