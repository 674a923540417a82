package eventfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// endings are what the name of a stream's file may end with.
var endings = []struct {
	suffix string
	format event.Format
}{
	{".ndjson", event.JSON},
	{".ndjson.gz", event.JSON},
	{".ndjson.zst", event.JSON},
	{".pb", event.Protobuf},
	{".pb.zst", event.Protobuf},
}

// ErrNoFiles means that a directory holds none of the files that it could.
var ErrNoFiles = errors.New("no event files")

// find returns the path of the stream's file in dir and its format, or an empty
// path when there is none. More than one is an error: reading both would count
// everything twice.
func find(dir string, s event.Stream) (path string, format event.Format, err error) {
	for _, e := range endings {
		candidate := filepath.Join(dir, s.String()+e.suffix)
		info, err := os.Stat(candidate)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return "", 0, fmt.Errorf("event files: %w", err)
		case !info.Mode().IsRegular():
			return "", 0, fmt.Errorf("event files: %s: is not a regular file", candidate)
		case path != "":
			return "", 0, fmt.Errorf("event files: %s and %s: both hold %s; keep one", path, candidate, s)
		}
		path, format = candidate, e.format
	}
	return path, format, nil
}

// file is an open event file behind its decompression.
type file struct {
	io.Reader
	path  string
	size  int64        // in bytes, as stored
	read  atomic.Int64 // of these
	close []func() error
}

func openFile(path string) (*file, error) {
	raw, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("event files: %w", err)
	}
	f := &file{path: path, close: []func() error{raw.Close}}
	info, err := raw.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("event files: %w", err), f.Close())
	}
	f.size = info.Size()
	f.Reader = &counted{raw, &f.read}
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(f.Reader)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: not gzip: %w", path, err), f.Close())
		}
		f.Reader = z // its Close would only repeat an error that Read has returned
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(f.Reader, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: not zstd: %w", path, err), f.Close())
		}
		f.Reader = z
		f.close = append(f.close, z.IOReadCloser().Close)
	}
	return f, nil
}

// Close releases the decompression, then the file.
func (f *file) Close() error {
	var errs []error
	for i := len(f.close) - 1; i >= 0; i-- {
		errs = append(errs, f.close[i]())
	}
	f.close = nil
	return errors.Join(errs...)
}

// counted counts what is read through it.
type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
