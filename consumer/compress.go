package consumer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The codecs of message format v2, as in a batch's attributes.
const (
	codecGzip   int16 = 1
	codecSnappy int16 = 2
	codecLZ4    int16 = 3
	codecZstd   int16 = 4
)

func codecName(c int16) string {
	switch c {
	case codecGzip:
		return "gzip"
	case codecSnappy:
		return "snappy"
	case codecLZ4:
		return "lz4"
	case codecZstd:
		return "zstd"
	}
	return fmt.Sprintf("%d", c)
}

var (
	errTooBig       = errors.New("larger than allowed")
	errUnknownCodec = errors.New("unknown codec")
	errSnappyFrame  = errors.New("malformed snappy frame")
)

// codecs pools the state of the decompressors, which is large and dear to make.
type codecs struct {
	maxBytes        int
	gzip, lz4, zstd sync.Pool
}

// streamCodec is a decompressor that reads from a byte slice.
type streamCodec[R any] struct {
	source bytes.Reader
	reader R
}

// newCodecs returns decompressors that refuse results above maxBytes.
func newCodecs(maxBytes int) *codecs { return &codecs{maxBytes: maxBytes} }

// decompress appends what src holds to dst. The result is at most limit bytes.
func (c *codecs) decompress(dst []byte, codec int16, src []byte, limit int) ([]byte, error) {
	switch codec {
	case codecGzip:
		return c.gunzip(dst, src, limit)
	case codecSnappy:
		return unsnappy(dst, src, limit)
	case codecLZ4:
		return c.unlz4(dst, src, limit)
	case codecZstd:
		return c.unzstd(dst, src, limit)
	}
	return dst, errUnknownCodec
}

func (c *codecs) gunzip(dst, src []byte, limit int) ([]byte, error) {
	z, _ := c.gzip.Get().(*streamCodec[gzip.Reader])
	if z == nil {
		z = new(streamCodec[gzip.Reader])
	}
	defer c.gzip.Put(z)
	z.source.Reset(src)
	defer z.source.Reset(nil)
	if err := z.reader.Reset(&z.source); err != nil {
		return dst, err
	}
	return readAll(dst, &z.reader, limit)
}

func (c *codecs) unlz4(dst, src []byte, limit int) ([]byte, error) {
	z, _ := c.lz4.Get().(*streamCodec[*lz4.Reader])
	if z == nil {
		z = &streamCodec[*lz4.Reader]{reader: lz4.NewReader(nil)}
	}
	defer c.lz4.Put(z)
	z.source.Reset(src)
	defer z.source.Reset(nil)
	z.reader.Reset(&z.source)
	return readAll(dst, z.reader, limit)
}

func (c *codecs) unzstd(dst, src []byte, limit int) ([]byte, error) {
	z, _ := c.zstd.Get().(*zstd.Decoder)
	if z == nil {
		var err error
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(c.maxBytes)))
		if err != nil {
			return dst, err
		}
	}
	defer c.zstd.Put(z)
	out, err := z.DecodeAll(src, dst)
	if err == nil && len(out)-len(dst) > limit {
		err = errTooBig
	}
	return out, err
}

// xerialMagic begins the framing that Java clients put around snappy blocks:
// the magic, two version numbers, then blocks behind their 4-byte length.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unsnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return snappyBlock(dst, src, limit)
	}
	if len(src) < len(xerialMagic)+8 {
		return dst, errSnappyFrame
	}
	for src = src[len(xerialMagic)+8:]; len(src) > 0; {
		if len(src) < 4 {
			return dst, errSnappyFrame
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return dst, errSnappyFrame
		}
		var err error
		if dst, err = snappyBlock(dst, src[:n], limit); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

// snappyBlock appends one block. limit bounds the whole of dst.
func snappyBlock(dst, block []byte, limit int) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return dst, err
	}
	if n > limit-len(dst) {
		return dst, errTooBig
	}
	dst = slices.Grow(dst, n)
	out, err := s2.Decode(dst[len(dst):len(dst)+n], block)
	if err != nil {
		return dst, err
	}
	return dst[:len(dst)+len(out)], nil
}

// readAll appends r to dst, and refuses more than limit bytes in all.
func readAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(64<<10, len(dst)))
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > limit {
			return dst, errTooBig
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}
