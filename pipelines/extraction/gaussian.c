/* Recursive Gaussian filter and Laplacian of Gaussian. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

/* Room for the lines that are filtered side by side. */
enum { LINES = 32 };

/* Bytes that come from memory together. */
enum { CACHE_LINE = 64 };

/* The twenty coefficients of one recursive Gaussian, in the order in which they come from Python. */
typedef struct {
    double n[4];  /* causal, on the data */
    double d[4];  /* both, on the result */
    double m[4];  /* anticausal, on the data */
    double bn[4]; /* causal, beyond the first sample */
    double bm[4]; /* anticausal, beyond the last sample */
} gaussian_t;

/*
 * Lines of `count` samples, `outer` times `inner` of them, whose samples lie `step` apart, and the results that are wanted
 * of each.
 */
typedef struct {
    index_t outer, count, inner, step, first, stop;
} lines_t;

/* What becomes of a result: it is stored, `factor` times as much is, that is added to what is there, or it is turned. */
typedef enum { PLAIN, SCALED, ADDED, TURNED } how_t;

/* Where the results go: number i of line x of block o to out[o * outer + i * apart + x], turned to i + x * apart. */
typedef struct {
    float *out;
    index_t outer, apart;
    how_t how;
    double factor;
} store_t;

/*
 * What passes to come will want of memory, fetched bit by bit while this one computes: `rows` pieces of CACHE_LINE bytes,
 * `jump` bytes apart, then those beside them. There are `left` in all, `below` of them in this column of pieces.
 */
typedef struct {
    uintptr_t at;
    index_t rows, jump, left, below;
} ahead_t;

/* Memory for the lines that are being filtered, and what is fetched meanwhile. */
typedef struct {
    void *memory;
    double *causal;
    void *tile;
    float *result;
    ahead_t ahead;
} scratch_t;

/* Fetch the bytes from `offset` to `offset + size` behind an address, which may lie behind the end of its array. */
static INLINE void fetch(const void *address, size_t offset, size_t size)
{
#if defined(__GNUC__)
    for (size_t at = offset; at < offset + size; at += CACHE_LINE)
        __builtin_prefetch((const void *)((uintptr_t)address + at));
#else
    (void)address, (void)offset, (void)size;
#endif
}

/* So many rows of `count` numbers, `jump` numbers apart, each of `size` bytes. */
static ahead_t ahead_of(const void *first, index_t rows, index_t jump, index_t count, size_t size)
{
    const index_t bytes = (index_t)size, pieces = count * bytes / CACHE_LINE + 1;
    return (ahead_t){(uintptr_t)first, rows, jump * bytes, rows * pieces, rows};
}

/* Fetch one piece more, but not into the nearest cache, where the lines lie that are being filtered. */
static INLINE void fetch_ahead(ahead_t *ahead)
{
    if (!ahead->left)
        return;
#if defined(__GNUC__)
    __builtin_prefetch((const void *)ahead->at, 0, 2);
#endif
    ahead->left--;
    ahead->at += (uintptr_t)ahead->jump;
    if (!--ahead->below) {
        ahead->at += (uintptr_t)(CACHE_LINE - ahead->rows * ahead->jump);
        ahead->below = ahead->rows;
    }
}

static INLINE index_t greatest(index_t a, index_t b, index_t c)
{
    return -lesser(-a, lesser(-b, -c));
}

/* Bytes of a voxel. */
static size_t size_of(int type)
{
    return type == FLOAT64 ? sizeof(double) : type == INT16 || type == UINT16 ? sizeof(int16_t) : sizeof(float);
}

/* A result in single precision and what is there, as in the accumulation of itk::LaplacianRecursiveGaussianImageFilter. */
static INLINE float added(float there, float value, double factor)
{
    return (float)((double)there + (double)value * factor);
}

/* Store what `used` lines of a tile have become, result i of line x at tile[i * LINES + x]. */
static void store_tile(const float *restrict tile, index_t kept, index_t used, float *restrict out,
                       const store_t *store)
{
    for (index_t i = 0; i < kept; i++)
        for (index_t x = 0; x < used; x++) {
            const float value = tile[i * LINES + x];
            float *to = out + i * store->apart + x;
            *to = store->how == PLAIN ? value : added(store->how == ADDED ? *to : 0.0F, value, store->factor);
        }
}

/* Memory for lines of up to `longest` samples of `size` bytes; `memory` is null without it. */
static scratch_t scratch_for(index_t longest, size_t size)
{
    const size_t samples = (size_t)((longest + 4) * LINES);
    /* zeros: what lies in a tile beside its lines is filtered with them */
    scratch_t s = {calloc(samples + CACHE_LINE, sizeof *s.causal + sizeof *s.result + size), 0, 0, 0, {0}};

    if (s.memory) {
        s.causal = (double *)(((uintptr_t)s.memory + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
        s.tile = s.causal + samples;
        s.result = (float *)((char *)s.tile + samples * size);
    }
    return s;
}

/* Widen a reach within `size` columns to as many as full vector registers hold. */
static void in_eights(index_t *first, index_t *stop, index_t size)
{
    const index_t count = (*stop - *first + EIGHT - 1) / EIGHT * EIGHT;
    *stop = lesser(*first + count, size);
    *first = greatest(*stop - count, 0, 0);
}

#define REAL float
#define WHOLE int32_t
#define OF_TYPE(name) name##_f32
#include "load_of.h"
#include "turn_of.h"
#undef REAL
#undef WHOLE
#undef OF_TYPE

#define REAL double
#define WHOLE int64_t
#define OF_TYPE(name) name##_f64
#include "load_of.h"
#include "turn_of.h"
#undef REAL
#undef WHOLE
#undef OF_TYPE

/* What a filter looks up of its lines: `step` 1 when samples of a line lie side by side, else those of many lines do. */
#define FILTER(name, real)                                                                                          \
    static void name(const real *restrict in, const lines_t *l, const gaussian_t *g, scratch_t *scratch,             \
                     const store_t *store)

/*
 * One filter for each kind of processor and each type of image. The numbers of a register belong to different lines, so
 * they are the same in registers of any size.
 */
#ifdef TARGETS
#define VECTOR 8
#define TARGET __attribute__((target("avx512f")))
#define OF_TARGET(name) name##_avx512
#include "filters_of.h"
#define VECTOR 4
#define TARGET __attribute__((target("avx2")))
#define OF_TARGET(name) name##_avx2
#include "filters_of.h"
#endif
#if defined(__GNUC__)
#define VECTOR 2
#else
#define VECTOR 1
#endif
#define TARGET
#define OF_TARGET(name) name##_any
#include "filters_of.h"

#ifdef TARGETS
#define CHOOSE(name)                                                                                                \
    (__builtin_cpu_supports("avx512f") ? name##_avx512 : __builtin_cpu_supports("avx2") ? name##_avx2 : name##_any)
#else
#define CHOOSE(name) name##_any
#endif

FILTER(filter_f32, float)
{
    CHOOSE(filter_f32)(in, l, g, scratch, store);
}

FILTER(filter_f64, double)
{
    CHOOSE(filter_f64)(in, l, g, scratch, store);
}
#undef CHOOSE

#define REAL float
#define OF_TYPE(name) name##_f32
#include "laplacian_of.h"
#undef REAL
#undef OF_TYPE

#define REAL double
#define OF_TYPE(name) name##_f64
#include "laplacian_of.h"
