package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// contentType is of all objects. A type that is named keeps the library from
// holding back the first bytes to guess one.
const contentType = "application/octet-stream"

// uploadParts is how many parts of one object are on their way to S3 at once.
// Each takes 8 MiB of memory.
const uploadParts = 2

// BlobBucket is a Bucket in a bucket of gocloud.dev/blob whose writes with
// IfNotExist are atomic, as those of s3blob and memblob are. Those of fileblob
// are not: OpenBucket has its own way with files.
type BlobBucket struct{ bucket *blob.Bucket }

// NewBlobBucket returns the Bucket in b, which Close closes.
func NewBlobBucket(b *blob.Bucket) *BlobBucket { return &BlobBucket{bucket: b} }

// Put implements Bucket.
func (b *BlobBucket) Put(ctx context.Context, key string, r io.Reader) error {
	return b.write(ctx, key, r, false)
}

// Create implements Bucket.
func (b *BlobBucket) Create(ctx context.Context, key string, data []byte) error {
	return b.write(ctx, key, bytes.NewReader(data), true)
}

func (b *BlobBucket) write(ctx context.Context, key string, r io.Reader, exclusive bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: contentType, IfNotExist: exclusive, MaxConcurrency: uploadParts,
	})
	if err != nil {
		return converted(err)
	}
	if _, err := io.Copy(w, readerContext{ctx, r}); err != nil {
		cancel() // or Close would store what was written so far
		return converted(errors.Join(err, ignoreCancel(w.Close())))
	}
	return converted(w.Close())
}

// ignoreCancel drops what Close says of the cancelling before it.
func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) || gcerrors.Code(err) == gcerrors.Canceled {
		return nil
	}
	return err
}

// readerContext ends a copy as soon as its context does, which not every
// driver looks at between two reads.
type readerContext struct {
	ctx context.Context
	r   io.Reader
}

func (r readerContext) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// Get implements Bucket.
func (b *BlobBucket) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, converted(err)
	}
	return struct {
		io.Reader
		io.Closer
	}{readerContext{ctx, r}, r}, nil
}

// List implements Bucket.
func (b *BlobBucket) List(ctx context.Context, prefix string, each func(Object) error) error {
	entries := b.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		e, err := entries.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return converted(err)
		}
		if err := each(Object{Key: e.Key, Size: e.Size, ModTime: e.ModTime}); err != nil {
			return err
		}
	}
}

// Delete implements Bucket.
func (b *BlobBucket) Delete(ctx context.Context, key string) error {
	err := b.bucket.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return converted(err)
}

// Close releases what the bucket holds.
func (b *BlobBucket) Close() error { return b.bucket.Close() }

// converted adds the error of this package that err stands for.
func converted(err error) error {
	if err == nil {
		return nil
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%w: %w", err, ErrObjectMissing)
	case gcerrors.FailedPrecondition:
		return fmt.Errorf("%w: %w", err, ErrObjectExists)
	case gcerrors.PermissionDenied:
		return fmt.Errorf("%w: %w", err, ErrRefused)
	default:
		return err
	}
}
