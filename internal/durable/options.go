package durable

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options configures a DB.
type Options struct {
	// FS is the file system, nil: the disk.
	FS vfs.FS
	// CacheBytes is for blocks of tables in memory; below 8 MB a look-up on the
	// disk takes several times as long. 0: 32 MB.
	CacheBytes int64
	// MemoryBytes is for rows in memory that are stored already. 0: 16 MB.
	MemoryBytes int64
	// WriteBytes is how much is gathered in the log before it goes to tables;
	// twice that may be in memory. Small values cost time. 0: 16 MB.
	WriteBytes int64
	// BucketMs is the span of the buckets that Evict drops, 0: an hour. A
	// directory keeps the span that it was made with.
	BucketMs int64
	// NoCompactions leaves tables as they are: nothing is written but what a call
	// writes. It is for simulations, which can be repeated then.
	NoCompactions bool
	// Logger receives what Pebble says, at debug level; nil: nobody does.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 16 << 20
	}
	if o.WriteBytes == 0 {
		o.WriteBytes = 16 << 20
	}
	if o.BucketMs == 0 {
		o.BucketMs = 3_600_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
