package durable

import (
	"encoding/binary"
	"fmt"
)

// Keys begin with a byte that says what they are.
const (
	kindFormat  = 'f' // what wrote the directory: formatRecord
	kindMeta    = 'm' // the commit's number, and what the caller gave Commit
	kindEvicted = 'e' // EvictedMs
	kindPane    = 'p' // and the caller's key
	kindRows    = 'r' // and bucket and number of a chunk, each of four bytes
	kindOld     = 'o' // and the same of a commit's last chunk in a bucket: the rows that it replaced
)

// formatVersion is of the keys and values; Pebble has one of its own.
const formatVersion = 1

var (
	formatKey  = []byte{kindFormat}
	metaKey    = []byte{kindMeta}
	evictedKey = []byte{kindEvicted}
	// rowsEnd is above all chunks, and paneEnd above all panes.
	rowsEnd = []byte{kindRows + 1}
	oldEnd  = []byte{kindOld + 1}
	paneEnd = []byte{kindPane + 1}
)

const (
	chunkKeyBytes = 9
	formatBytes   = 12
)

func appendChunkKey(b []byte, kind byte, bucket, seq uint32) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, bucket)
	return binary.BigEndian.AppendUint32(b, seq)
}

func parseChunkKey(k []byte) (bucket, seq uint32, err error) {
	if len(k) != chunkKeyBytes {
		return 0, 0, fmt.Errorf("key %x: %w", k, errChunk)
	}
	return binary.BigEndian.Uint32(k[1:]), binary.BigEndian.Uint32(k[5:]), nil
}

// formatRecord is the value of formatKey: the version, and the length of a
// bucket, which stays what it was when the directory was made.
func formatRecord(bucketMs int64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, formatVersion), uint64(bucketMs))
}
