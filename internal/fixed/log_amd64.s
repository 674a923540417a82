//go:build !purego

#include "textflag.h"

// The constants of SumPairs, each for four lanes.

DATA expOffset<>+0(SB)/8, $0x43300000000003FF // 2^52 + 1023
GLOBL expOffset<>(SB), RODATA, $8
DATA expMagic<>+0(SB)/8, $0x4330000000000000 // 2^52
GLOBL expMagic<>(SB), RODATA, $8
DATA ln2Units<>+0(SB)/8, $0x42662E42FEFA39EF // ln 2 · 2^40
GLOBL ln2Units<>(SB), RODATA, $8
DATA indexMask<>+0(SB)/8, $0x3FF0 // ten bits, times the size of an entry
GLOBL indexMask<>(SB), RODATA, $8
DATA mantissa<>+0(SB)/8, $0x000FFFFFFFFFFFFF
GLOBL mantissa<>(SB), RODATA, $8
DATA one<>+0(SB)/8, $0x3FF0000000000000
GLOBL one<>(SB), RODATA, $8
DATA unit<>+0(SB)/8, $0x4270000000000000 // 2^40
GLOBL unit<>(SB), RODATA, $8
DATA halfUnit<>+0(SB)/8, $0x4260000000000000 // 2^40 / 2
GLOBL halfUnit<>(SB), RODATA, $8
DATA thirdUnit<>+0(SB)/8, $0x4255555555555555 // 2^40 / 3
GLOBL thirdUnit<>(SB), RODATA, $8
DATA rounding<>+0(SB)/8, $0x4338000000000000 // 1.5 · 2^52
GLOBL rounding<>(SB), RODATA, $8

DATA clusterUnit<>+0(SB)/8, $0x4270000000000000 // 2^40
GLOBL clusterUnit<>(SB), RODATA, $8

// func sumPairsAVX2(ps, rs *float32, n int, table *logEntry, s *PairSums)
//
// It is the loop of sumPairs, four pairs at a time and operation by operation,
// so that every bit is the same.
TEXT ·sumPairsAVX2(SB), NOSPLIT, $0-40
	MOVQ ps+0(FP), SI
	MOVQ rs+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ table+24(FP), DX

	VPXOR Y15, Y15, Y15 // 0
	VPXOR Y14, Y14, Y14 // sum
	VPXOR Y13, Y13, Y13 // abs
	VPXOR Y12, Y12, Y12 // pairs
	VBROADCASTSD rounding<>(SB), Y11
	VBROADCASTSD unit<>(SB), Y10
	VBROADCASTSD one<>(SB), Y9
	VPXOR Y8, Y8, Y8    // p
	VPXOR Y6, Y6, Y6    // r
	SHRQ $2, CX
	JZ   done

loop:
	VCVTPS2PD (SI), Y0
	VCVTPS2PD (DI), Y1
	VCMPPD    $4, Y15, Y1, Y7 // r is not 0

	// p and r as integers; p counts where r is.
	VBROADCASTSD clusterUnit<>(SB), Y2
	VBROADCASTSD expMagic<>(SB), Y3
	VMULPD       Y2, Y0, Y4
	VADDPD       Y3, Y4, Y4
	VPSUBQ       Y3, Y4, Y4
	VPAND        Y7, Y4, Y4
	VPADDQ       Y4, Y8, Y8
	VMULPD       Y2, Y1, Y4
	VADDPD       Y3, Y4, Y4
	VPSUBQ       Y3, Y4, Y4
	VPADDQ       Y4, Y6, Y6

	VDIVPD    Y1, Y0, Y0      // the quotient

	// Where the entry of the table lies.
	VPSRLQ       $38, Y0, Y2
	VPBROADCASTQ indexMask<>(SB), Y3
	VPAND        Y3, Y2, Y2
	VMOVQ        X2, R8
	VPEXTRQ      $1, X2, R9
	VEXTRACTI128 $1, Y2, X3
	VMOVQ        X3, R10
	VPEXTRQ      $1, X3, R11
	VMOVUPD      (DX)(R8*1), X4
	VINSERTF128  $1, (DX)(R10*1), Y4, Y4
	VMOVUPD      (DX)(R9*1), X5
	VINSERTF128  $1, (DX)(R11*1), Y5, Y5
	VUNPCKLPD    Y5, Y4, Y2 // inverse
	VUNPCKHPD    Y5, Y4, Y3 // logarithm

	// The exponent's part, and the logarithm's.
	VPSRLQ       $52, Y0, Y4
	VPBROADCASTQ expMagic<>(SB), Y5
	VPOR         Y5, Y4, Y4
	VBROADCASTSD expOffset<>(SB), Y5
	VSUBPD       Y5, Y4, Y4
	VBROADCASTSD ln2Units<>(SB), Y5
	VMULPD       Y5, Y4, Y4
	VADDPD       Y3, Y4, Y4

	// The series.
	VBROADCASTSD mantissa<>(SB), Y5
	VPAND        Y5, Y0, Y0
	VPOR         Y9, Y0, Y0
	VMULPD       Y2, Y0, Y0
	VSUBPD       Y9, Y0, Y0 // z
	VMULPD       Y10, Y0, Y1
	VMULPD       Y0, Y0, Y2
	VBROADCASTSD thirdUnit<>(SB), Y5
	VMULPD       Y5, Y0, Y3
	VBROADCASTSD halfUnit<>(SB), Y5
	VSUBPD       Y3, Y5, Y3
	VMULPD       Y3, Y2, Y2
	VSUBPD       Y2, Y1, Y1
	VADDPD       Y1, Y4, Y4

	// To an integer, and 0 where r is.
	VADDPD Y11, Y4, Y4
	VPSUBQ Y11, Y4, Y4
	VPAND  Y7, Y4, Y4

	VPADDQ   Y4, Y14, Y14
	VPCMPGTQ Y4, Y15, Y5 // negative
	VPXOR    Y5, Y4, Y4
	VPSUBQ   Y5, Y4, Y4
	VPADDQ   Y4, Y13, Y13
	VPSUBQ   Y7, Y12, Y12

	ADDQ $16, SI
	ADDQ $16, DI
	DECQ CX
	JNZ  loop

done:
	MOVQ s+32(FP), DI
	VEXTRACTI128 $1, Y12, X0
	VPADDQ       X0, X12, X0
	VPSRLDQ      $8, X0, X1
	VPADDQ       X1, X0, X0
	VMOVQ        X0, 0(DI)
	VEXTRACTI128 $1, Y14, X0
	VPADDQ       X0, X14, X0
	VPSRLDQ      $8, X0, X1
	VPADDQ       X1, X0, X0
	VMOVQ        X0, 8(DI)
	VEXTRACTI128 $1, Y13, X0
	VPADDQ       X0, X13, X0
	VPSRLDQ      $8, X0, X1
	VPADDQ       X1, X0, X0
	VMOVQ        X0, 16(DI)
	VEXTRACTI128 $1, Y8, X0
	VPADDQ       X0, X8, X0
	VPSRLDQ      $8, X0, X1
	VPADDQ       X1, X0, X0
	VMOVQ        X0, 24(DI)
	VEXTRACTI128 $1, Y6, X0
	VPADDQ       X0, X6, X0
	VPSRLDQ      $8, X0, X1
	VPADDQ       X1, X0, X0
	VMOVQ        X0, 32(DI)
	VZEROUPPER
	RET
