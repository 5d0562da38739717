/* Recursive Gaussian filter and Laplacian of Gaussian. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

/* Lines that are filtered side by side: several vector registers, so that one recursion need not wait for itself. */
enum { LINES = 32 };

/* Bytes that come from memory together. */
enum { CACHE_LINE = 64 };

/* Slices that go through two passes together. */
enum { SLICES_AT_ONCE = 8 };

/* The twenty coefficients of one recursive Gaussian, in the order in which they come from Python. */
typedef struct {
    double n[4];  /* causal, on the data */
    double d[4];  /* both, on the result */
    double m[4];  /* anticausal, on the data */
    double bn[4]; /* causal, beyond the first sample */
    double bm[4]; /* anticausal, beyond the last sample */
} gaussian_t;

/* A volume, the axis to filter along (0 slices, 1 rows, 2 columns) and the results that are wanted on that axis. */
typedef struct {
    index_t slices, rows, columns;
    int axis;
    index_t first, stop;
} lines_t;

/* What becomes of a result: it is stored, or `factor` times as much is added to what is there. */
typedef struct {
    int add;
    double factor;
} store_t;

/* Write four numbers from each of four places as four numbers to each of four others, columns as rows. */
static INLINE void transpose(const float *const *from, float *const *to)
{
#if defined(__GNUC__) && !defined(__clang__)
    /* in two steps of shuffles: compilers do not find them themselves */
    typedef float four_t __attribute__((vector_size(16)));
    typedef int32_t places_t __attribute__((vector_size(16)));
    const places_t low = {0, 4, 1, 5}, high = {2, 6, 3, 7}, first = {0, 1, 4, 5}, second = {2, 3, 6, 7};
    four_t row[4], column[4];
    for (int k = 0; k < 4; k++)
        memcpy(&row[k], from[k], sizeof row[k]);
    for (int half = 0; half < 2; half++) {
        const four_t a = __builtin_shuffle(row[0], row[1], half ? high : low);
        const four_t b = __builtin_shuffle(row[2], row[3], half ? high : low);
        column[2 * half] = __builtin_shuffle(a, b, first);
        column[2 * half + 1] = __builtin_shuffle(a, b, second);
    }
    for (int k = 0; k < 4; k++)
        memcpy(to[k], &column[k], sizeof column[k]);
#else
    for (int k = 0; k < 4; k++)
        for (int m = 0; m < 4; m++)
            to[m][k] = from[k][m];
#endif
}

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

static INLINE index_t lesser(index_t a, index_t b)
{
    return a < b ? a : b;
}

/*
 * Store LINES results as single precision; a sum is rounded to it again, as in the accumulation of
 * itk::LaplacianRecursiveGaussianImageFilter.
 */
static INLINE void store_lines(const double *restrict causal, const double *restrict anticausal, float *restrict to,
                               const store_t *store)
{
    if (store->add)
        for (int x = 0; x < LINES; x++) {
            const float value = (float)(causal[x] + anticausal[x]);
            to[x] = (float)((double)to[x] + (double)value * store->factor);
        }
    else
        for (int x = 0; x < LINES; x++)
            to[x] = (float)(causal[x] + anticausal[x]);
}

#define REAL float
#define OF_TYPE(name) name##_f32
#include "gaussian_of.h"
#undef REAL
#undef OF_TYPE

#define REAL double
#define OF_TYPE(name) name##_f64
#include "gaussian_of.h"
