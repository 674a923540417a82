package durable

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
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

// tableSpan ends a table where another kind of keys begins, or another bucket of
// chunks. Every commit has keys of all kinds, so that a table of all of them
// would lie over all that is stored, and merging it would write all of that
// again. New chunks come behind the others of their bucket: tables of them alone
// lie over nothing.
func tableSpan(key []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	if len(key) == chunkKeyBytes && (key[0] == kindRows || key[0] == kindOld) {
		bucket := binary.BigEndian.Uint32(key[1:])
		if bucket < math.MaxUint32 {
			return policy, appendChunkKey(nil, key[0], bucket+1, 0), nil
		}
	}
	if len(key) == 0 || key[0] == math.MaxUint8 {
		return policy, nil, nil
	}
	return policy, []byte{key[0] + 1}, nil
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
