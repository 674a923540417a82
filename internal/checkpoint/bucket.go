package checkpoint

import (
	"context"
	"errors"
	"io"
	"time"
)

// Bucket is what a Store needs of a place for objects. An object appears under
// its key whole or not at all, and survives a crash once Put or Create has
// returned. A Bucket may be used by several goroutines.
//
// An error that is or wraps none of the errors of this package counts as one
// that time can heal: what was asked may have been done or not, and is asked
// again.
type Bucket interface {
	// Put stores what r holds under key, in the place of what is there. If r
	// fails, nothing is stored.
	Put(ctx context.Context, key string, r io.Reader) error
	// Create stores data under key, or fails with ErrObjectExists if there is
	// an object already. Of several at once for one key exactly one succeeds,
	// whatever process they are in.
	Create(ctx context.Context, key string, data []byte) error
	// Get reads the object under key. It fails with ErrObjectMissing if there is
	// none.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// List calls each with all objects whose key begins with prefix, which is
	// empty or ends with a slash, and stops at its first error.
	List(ctx context.Context, prefix string, each func(Object) error) error
	// Delete removes the object under key, if there is one.
	Delete(ctx context.Context, key string) error
}

// Object is an entry of a list.
type Object struct {
	Key  string
	Size int64 // bytes
	// ModTime is when it was stored, by the clock of the bucket.
	ModTime time.Time
}

var (
	// ErrObjectMissing means that a Bucket has no object of that key.
	ErrObjectMissing = errors.New("no such object")
	// ErrObjectExists means that Create found an object of that key.
	ErrObjectExists = errors.New("object exists already")
	// ErrRefused means that a Bucket refuses what was asked, and will refuse it
	// again: look at its credentials and permissions.
	ErrRefused = errors.New("the store refuses it; look at its credentials and permissions")
)
