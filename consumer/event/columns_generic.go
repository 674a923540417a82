//go:build !(386 || amd64 || arm || arm64 || loong64 || mipsle || mips64le || ppc64le || riscv64 || wasm)

package event

func copyFixed64(dst []uint64, b []byte) { portableFixed64(dst, b) }

func copyFloat(dst []float32, b []byte) { portableFloat(dst, b) }
