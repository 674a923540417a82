//go:build 386 || amd64 || arm || arm64 || loong64 || mipsle || mips64le || ppc64le || riscv64 || wasm

package event

import "unsafe"

// copyFixed64 copies len(dst) little-endian words. On these machines they are
// an array already.
func copyFixed64(dst []uint64, b []byte) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst)*8), b)
}

// copyFloat copies len(dst) little-endian floats.
func copyFloat(dst []float32, b []byte) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst)*4), b)
}
