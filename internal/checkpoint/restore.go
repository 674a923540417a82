package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Restored says what a Restore did.
type Restored struct {
	Version Version
	Files   int
	Bytes   int64
	// Skipped says, for each checkpoint that is newer but damaged, what is wrong
	// with it.
	Skipped []error
}

// diskCategory is what Pebble counts these writes as.
const diskCategory vfs.DiskWriteCategory = "rampgauge-checkpoint"

// Restore makes dir the state directory of the newest checkpoint that is whole.
// There must be nothing in dir, or no dir. It appears complete, verified and
// synced or, whatever happens, not at all; a directory beside it, dir.restoring,
// may be left by a crash and is used up by the next Restore.
//
// It fails with ErrNone if there is no checkpoint, with ErrDamaged and all
// reasons if none is whole, with ErrFormat if the newest is not for this
// program, with ErrFenced if it is of a newer epoch than the Owner's. A store
// that cannot be reached is an error of its own, and not a reason to take an
// older checkpoint.
func (o *Owner) Restore(ctx context.Context, dir string) (Restored, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	done, err := o.restore(ctx, dir)
	if err != nil {
		return Restored{}, o.errorf("restore: %w", err)
	}
	return done, nil
}

func (o *Owner) restore(ctx context.Context, dir string) (Restored, error) {
	fs := o.store.options.FS
	if names, err := fs.List(dir); err == nil && len(names) > 0 {
		return Restored{}, fmt.Errorf("%s: holds %s: %w", dir, names[0], ErrNotEmpty)
	} else if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return Restored{}, err
	}
	listed, err := o.list(ctx)
	if err != nil {
		return Restored{}, err
	}
	if len(listed) == 0 {
		return Restored{}, ErrNone
	}
	if newest := listed[len(listed)-1].version; newest.Epoch > o.epoch {
		return Restored{}, fmt.Errorf("epoch %d: the newest is %s: %w", o.epoch, newest, ErrFenced)
	}
	clear(o.seen) // of the files that were in dir before
	var skipped []error
	for i := len(listed) - 1; i >= 0; i-- {
		m, err := o.assemble(ctx, dir, listed[i].version)
		if errors.Is(err, ErrDamaged) {
			skipped = append(skipped, fmt.Errorf("version %s: %w", listed[i].version, err))
			continue
		}
		if err != nil {
			return Restored{}, fmt.Errorf("version %s: %w", listed[i].version, err)
		}
		done := Restored{Version: m.version, Files: len(m.files), Skipped: skipped}
		for _, f := range m.files {
			done.Bytes += f.size()
		}
		return done, nil
	}
	return Restored{}, errors.Join(skipped...)
}

// assemble makes dir of one checkpoint.
func (o *Owner) assemble(ctx context.Context, dir string, v Version) (_ manifest, err error) {
	fs := o.store.options.FS
	m, err := o.load(ctx, v)
	if err != nil {
		return manifest{}, err
	}
	temporary := dir + ".restoring"
	if err := fs.RemoveAll(temporary); err != nil {
		return manifest{}, err
	}
	if err := fs.MkdirAll(temporary, 0o755); err != nil {
		return manifest{}, err
	}
	renamed := false
	defer func() {
		if err != nil {
			err = errors.Join(err, fs.RemoveAll(temporary))
			if renamed {
				err = errors.Join(err, fs.RemoveAll(dir))
			}
		}
	}()
	err = o.store.inParallel(ctx, len(m.files), func(ctx context.Context, i int) error {
		return o.fetch(ctx, fs.PathJoin(temporary, m.files[i].name), m.files[i])
	})
	if err == nil {
		err = syncDirOf(fs, temporary)
	}
	if err == nil {
		err = fs.Remove(dir)
		if errors.Is(err, iofs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = fs.Rename(temporary, dir)
		renamed = err == nil
	}
	if err == nil {
		err = syncDirOf(fs, fs.PathDir(dir))
	}
	return m, err
}

func syncDirOf(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fetch writes a file of a checkpoint to path.
func (o *Owner) fetch(ctx context.Context, path string, f file) error {
	out, err := o.store.options.FS.OpenReadWrite(path, diskCategory)
	if err != nil {
		return err
	}
	offset := int64(0)
	for i, p := range f.parts {
		if err := o.fetchPart(ctx, out, offset, p); err != nil {
			return errors.Join(fmt.Errorf("object %s, part %d of %d of %s: %w", o.objectKey(p.id), i+1, len(f.parts), f.name, err), out.Close())
		}
		offset += p.size
	}
	return errors.Join(out.Sync(), out.Close())
}

// fetchPart writes a part at its offset. What comes from the bucket wrong is
// asked for again, because it may have come to harm on the way.
func (o *Owner) fetchPart(ctx context.Context, out io.WriterAt, offset int64, p part) error {
	err := o.store.retry(ctx, func() (err error) {
		r, err := o.store.bucket.Get(ctx, o.objectKey(p.id))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		h := sha256.New()
		to := io.MultiWriter(h, localWriter{io.NewOffsetWriter(out, offset)})
		n, err := io.Copy(to, readerContext{ctx, io.LimitReader(r, p.size)})
		if err != nil {
			return err
		}
		if n < p.size {
			return fmt.Errorf("%d bytes, want %d: %w", n, p.size, ErrDamaged)
		}
		if more, err := io.Copy(io.Discard, io.LimitReader(r, 1)); err != nil || more > 0 {
			return errors.Join(err, fmt.Errorf("more than %d bytes: %w", p.size, ErrDamaged))
		}
		if !bytes.Equal(h.Sum(nil), p.sum[:]) {
			return fmt.Errorf("checksum does not match: %w", ErrDamaged)
		}
		return nil
	})
	if errors.Is(err, ErrObjectMissing) {
		err = fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	if errors.Is(err, ErrDamaged) {
		o.damageMu.Lock()
		defer o.damageMu.Unlock()
		o.damaged[p.id] = true
	}
	return err
}

// localWriter marks errors as being of this machine.
type localWriter struct{ w io.Writer }

func (l localWriter) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	return n, local(err)
}
