package checkpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gocloud.dev/blob/fileblob"
)

// staging is the folder of the bucket for files that are not whole yet.
const staging = "staging/"

// stagingAge is when a file there is of a process that died.
const stagingAge = 24 * time.Hour

// fileBucket is a Bucket in a directory, possibly one that several machines
// mount. fileblob lacks two things: it looks whether a file is there and then
// renames another over it, so that of two at once both succeed; and it leaves
// to the kernel when bytes reach the disk. Here a file is written aside and
// synced, and gets its name by link(2), which fails where there is one, or by
// rename(2), where that does not matter.
type fileBucket struct {
	*BlobBucket
	dir string
}

// openFileBucket opens dir, and makes it if need be.
func openFileBucket(dir string) (*fileBucket, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{
		CreateDir: true, NoTempDir: true, Metadata: fileblob.MetadataDontWrite,
	})
	if err != nil {
		return nil, err
	}
	bucket := &fileBucket{NewBlobBucket(b), dir}
	return bucket, errors.Join(bucket.clean(), syncDir(filepath.Dir(dir)))
}

// clean removes what a process left behind that died.
func (b *fileBucket) clean() error {
	entries, err := os.ReadDir(b.path(staging))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > stagingAge {
			err = os.Remove(filepath.Join(b.path(staging), e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (b *fileBucket) path(key string) string { return filepath.Join(b.dir, filepath.FromSlash(key)) }

// Put implements Bucket.
func (b *fileBucket) Put(ctx context.Context, key string, r io.Reader) error {
	return b.store(key, os.Rename, func(staged string) error { return b.BlobBucket.Put(ctx, staged, r) })
}

// Create implements Bucket.
func (b *fileBucket) Create(ctx context.Context, key string, data []byte) error {
	return b.store(key, linkNew, func(staged string) error { return b.BlobBucket.Create(ctx, staged, data) })
}

// linkNew gives the file at from a name that is not taken.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Over NFS, the answer to a link that was made may be lost, and the second
	// try finds its own.
	source, err1 := os.Stat(from)
	target, err2 := os.Stat(to)
	if err1 == nil && err2 == nil && os.SameFile(source, target) {
		return nil
	}
	return fmt.Errorf("%w: %w", err, ErrObjectExists)
}

// store lets write make a file aside and name gives it the name of key.
func (b *fileBucket) store(key string, name func(from, to string) error, write func(staged string) error) (err error) {
	staged := staging + rand.Text()
	if err := write(staged); err != nil {
		return err
	}
	defer func() {
		if removeErr := os.Remove(b.path(staged)); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	if err := syncFile(b.path(staged)); err != nil {
		return err
	}
	parent := filepath.Dir(b.path(key))
	if err := b.mkdirs(parent); err != nil {
		return err
	}
	if err := name(b.path(staged), b.path(key)); err != nil {
		return err
	}
	return syncDir(parent)
}

// mkdirs makes a directory below that of the bucket, durably.
func (b *fileBucket) mkdirs(dir string) error {
	if info, err := os.Stat(dir); dir == b.dir || err == nil && info.IsDir() {
		return err
	}
	if err := b.mkdirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// List implements Bucket. fileblob's passes over a directory that it cannot
// read, as if there were nothing in it.
func (b *fileBucket) List(ctx context.Context, prefix string, each func(Object) error) error {
	if _, err := os.ReadDir(b.path(prefix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return b.BlobBucket.List(ctx, prefix, each)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
