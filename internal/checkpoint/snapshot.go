package checkpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// seen is an immutable file that was hashed before.
type seen struct {
	size    int64
	modTime time.Time
	parts   []content
}

// source is where a part of a snapshot is read from.
type source struct {
	path   string
	offset int64
	content
}

// immutable says whether files of this name are written once: Pebble's tables
// and blob files. All others, of which there are few, may have grown.
func immutable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

// scan reads what is in dir. The parts of the files have no objects yet. It
// returns one source for each content.
func (o *Owner) scan(ctx context.Context, dir string) ([]file, []source, error) {
	fs := o.store.options.FS
	names, err := fs.List(dir)
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(names)
	var files []file
	var sources []source
	known := map[content]bool{}
	remembered := make(map[string]seen, len(o.seen))
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			return nil, nil, err
		}
		if info.IsDir() || !validName(name) {
			return nil, nil, fmt.Errorf("%s: is a directory or of a name that cannot be stored: %w", path, ErrSnapshot)
		}
		now := seen{size: info.Size(), modTime: info.ModTime()}
		if before, ok := o.seen[name]; ok && before.size == now.size && before.modTime.Equal(now.modTime) {
			now = before
		} else if now.parts, err = o.hash(ctx, path, now.size); err != nil {
			return nil, nil, err
		}
		if immutable(name) {
			remembered[name] = now
		}
		f := file{name: name}
		offset := int64(0)
		for _, c := range now.parts {
			f.parts = append(f.parts, part{content: c})
			if !known[c] {
				known[c] = true
				sources = append(sources, source{path, offset, c})
			}
			offset += c.size
		}
		files = append(files, f)
	}
	o.seen = remembered
	return files, sources, nil
}

// hash reads a file of the given size and returns the contents of its parts.
func (o *Owner) hash(ctx context.Context, path string, size int64) (parts []content, err error) {
	f, err := o.store.options.FS.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	limit := o.store.partOfLog
	if immutable(path) {
		limit = o.store.partOfTable
	}
	for offset := int64(0); offset < size; offset += limit {
		c := content{size: min(limit, size-offset)}
		h := sha256.New()
		if n, err := io.Copy(h, readerContext{ctx, io.LimitReader(f, c.size)}); err != nil || n != c.size {
			return nil, errors.Join(err, changed(path, n, c.size))
		}
		h.Sum(c.sum[:0])
		parts = append(parts, c)
	}
	return parts, nil
}

func changed(path string, got, want int64) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s: changed while it was read: %w", path, ErrSnapshot)
}
