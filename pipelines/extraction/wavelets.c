/* Stationary wavelet transform. */
#include "kernels.h"

#include <stdlib.h>

enum { TAPS = 6 };

/*
 * One band of a volume (outer, count, inner) along its middle axis; it is TAPS - 1 shorter.
 *
 *   band(i) = sum_j taps(j) in(i + TAPS - 1 - j), added up from j = 0 and in the type of the image as PyWavelets does
 *
 * The order matters: in flat regions the high-pass bands are rounding noise around the edge 0 of a grey level. With
 * `to_the_end` the last band value belongs to the last sample of the period, for which PyWavelets adds up the three
 * samples that it takes from the beginning of the period in the opposite order.
 */
#define WAVELET_BAND(NAME, REAL)                                                                                     \
    HOT void NAME(const REAL *restrict in, index_t outer, index_t count, index_t inner, const REAL *taps,            \
                  int to_the_end, REAL *restrict band)                                                               \
    {                                                                                                                \
        const index_t kept = count - TAPS + 1;                                                                       \
        for (index_t o = 0; o < outer; o++) {                                                                        \
            const REAL *from = in + o * count * inner;                                                               \
            REAL *to = band + o * kept * inner;                                                                      \
            /* one loop over both remaining axes: element i of the band begins at element i of the image */          \
            for (index_t i = 0; i < kept * inner; i++) {                                                             \
                REAL sum = 0;                                                                                        \
                for (int j = 0; j < TAPS; j++)                                                                       \
                    sum += taps[j] * from[i + (TAPS - 1 - j) * inner];                                               \
                to[i] = sum;                                                                                         \
            }                                                                                                        \
            for (index_t i = (kept - 1) * inner; to_the_end && i < kept * inner; i++) {                              \
                REAL sum = 0;                                                                                        \
                for (int j = TAPS / 2 - 1; j >= 0; j--)                                                              \
                    sum += taps[j] * from[i + (TAPS - 1 - j) * inner];                                               \
                for (int j = TAPS / 2; j < TAPS; j++)                                                                \
                    sum += taps[j] * from[i + (TAPS - 1 - j) * inner];                                               \
                to[i] = sum;                                                                                         \
            }                                                                                                        \
        }                                                                                                            \
    }

WAVELET_BAND(wavelet_band_f64, double)
WAVELET_BAND(wavelet_band_f32, float)

/* One slice of a volume (rows, columns), filtered along columns, then rows; five shorter along both. */
#define WAVELET_SLICE(NAME, BAND, REAL)                                                                              \
    static INLINE void NAME(const REAL *restrict in, index_t rows, index_t columns, const REAL *taps_along_columns,  \
                            const REAL *taps_along_rows, const int *to_the_end, REAL *restrict half,                 \
                            REAL *restrict out)                                                                      \
    {                                                                                                                \
        BAND(in, rows, columns, 1, taps_along_columns, to_the_end[2], half);                                         \
        BAND(half, 1, rows, columns - TAPS + 1, taps_along_rows, to_the_end[1], out);                                \
    }

WAVELET_SLICE(wavelet_slice_f64, wavelet_band_f64, double)
WAVELET_SLICE(wavelet_slice_f32, wavelet_band_f32, float)

/*
 * The voxels of a region in two sub-bands that share their bands along columns and rows, the low and the high one along
 * slices: as `wavelet_band` along columns, rows and slices gives them, but slice by slice, so that six of them stay in
 * the cache, and for the region only.
 *
 * taps        (4, TAPS): along columns, along rows, low and high along slices.
 * to_the_end  along slices, rows, columns; see `wavelet_band`.
 * runs        as for `gather` of the box, which is TAPS - 1 shorter than the volume.
 * low, high   a number for each voxel of the region.
 */
#define WAVELET_VALUES(NAME, SLICE, REAL)                                                                            \
    HOT int NAME(const REAL *restrict in, index_t slices, index_t rows, index_t columns, const REAL *taps,           \
                 const int *to_the_end, const int64_t *restrict runs, index_t run_count, double *restrict low,       \
                 double *restrict high)                                                                              \
    {                                                                                                                \
        const index_t plane = (rows - TAPS + 1) * (columns - TAPS + 1), kept = slices - TAPS + 1;                    \
        REAL *half = malloc(sizeof *half * (size_t)(rows * columns + TAPS * plane)), *ring = half + rows * columns;  \
        index_t r = 0;                                                                                               \
        if (!half)                                                                                                   \
            return -1;                                                                                               \
        for (index_t z = 0; z < slices; z++) {                                                                       \
            const index_t o = z - TAPS + 1;                                                                          \
            /* the samples of tap j; in the order in which they are added up */                                      \
            const REAL *from[TAPS];                                                                                  \
            REAL a[TAPS], b[TAPS];                                                                                   \
            SLICE(in + z * rows * columns, rows, columns, taps, taps + TAPS, to_the_end, half,                       \
                  ring + z % TAPS * plane);                                                                          \
            if (o < 0)                                                                                               \
                continue;                                                                                            \
            for (int k = 0; k < TAPS; k++) {                                                                         \
                const int j = to_the_end[0] && o == kept - 1 && k < TAPS / 2 ? TAPS / 2 - 1 - k : k;                 \
                from[k] = ring + (z - j) % TAPS * plane;                                                             \
                a[k] = taps[2 * TAPS + j];                                                                           \
                b[k] = taps[3 * TAPS + j];                                                                           \
            }                                                                                                        \
            for (; r < run_count && runs[3 * r] < (o + 1) * plane; r++) {                                            \
                const index_t at = runs[3 * r] - o * plane, length = runs[3 * r + 2];                                \
                for (index_t i = 0; i < length; i++) {                                                               \
                    REAL l = 0, h = 0;                                                                               \
                    for (int k = 0; k < TAPS; k++) {                                                                 \
                        const REAL v = from[k][at + i];                                                              \
                        l += a[k] * v;                                                                               \
                        h += b[k] * v;                                                                               \
                    }                                                                                                \
                    low[i] = l;                                                                                      \
                    high[i] = h;                                                                                     \
                }                                                                                                    \
                low += length;                                                                                       \
                high += length;                                                                                      \
            }                                                                                                        \
        }                                                                                                            \
        free(half);                                                                                                  \
        return 0;                                                                                                    \
    }

WAVELET_VALUES(wavelet_values_f64, wavelet_slice_f64, double)
WAVELET_VALUES(wavelet_values_f32, wavelet_slice_f32, float)
