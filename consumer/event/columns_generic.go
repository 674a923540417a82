//go:build !(386 || amd64 || arm || arm64 || loong64 || mipsle || mips64le || ppc64le || riscv64 || wasm)

package event

import "math"

// copyFixed64 copies len(dst) little-endian words on a machine of either byte
// order.
func copyFixed64(dst []uint64, b []byte) {
	for i := range dst {
		dst[i] = le64(b[8*i:])
	}
}

// copyFloat copies len(dst) little-endian floats.
func copyFloat(dst []float32, b []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(le32(b[4*i:]))
	}
}
