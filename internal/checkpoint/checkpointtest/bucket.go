// Package checkpointtest is a bucket in memory on which a test or a simulation
// lets requests fail, get lost or lie about what is there. It is deterministic:
// it has no clock and makes no choice of its own.
//
// It is not a place for checkpoints, and knows nothing of what they are.
package checkpointtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
)

// Kind is what a request asks for.
type Kind string

// The kinds of requests, as the methods of checkpoint.Bucket are called.
const (
	Put    Kind = "put"
	Create Kind = "create"
	Get    Kind = "get"
	List   Kind = "list"
	Delete Kind = "delete"
)

// Request is one call of a method.
type Request struct {
	Kind Kind
	Key  string // or prefix
	// N counts the requests of the Bucket from 0.
	N int
}

// Bucket implements checkpoint.Bucket. Set its hooks before it is used.
type Bucket struct {
	// Now is the clock of the bucket, and must be set.
	Now func() time.Time
	// Before is called before a request is done. If it fails, the request does
	// nothing, and fails with the same error. nil: none fails.
	Before func(ctx context.Context, r Request) error
	// After is called after a request was done. If it fails, the request fails
	// with the same error, but has been done. nil: none fails.
	After func(ctx context.Context, r Request) error
	// Hide leaves objects out of lists. nil: none.
	Hide func(o checkpoint.Object) bool

	mu       sync.Mutex
	objects  map[string]object
	requests int
	written  int64
}

type object struct {
	data    []byte
	modTime time.Time
}

// do does a request between its hooks.
func (b *Bucket) do(ctx context.Context, kind Kind, key string, f func() error) error {
	b.mu.Lock()
	r := Request{kind, key, b.requests}
	b.requests++
	b.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.Before != nil {
		if err := b.Before(ctx, r); err != nil {
			return err
		}
	}
	b.mu.Lock()
	err := f()
	b.mu.Unlock()
	if err == nil && b.After != nil {
		err = b.After(ctx, r)
	}
	return err
}

// Put implements checkpoint.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader) error {
	return b.do(ctx, Put, key, func() error {
		data, err := io.ReadAll(r)
		if err == nil {
			b.set(key, data)
		}
		return err
	})
}

// Create implements checkpoint.Bucket.
func (b *Bucket) Create(ctx context.Context, key string, data []byte) error {
	return b.do(ctx, Create, key, func() error {
		if _, ok := b.objects[key]; ok {
			return fmt.Errorf("%s: %w", key, checkpoint.ErrObjectExists)
		}
		b.set(key, slices.Clone(data))
		return nil
	})
}

func (b *Bucket) set(key string, data []byte) {
	if b.objects == nil {
		b.objects = map[string]object{}
	}
	b.objects[key] = object{data, b.Now()}
	b.written += int64(len(data))
}

// Get implements checkpoint.Bucket.
func (b *Bucket) Get(ctx context.Context, key string) (r io.ReadCloser, err error) {
	err = b.do(ctx, Get, key, func() error {
		o, ok := b.objects[key]
		if !ok {
			return fmt.Errorf("%s: %w", key, checkpoint.ErrObjectMissing)
		}
		r = io.NopCloser(bytes.NewReader(o.data))
		return nil
	})
	return r, err
}

// List implements checkpoint.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string, each func(checkpoint.Object) error) error {
	var found []checkpoint.Object
	err := b.do(ctx, List, prefix, func() error {
		for key, o := range b.objects {
			entry := checkpoint.Object{Key: key, Size: int64(len(o.data)), ModTime: o.modTime}
			if strings.HasPrefix(key, prefix) && (b.Hide == nil || !b.Hide(entry)) {
				found = append(found, entry)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b checkpoint.Object) int { return strings.Compare(a.Key, b.Key) })
	for _, o := range found {
		if err := each(o); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements checkpoint.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.do(ctx, Delete, key, func() error {
		delete(b.objects, key)
		return nil
	})
}

// Requests is how many there have been.
func (b *Bucket) Requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// Written is how many bytes have been stored, deleted or not.
func (b *Bucket) Written() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written
}

// Keys are those of all objects whose key begins with prefix, sorted.
func (b *Bucket) Keys(prefix string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for key := range b.objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Edit replaces what is under key by what f makes of it, and leaves its time
// alone. With nil it deletes the object.
func (b *Bucket) Edit(key string, f func(data []byte) []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.objects[key]
	if !ok {
		panic("BUG: no object " + key)
	}
	o.data = f(slices.Clone(o.data))
	if o.data == nil {
		delete(b.objects, key)
		return
	}
	b.objects[key] = o
}
