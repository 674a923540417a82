package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"
)

// Swept says what an Upload did about garbage.
type Swept struct {
	Manifests int // deleted
	Objects   int // deleted
	// Damaged is how many objects of the new checkpoint turned out not to be in
	// the bucket as they should. The next Upload sends them again.
	Damaged int
	// Err is why garbage was left, if it was. The checkpoint is stored; the next
	// Upload tries again.
	Err error
}

// sweepsPerGrace is how often garbage is collected in each grace period.
const sweepsPerGrace = 8

// sweep deletes manifests that were replaced long ago, and objects that no kept
// manifest names. The package comment says why nobody misses them. listed was
// asked for after this Owner created the newest manifest.
func (o *Owner) sweep(ctx context.Context, listed []entry, late bool) (Swept, error) {
	now := o.store.options.Now()
	if !late && now.Sub(o.swept) < o.store.options.Grace/sweepsPerGrace {
		return Swept{}, nil
	}
	if len(listed) == 0 || listed[len(listed)-1].version != o.base.version {
		return Swept{}, nil // the list lags behind
	}
	kept, expired, horizon := o.expire(listed)
	swept := Swept{}
	named, err := o.named(ctx, kept)
	if err == nil {
		err = o.drop(ctx, expired, &swept)
	}
	if err == nil {
		err = o.collect(ctx, named, horizon, &swept)
	}
	if late && (err != nil || swept.Damaged > 0) {
		return swept, errors.Join(err, fmt.Errorf("of what it relies on, %d objects are gone: %w", swept.Damaged, ErrSlow))
	}
	swept.Err = err
	if err == nil {
		o.swept = now
	}
	return swept, nil
}

// expire parts manifests into those that are kept and those that are not, and
// says since when what is garbage must have been there. All times are the
// bucket's: the newest manifest was stored just now.
func (o *Owner) expire(listed []entry) (kept, expired []entry, horizon time.Time) {
	replaced := listed[len(listed)-1].ModTime
	horizon = replaced.Add(-o.store.options.Grace)
	for i := len(listed) - 1; i >= 0; i-- {
		e := listed[i]
		if len(kept) < o.store.options.Keep || !replaced.Before(horizon) {
			kept = append(kept, e)
		} else {
			expired = append(expired, e)
		}
		// An older one is the newest until the first of these was stored.
		if e.ModTime.Before(replaced) {
			replaced = e.ModTime
		}
	}
	return kept, expired, horizon
}

// named returns the objects of all kept manifests. If one cannot be read, it
// fails: there is no telling what it names.
func (o *Owner) named(ctx context.Context, kept []entry) (map[string]bool, error) {
	named := map[string]bool{}
	refs := make(map[Version][]string, len(kept))
	for _, e := range kept {
		objects, ok := o.refs[e.version]
		if !ok {
			m, err := o.load(ctx, e.version)
			if err != nil {
				return nil, err
			}
			objects = m.objects()
		}
		refs[e.version] = objects
		for _, id := range objects {
			named[id] = true
		}
	}
	o.refs = refs
	return named, nil
}

// drop deletes manifests. Objects go after the manifests that name them, so
// that no manifest is left without its objects.
func (o *Owner) drop(ctx context.Context, expired []entry, swept *Swept) error {
	for i := len(expired) - 1; i >= 0; i-- {
		if err := o.delete(ctx, expired[i].Key); err != nil {
			return err
		}
		swept.Manifests++
	}
	return nil
}

// collect deletes objects from before horizon that are not named, and looks
// whether all those of the newest manifest are there.
func (o *Owner) collect(ctx context.Context, named map[string]bool, horizon time.Time, swept *Swept) error {
	prefix := o.root + "objects/"
	var garbage []string
	sizes := map[string]int64{}
	err := o.store.retry(ctx, func() error {
		garbage = garbage[:0]
		return o.store.bucket.List(ctx, prefix, func(object Object) error {
			id := path.Base(object.Key)
			sizes[id] = object.Size
			if !named[id] && object.ModTime.Before(horizon) {
				garbage = append(garbage, object.Key)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("list of %s: %w", prefix, err)
	}
	for c, id := range o.base.contents {
		if there, ok := sizes[id]; !ok || there != c.size {
			o.damaged[id] = true
			swept.Damaged++
		}
	}
	for _, key := range garbage {
		if err := o.delete(ctx, key); err != nil {
			return err
		}
		swept.Objects++
	}
	return nil
}

func (o *Owner) delete(ctx context.Context, key string) error {
	err := o.store.retry(ctx, func() error { return o.store.bucket.Delete(ctx, key) })
	if err != nil {
		return fmt.Errorf("deletion of %s: %w", key, err)
	}
	return nil
}
