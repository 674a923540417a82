package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Owner makes and restores the checkpoints of one partition for one fencing
// epoch. Take a new one whenever the partition is assigned anew: it remembers
// files by name, size and time, which another owner's state may have in common
// with this one's.
//
// It may be used by several goroutines; one works at a time, the others wait.
type Owner struct {
	store     *Store
	partition int32
	epoch     uint64
	root      string // of its keys

	mu      sync.Mutex
	base    base
	seen    map[string]seen      // immutable files hashed before, by name
	pending map[content]pending  // parts in the bucket that no manifest names yet
	refs    map[Version][]string // ids of the objects of manifests that are kept
	swept   time.Time            // last garbage collection

	damageMu sync.Mutex
	damaged  map[string]bool // objects that are not what they should be, by id
}

// base is the newest manifest, whose objects the next checkpoint may name.
type base struct {
	version  Version
	contents map[content]string // ids of its objects
	asOf     time.Time          // when it was the newest, at the latest
}

// pending is an object on its way into a manifest.
type pending struct {
	id string
	at time.Time // when its upload began
}

// Owner returns the owner of a partition for epoch, which is greater than that
// of any owner before it.
func (s *Store) Owner(partition int32, epoch uint64) *Owner {
	return &Owner{
		store: s, partition: partition, epoch: epoch,
		root: fmt.Sprintf("%spartition-%05d/", s.root, partition),
		seen: map[string]seen{}, pending: map[content]pending{}, damaged: map[string]bool{},
		refs: map[Version][]string{}, swept: s.options.Now(),
	}
}

func (o *Owner) manifestKey(v Version) string { return o.root + "manifests/" + v.name() }
func (o *Owner) objectKey(id string) string   { return o.root + "objects/" + id }

// errorf says where an error comes from.
func (o *Owner) errorf(text string, args ...any) error {
	return fmt.Errorf("checkpoint of group %q partition %d: "+text, append([]any{o.store.options.Group, o.partition}, args...)...)
}

// Newest is the Version of the newest checkpoint, whole or damaged, of whatever
// owner. It fails with ErrNone if there is none.
func (o *Owner) Newest(ctx context.Context) (Version, error) {
	listed, err := o.list(ctx)
	if err != nil {
		return Version{}, o.errorf("%w", err)
	}
	if len(listed) == 0 {
		return Version{}, o.errorf("%w", ErrNone)
	}
	return listed[len(listed)-1].version, nil
}

// entry is a manifest in a list.
type entry struct {
	version Version
	Object
}

// list returns the partition's manifests, oldest first.
func (o *Owner) list(ctx context.Context) ([]entry, error) {
	prefix := o.root + "manifests/"
	var listed []entry
	err := o.store.retry(ctx, func() error {
		listed = listed[:0]
		return o.store.bucket.List(ctx, prefix, func(object Object) error {
			if v, ok := parseName(strings.TrimPrefix(object.Key, prefix)); ok {
				listed = append(listed, entry{v, object})
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list of %s: %w", prefix, err)
	}
	slices.SortFunc(listed, func(a, b entry) int { return a.version.Compare(b.version) })
	return listed, nil
}

// load reads the manifest under key. It fails with ErrDamaged if it is not
// there or not whole.
func (o *Owner) load(ctx context.Context, v Version) (manifest, error) {
	key := o.manifestKey(v)
	var m manifest
	err := o.store.retry(ctx, func() error {
		text, err := o.read(ctx, key, maxManifest)
		if err != nil {
			return err
		}
		m, err = decode(text)
		return err
	})
	switch {
	case errors.Is(err, ErrObjectMissing):
		return manifest{}, fmt.Errorf("manifest %s: %w: %w", key, err, ErrDamaged)
	case err != nil:
		return manifest{}, fmt.Errorf("manifest %s: %w", key, err)
	case m.version != v || m.partition != o.partition:
		return manifest{}, fmt.Errorf("manifest %s: is that of partition %d, version %s: %w", key, m.partition, m.version, ErrDamaged)
	}
	return m, nil
}

// read returns the object under key, of which there is no more than limit.
func (o *Owner) read(ctx context.Context, key string, limit int64) ([]byte, error) {
	r, err := o.store.bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, limit))
	return data, errors.Join(err, r.Close())
}

// fenced says whether there is a manifest newer than v.
func fenced(listed []entry, v Version) error {
	if len(listed) == 0 {
		return nil
	}
	newest := listed[len(listed)-1].version
	switch {
	case newest.Epoch > v.Epoch:
		return fmt.Errorf("the newest is %s: %w", newest, ErrFenced)
	case newest.Compare(v) > 0:
		return fmt.Errorf("the newest is %s: %w", newest, ErrStale)
	}
	return nil
}

// inParallel calls do with 0 to n-1, several at once as the options say, and
// returns the first error, after which no more calls begin.
func (s *Store) inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	if s.options.Parallel == 1 {
		for i := range n {
			if err := do(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.options.Parallel)
	for i := range n {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return do(ctx, i)
		})
	}
	return g.Wait()
}
