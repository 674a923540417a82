package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"
)

// Uploaded says what an Upload did.
type Uploaded struct {
	Version Version
	Files   int   // in the directory
	Bytes   int64 // in the directory
	Objects int   // sent, without the manifest
	Sent    int64 // bytes sent, with the manifest, without what was sent again
	Swept   Swept // what was done about garbage
}

// Upload makes the checkpoint (epoch, sequence) of dir, a snapshot of a state
// directory that nobody changes. Sequences of an epoch grow; there may be gaps.
// After nil the checkpoint is stored, and no older one will ever be restored in
// its place while it is whole.
//
// It fails with ErrFenced if an owner of a newer epoch has made a checkpoint,
// with ErrStale if there is one of this epoch that is no older. After these,
// what was sent is nobody's; after any other error it may or may not be stored,
// and the next Upload, of a greater sequence, makes good.
//
// It works until ctx is done and uses the network as it can; run it beside what
// it must not hold up.
func (o *Owner) Upload(ctx context.Context, dir string, sequence uint64) (Uploaded, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v := Version{o.epoch, sequence}
	done, err := o.upload(ctx, dir, v)
	if err != nil {
		return Uploaded{}, o.errorf("upload of %s: %w", v, err)
	}
	return done, nil
}

func (o *Owner) upload(ctx context.Context, dir string, v Version) (Uploaded, error) {
	if err := o.store.trust(ctx); err != nil {
		return Uploaded{}, err
	}
	if err := o.rebase(ctx, v); err != nil {
		return Uploaded{}, err
	}
	files, sources, err := o.scan(ctx, dir)
	if err != nil {
		return Uploaded{}, err
	}
	u := upload{owner: o, name: fmt.Sprintf("%s.%d", o.store.options.Writer, o.store.uploads.Add(1)), oldest: o.base.asOf}
	ids, err := u.send(ctx, sources)
	if err != nil {
		return Uploaded{}, err
	}
	m := manifest{partition: o.partition, version: v, upload: u.name, files: files}
	done := Uploaded{Version: v, Files: len(files), Objects: u.objects}
	for _, f := range files {
		for i := range f.parts {
			f.parts[i].id = ids[f.parts[i].content]
		}
		done.Bytes += f.size()
	}
	text := m.encode()
	done.Sent = u.bytes + int64(len(text))
	if err := u.inTime(); err != nil {
		return Uploaded{}, err
	}
	if err := o.publish(ctx, m, text); err != nil {
		return Uploaded{}, err
	}
	late := u.inTime() != nil
	clear(o.pending) // whatever is of use is in the manifest
	o.base = base{v, m.contents(), o.store.options.Now()}
	o.refs[v] = m.objects()
	done.Swept, err = o.confirm(ctx, v, late)
	return done, err
}

// rebase finds the newest manifest.
func (o *Owner) rebase(ctx context.Context, v Version) error {
	asOf := o.store.options.Now()
	listed, err := o.list(ctx)
	if err != nil {
		return err
	}
	if err := fenced(listed, v); err != nil {
		return err
	}
	newest := Version{}
	if len(listed) > 0 {
		newest = listed[len(listed)-1].version
	}
	switch {
	case newest == v:
		return fmt.Errorf("there is one of this version: %w", ErrStale)
	case newest == o.base.version:
		o.base.asOf = asOf
		return nil
	case newest.Compare(o.base.version) < 0:
		// The list lags behind, unless somebody has deleted the manifest.
		if _, err := o.load(ctx, o.base.version); !errors.Is(err, ErrDamaged) {
			return err
		}
	}
	o.base = base{version: newest, asOf: asOf}
	if len(listed) == 0 {
		return nil
	}
	m, err := o.load(ctx, newest)
	if err != nil && !errors.Is(err, ErrDamaged) {
		o.base = base{}
		return err
	}
	// If it cannot be read, nothing counts as being there, and all is sent.
	o.base.contents = m.contents()
	return nil
}

