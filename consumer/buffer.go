package consumer

import (
	"math/bits"
	"sync"
)

const (
	smallestBuffer = 12 // 4 KiB, as a power of two
	largestPooled  = 24 // 16 MiB; larger ones are left to the garbage collector
)

// buffers pools byte buffers by power-of-two size.
type buffers struct {
	classes [largestPooled + 1]sync.Pool
}

// buffer is n bytes from a pool. release gives them back.
type buffer struct {
	bytes []byte
	class int
	pool  *buffers
}

func (p *buffers) get(n int) *buffer {
	class := max(smallestBuffer, bits.Len(uint(max(n, 1)-1)))
	if class > largestPooled {
		return &buffer{bytes: make([]byte, n)}
	}
	b, _ := p.classes[class].Get().(*buffer)
	if b == nil {
		b = &buffer{bytes: make([]byte, 1<<class), class: class, pool: p}
	}
	b.bytes = b.bytes[:n]
	return b
}

func (b *buffer) release() {
	if b != nil && b.pool != nil {
		b.pool.classes[b.class].Put(b)
	}
}
