package checkpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a Store.
type Options struct {
	// Group is the consumer group whose partitions these are. Groups may share
	// a bucket.
	Group string
	// Grace is how long an object that no manifest needs any more, and a
	// manifest that has been replaced, are kept. No checkpoint may take longer
	// than half of it, and no restore longer than all of it.
	Grace time.Duration
	// Keep is how many of the newest manifests are kept however old.
	Keep int
	// Tries is how often a request is made before its error counts.
	Tries int
	// Backoff is the pause before the second try. Each pause is longer than the
	// one before.
	Backoff time.Duration
	// Parallel is how many objects of a checkpoint are on their way at once.
	// With 1, the order of requests depends on the data alone.
	Parallel int
	// FS is where the state directories are.
	FS vfs.FS
	// Now is the clock by which checkpoints are timed. Ages of objects go by
	// that of the bucket.
	Now func() time.Time
	// Writer tells the objects of this Store from those of any other Store,
	// before or beside it. It is made of letters and digits. Empty: random.
	Writer string
}

// DefaultOptions returns the options of the group.
func DefaultOptions(group string) Options {
	return Options{
		Group: group, Grace: 30 * time.Minute, Keep: 3, Tries: 5, Backoff: 200 * time.Millisecond, Parallel: 4,
		FS: vfs.Default, Now: time.Now,
	}
}

// Validate reports everything that is wrong with o.
func (o Options) Validate() error {
	var errs []error
	require := func(ok bool, problem string) {
		if !ok {
			errs = append(errs, errors.New("checkpoint options: "+problem))
		}
	}
	require(o.Group != "", "group must not be empty")
	require(o.Grace > 0, "grace must be positive")
	require(o.Keep >= 1, "keep must be at least 1")
	require(o.Tries >= 1, "tries must be at least 1")
	require(o.Backoff > 0, "backoff must be positive")
	require(o.Parallel >= 1, "parallel must be at least 1")
	require(o.FS != nil, "fs must be set")
	require(o.Now != nil, "now must be set")
	require(strings.Trim(o.Writer, alphanumeric) == "", "writer must be made of letters and digits")
	return errors.Join(errs...)
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Sizes of the parts that files travel in. Files that grow at their end, as
// logs do, travel in small ones, so that only the last is sent again.
const (
	partOfTable = 32 << 20
	partOfLog   = 256 << 10
)

// Store keeps checkpoints of a group's partitions in a Bucket. It may be used
// by several goroutines.
type Store struct {
	bucket  Bucket
	options Options
	root    string        // of all keys
	uploads atomic.Uint64 // begun so far, to tell them apart
	trusted atomic.Bool   // the bucket is known to create exclusively

	partOfTable, partOfLog int64 // bytes
}

// NewStore returns the Store of o.Group in b. It asks nothing of b yet.
func NewStore(b Bucket, o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Writer == "" {
		o.Writer = rand.Text()
	}
	return &Store{bucket: b, options: o, root: escaped(o.Group) + "/", partOfTable: partOfTable, partOfLog: partOfLog}, nil
}

// escaped is a group's name as one element of a key.
func escaped(group string) string {
	var b strings.Builder
	for i := range len(group) {
		c := group[i]
		if strings.IndexByte(alphanumeric+"_-", c) >= 0 || c == '.' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// trust finds out whether the bucket heeds the condition of Create: there are
// stores which do not know it and overwrite in silence. Of those, two owners
// could both be told that theirs is the checkpoint of one Version.
func (s *Store) trust(ctx context.Context) error {
	if s.trusted.Load() {
		return nil
	}
	key := s.root + "creates-exclusively"
	text := []byte("Checkpoints need a store that refuses to create an object twice; this one was found to.\n")
	create := func() error {
		return s.retry(ctx, func() error { return s.bucket.Create(ctx, key, text) })
	}
	err := create()
	if err == nil {
		err = create() // the first ever in this bucket
	}
	switch {
	case errors.Is(err, ErrObjectExists):
		s.trusted.Store(true)
		return nil
	case err != nil:
		return fmt.Errorf("object %s: %w", key, err)
	default:
		return fmt.Errorf("object %s: %w", key, ErrUnconditional)
	}
}

// retry does op until it succeeds, or meets an error that it would meet again,
// or Options.Tries times.
func (s *Store) retry(ctx context.Context, op func() error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval = s.options.Backoff
	pauses.MaxInterval = 16 * s.options.Backoff
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if ctx.Err() != nil {
			return struct{}{}, context.Cause(ctx)
		}
		err := op()
		var local *localError
		for _, final := range []error{ErrObjectExists, ErrObjectMissing, ErrRefused, ErrFormat} {
			if errors.Is(err, final) || errors.As(err, &local) {
				return struct{}{}, backoff.Permanent(err)
			}
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(uint(s.options.Tries)), backoff.WithMaxElapsedTime(0))
	if permanent := new(backoff.PermanentError); errors.As(err, &permanent) {
		err = permanent.Unwrap() // of the last try, which Retry leaves as it is
	}
	return err
}

// localError is an error of this machine's files, in the middle of a request.
type localError struct{ error }

func (e *localError) Unwrap() error { return e.error }

func local(err error) error {
	if err == nil {
		return nil
	}
	return &localError{err}
}