// upload is a call of Upload on its way.
type upload struct {
	owner *Owner
	name  string

	mu      sync.Mutex
	oldest  time.Time // until when all that is relied on was known to be safe
	objects int
	bytes   int64
}

// inTime says whether what the manifest names is safe from being deleted.
func (u *upload) inTime() error {
	took := u.owner.store.options.Now().Sub(u.oldest)
	if limit := u.owner.store.options.Grace / 2; took > limit {
		return fmt.Errorf("took %s: %w", took, ErrSlow)
	}
	return nil
}

// send sees to it that all sources are in the bucket, and returns where.
func (u *upload) send(ctx context.Context, sources []source) (map[content]string, error) {
	o := u.owner
	ids := make(map[content]string, len(sources))
	var missing []source
	for _, s := range sources {
		if id, ok := o.base.contents[s.content]; ok && !o.damaged[id] {
			ids[s.content] = id
			continue
		}
		// Half of what the manifest is given is left for the rest.
		if p, ok := o.pending[s.content]; ok && o.store.options.Now().Sub(p.at) <= o.store.options.Grace/4 {
			ids[s.content] = p.id
			if p.at.Before(u.oldest) {
				u.oldest = p.at
			}
			continue
		}
		missing = append(missing, s)
	}
	err := o.store.inParallel(ctx, len(missing), func(ctx context.Context, i int) error {
		s := missing[i]
		// The key is new: whoever found the object of an older one to be garbage
		// may be about to delete it.
		p := pending{fmt.Sprintf("%x.%s", s.sum[:16], u.name), o.store.options.Now()}
		if err := o.put(ctx, o.objectKey(p.id), s); err != nil {
			return err
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		o.pending[s.content] = p
		ids[s.content] = p.id
		u.objects++
		u.bytes += s.size
		return nil
	})
	return ids, err
}

// put stores a part under key.
func (o *Owner) put(ctx context.Context, key string, s source) error {
	f, err := o.store.options.FS.Open(s.path)
	if err != nil {
		return err
	}
	err = o.store.retry(ctx, func() error {
		r := &checkedReader{r: io.NewSectionReader(f, s.offset, s.size), h: sha256.New(), source: s}
		return o.store.bucket.Put(ctx, key, r)
	})
	if err != nil {
		err = fmt.Errorf("object %s: %w", key, err)
	}
	return errors.Join(err, f.Close())
}

// checkedReader ends with an error, and so keeps the object from being stored,
// if what was read is not what was hashed before.
type checkedReader struct {
	r      *io.SectionReader
	h      hash.Hash
	source source
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.h.Write(p[:n])
	switch {
	case errors.Is(err, io.EOF) && !bytes.Equal(c.h.Sum(nil), c.source.sum[:]):
		return n, local(changed(c.source.path, 0, 1))
	case err != nil && !errors.Is(err, io.EOF):
		return n, local(err)
	}
	return n, err
}

// publish creates the manifest. There is nothing to replace: the newest is the
// one whose name says so.
func (o *Owner) publish(ctx context.Context, m manifest, text []byte) error {
	key := o.manifestKey(m.version)
	err := o.store.retry(ctx, func() error { return o.store.bucket.Create(ctx, key, text) })
	if !errors.Is(err, ErrObjectExists) {
		if err != nil {
			err = fmt.Errorf("manifest %s: %w", key, err)
		}
		return err
	}
	// It may be ours, of a try whose answer was lost.
	there, err := o.load(ctx, m.version)
	if err != nil {
		return err
	}
	if there.upload != m.upload {
		return fmt.Errorf("manifest %s: is of another upload, %s: %w", key, there.upload, ErrStale)
	}
	return nil
}

// confirm looks whether the manifest that was just created is the newest, and
// sees to garbage.
func (o *Owner) confirm(ctx context.Context, v Version, late bool) (Swept, error) {
	listed, err := o.list(ctx)
	if len(listed) == 0 {
		return Swept{Err: err}, nil // the checkpoint is stored all the same
	}
	if err := fenced(listed, v); err != nil {
		return Swept{}, err
	}
	return o.sweep(ctx, listed, late)
}
