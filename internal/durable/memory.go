package durable

import "github.com/cockroachdb/pebble/v2/vfs"

// InMemory returns Options under which directories lie in the memory of the
// process: they survive Close, and nothing else.
func InMemory() Options { return Options{FS: vfs.NewMem()} }
