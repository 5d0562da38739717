/*
 * The numerical kernels of the fast feature engine, called through ctypes by native.py: one library from one file of C
 * for each topic.
 *
 * They give the numbers that PyRadiomics 3.1, ITK 5 and PyWavelets 1 give, to the last bit wherever a later step cuts
 * (truncation to whole HU, grey levels) and to about 1e-12 elsewhere. For that to hold, floating-point operations must
 * stay as they are written: compile with -ffp-contract=off and never with -ffast-math.
 *
 * Rules of these files: no state outlives a call; every length comes in as an argument and bounds every access; memory
 * that a call allocates it frees; a function that can run out of memory returns -1 then, and 0 or a count otherwise.
 * Volumes are C-ordered (slices, rows, columns).
 */
#ifndef PULMONODE_KERNELS_H
#define PULMONODE_KERNELS_H

#include <stdint.h>

/* numpy.spacing(1), which PyRadiomics adds to a probability before it takes the logarithm */
#define EPSILON 2.220446049250313e-16
/* What it takes off -p log2(p + EPSILON), whatever p: EPSILON / ln 2. */
#define EPSILON_BITS (EPSILON * 1.4426950408889634)

typedef int64_t index_t;

/* What a CT may be made of, in the order of native.VOXEL_TYPES. */
enum { INT16, UINT16, INT32, FLOAT32, FLOAT64 };

/*
 * Where the loader can choose, the hot loops are compiled for AVX2 as well. Wider registers change no digit: each lane
 * does the operations of the scalar code, and there is no fused multiply-add in either.
 */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && !defined(ONE_TARGET)
/* There may be code for several kinds of processor. */
#define TARGETS 1
#define HOT __attribute__((target_clones("avx2", "default")))
/* What gains from twice as many registers, too. */
#define HOTTER __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HOT
#define HOTTER
#endif

/* Parts of hot loops, compiled along with them. */
#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

/* Columns that are filtered together where none is wanted alone; the most rows that are turned together. */
enum { EIGHT = 8 };

static INLINE index_t lesser(index_t a, index_t b)
{
    return a < b ? a : b;
}

#endif
