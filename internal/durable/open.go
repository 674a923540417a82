package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// blockBytes holds a chunk; a look-up reads one block.
const blockBytes = 4 << 10

// Open opens the state in dir, which is made if it does not exist. Its errors
// are one of ErrLocked, ErrVersion, ErrDamaged, ErrFull, ErrAccess and ErrIO,
// and name dir or a file in it.
func Open(dir string, o Options) (*DB, error) {
	d := newDB(dir, o)
	if err := d.lock(); err != nil {
		return nil, err
	}
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) lock() (err error) {
	d.locked, err = lock(d.dir, d.opts.FS, d.faults)
	return err
}

func (d *DB) open() error {
	if err := d.checkPebbleFormat(); err != nil {
		return err
	}
	if err := d.clearUnborn(); err != nil {
		return d.faults.explain("make", err)
	}
	if err := d.faults.guard("open", d.checkTables); err != nil {
		return err
	}
	committed, err := d.readCommitted()
	if err != nil {
		return err
	}
	opened := make(chan *pebble.DB, 1)
	err = d.faults.guard("open", func() error {
		p, err := pebble.Open(d.dir, d.pebbleOptions())
		if err != nil {
			return d.openError(err)
		}
		opened <- p
		return nil
	})
	if err != nil {
		go func() { // should it be opened after all
			select {
			case p := <-opened:
				_ = p.Close()
			case <-time.After(closeWait):
			}
		}()
		return err
	}
	d.pebble = <-opened
	d.faults.opened.Store(true)
	if err := d.faults.guard("open", d.load); err != nil {
		return err
	}
	if d.commits < committed {
		return d.faults.explain("open", fmt.Errorf("the log or the MANIFEST has %d commits, and there were %d: %w", d.commits, committed, ErrDamaged))
	}
	d.batch = d.pebble.NewBatch()
	return nil
}

// formatMarker begins the name of the file whose name ends with the version of
// Pebble's files.
const formatMarker = "marker.format-version."

// checkPebbleFormat refuses what a later Pebble wrote, which this one may take
// for damaged.
func (d *DB) checkPebbleFormat() error {
	names, err := d.opts.FS.List(d.dir)
	if err != nil {
		return d.faults.explain("list", err)
	}
	for _, name := range names {
		rest, found := strings.CutPrefix(name, formatMarker)
		_, last, _ := strings.Cut(rest, ".")
		version, err := strconv.Atoi(last)
		if found && err == nil && version > int(pebbleFormat) {
			return d.faults.explain("open", fmt.Errorf("files of Pebble's version %d, known are those to %d: %w", version, pebbleFormat, ErrVersion))
		}
	}
	return nil
}

// openError: what Pebble cannot open, and is no fault of the disk, is damaged.
func (d *DB) openError(err error) error {
	explained := d.faults.explain("open", err)
	var code syscall.Errno
	if !errors.Is(explained, ErrIO) || errors.As(err, &code) {
		return explained
	}
	return d.faults.explain("open", fmt.Errorf("%w: %w", err, ErrDamaged))
}

func (d *DB) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:   &gate{d.opts.FS, d.faults},
		Lock: d.locked,
		// Pebble takes the memory of its memtables out of the cache.
		CacheSize:          d.opts.CacheBytes + 2*d.opts.WriteBytes,
		FormatMajorVersion: pebbleFormat,
		MemTableSize:       uint64(d.opts.WriteBytes),
		// A look-up knows its key and costs no more for some tables in level 0;
		// gathering more of them before they are merged saves 100 ns a row, larger
		// tables another 30, and leaving it to the system when their pages are
		// written, 40.
		L0CompactionThreshold: 8,
		L0StopWritesThreshold: 32,
		LBaseMaxBytes:         256 << 20,
		BytesPerSync:          64 << 20,
		Logger:                pebbleLogger{d.opts.Logger, d.faults},
		EventListener:         d.faults.listener(func() { d.rotated.Store(true) }),
	}
	o.DisableAutomaticCompactions = d.opts.NoCompactions
	o.Experimental.SpanPolicyFunc = tableSpan
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 4 << 20
	}
	for i := range o.Levels {
		// Hashes do not shrink, and rows are packed already.
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		o.Levels[i].BlockSize = blockBytes
	}
	return o
}

// pebbleFormat is what Pebble's files are written in. A directory of a later
// one is refused, one of an earlier one is brought up to it.
const pebbleFormat = pebble.FormatValueSeparation

// pebbleLogger sends what Pebble says to a Logger. What would end the program
// is a fault.
type pebbleLogger struct {
	l *slog.Logger
	f *faults
}

func (p pebbleLogger) Infof(format string, args ...any) {
	p.l.Debug("state", "dir", p.f.dir, "pebble", fmt.Sprintf(format, args...))
}

func (p pebbleLogger) Errorf(format string, args ...any) { p.Infof(format, args...) }

func (p pebbleLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if e, ok := a.(error); ok {
			err = e
		}
	}
	p.f.trip("write", err)
}

// committedName is a file beside Pebble's with the number of commits that there
// were at least. A log cut short by a crash cannot be told from one whose last
// record is damaged, nor can a MANIFEST; fewer commits than that can.
const committedName = "COMMITTED"

func (d *DB) committedPath() string { return d.opts.FS.PathJoin(d.dir, committedName) }

func (d *DB) readCommitted() (uint64, error) {
	file, err := d.opts.FS.Open(d.committedPath())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		return 0, d.faults.explain("read "+committedName, err)
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		return 0, d.faults.explain("read "+committedName, err)
	}
	if len(b) != 12 || crc32.ChecksumIEEE(b[:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return 0, d.faults.explain("read "+committedName, fmt.Errorf("wrong checksum: %w", ErrDamaged))
	}
	return binary.LittleEndian.Uint64(b), nil
}

// writeCommitted replaces the file as a whole.
func (d *DB) writeCommitted(fsys vfs.FS, dir string) error {
	b := appendUint64(nil, d.commits)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	to := fsys.PathJoin(dir, committedName)
	file, err := fsys.Create(to+".tmp", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = fsys.Rename(to+".tmp", to)
	}
	if err != nil {
		return err
	}
	in, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(in.Sync(), in.Close())
}
