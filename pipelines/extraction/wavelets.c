/* Stationary wavelet transform. */
#include "kernels.h"

#include <string.h>

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

/* Taps, and how far from the first of TAPS samples that lies which each is multiplied by, in the order of adding up. */
#define ORDERED_TAPS(NAME, REAL)                                                                                     \
    typedef struct {                                                                                                 \
        REAL tap[TAPS];                                                                                              \
        index_t at[TAPS];                                                                                            \
    } NAME;                                                                                                          \
    static INLINE NAME NAME##_in_order(const REAL *taps, int at_the_end)                                             \
    {                                                                                                                \
        NAME found;                                                                                                  \
        for (int k = 0; k < TAPS; k++) {                                                                             \
            const int j = at_the_end && k < TAPS / 2 ? TAPS / 2 - 1 - k : k;                                         \
            found.tap[k] = taps[j];                                                                                  \
            found.at[k] = TAPS - 1 - j;                                                                              \
        }                                                                                                            \
        return found;                                                                                                \
    }

ORDERED_TAPS(taps_f64_t, double)
ORDERED_TAPS(taps_f32_t, float)

#define REAL double
#define OF_TYPE(name) name##_f64
#include "load_of.h"
#undef REAL
#undef OF_TYPE

#define REAL float
#define OF_TYPE(name) name##_f32
#include "load_of.h"
#undef REAL
#undef OF_TYPE

/* Part of a slice, from and to (exclusive) a row and a column. */
typedef struct {
    index_t top, bottom, left, right;
} part_t;

static INLINE part_t both(part_t a, part_t b)
{
    a.top = a.top < b.top ? a.top : b.top;
    a.left = a.left < b.left ? a.left : b.left;
    a.bottom = a.bottom > b.bottom ? a.bottom : b.bottom;
    a.right = a.right > b.right ? a.right : b.right;
    return a;
}

/* Where the runs from number `r` on, as many as begin before `stop`, lie in the slice from `begin` on. */
static INLINE part_t part_of_runs(const int64_t *runs, index_t run_count, index_t *r, index_t begin, index_t stop,
                                  index_t columns)
{
    part_t part = {INT64_MAX, 0, INT64_MAX, 0};
    index_t y = 0;
    for (; *r < run_count && runs[3 * *r] < stop; ++*r) {
        index_t x = runs[3 * *r] - begin - y * columns;
        for (; x >= columns; x -= columns)
            y++;
        const index_t end = x + runs[3 * *r + 2];
        /* a run that goes on in later rows takes all columns */
        part = both(part, end <= columns ? (part_t){y, y + 1, x, end}
                                         : (part_t){y, y + 1 + (end - 1) / columns, 0, columns});
    }
    return part;
}

/*
 * Part of one slice of a volume (rows, columns), filtered along columns, then rows; five shorter along both.
 *
 * row, half  working memory: one row of the slice, and the slice after the first pass.
 */
#define WAVELET_SLICE(NAME, LOAD, TAPS_T, REAL)                                                                      \
    static INLINE void NAME(const void *volume, int type, index_t at, index_t next, index_t rows, index_t columns,   \
                            part_t part, const REAL *taps, const int *to_the_end, REAL *restrict row,                \
                            REAL *restrict half, REAL *restrict out)                                                 \
    {                                                                                                                \
        const index_t kept = columns - TAPS + 1;                                                                     \
        const TAPS_T along = TAPS_T##_in_order(taps, 0), last = TAPS_T##_in_order(taps, to_the_end[2]);              \
        for (index_t y = part.top; y < part.bottom + TAPS - 1; y++) {                                                \
            REAL *to = half + y * kept;                                                                              \
            LOAD(volume, type, at + y * next + part.left, part.right - part.left + TAPS - 1, row + part.left);       \
            for (index_t x = part.left; x < part.right; x++) {                                                       \
                REAL sum = 0;                                                                                        \
                for (int k = 0; k < TAPS; k++)                                                                       \
                    sum += along.tap[k] * row[x + TAPS - 1 - k];                                                     \
                to[x] = sum;                                                                                         \
            }                                                                                                        \
            if (to_the_end[2] && part.right == kept) {                                                               \
                REAL sum = 0;                                                                                        \
                for (int k = 0; k < TAPS; k++)                                                                       \
                    sum += last.tap[k] * row[kept - 1 + last.at[k]];                                                 \
                to[kept - 1] = sum;                                                                                  \
            }                                                                                                        \
            if (y < part.top + TAPS - 1)                                                                             \
                continue;                                                                                            \
            /* while the rows that it is made of are still at hand */                                                \
            const TAPS_T across = TAPS_T##_in_order(taps + TAPS, to_the_end[1] && y == rows - 1);                    \
            const REAL *from[TAPS];                                                                                  \
            for (int k = 0; k < TAPS; k++)                                                                           \
                from[k] = half + (y - TAPS + 1 + across.at[k]) * kept;                                               \
            for (index_t x = part.left; x < part.right; x++) {                                                       \
                REAL sum = 0;                                                                                        \
                for (int k = 0; k < TAPS; k++)                                                                       \
                    sum += across.tap[k] * from[k][x];                                                               \
                out[(y - TAPS + 1) * kept + x] = sum;                                                                \
            }                                                                                                        \
        }                                                                                                            \
    }

WAVELET_SLICE(wavelet_slice_f64, load_f64, taps_f64_t, double)
WAVELET_SLICE(wavelet_slice_f32, load_f32, taps_f32_t, float)

/*
 * The voxels of a region in two sub-bands that share their bands along columns and rows, the low and the high one along
 * slices: as `wavelet_band` along columns, rows and slices gives them, but slice by slice, so that six of them stay in
 * the cache, and for the region only (as to columns and rows, for the least box around what six slices hold of it).
 *
 * volume      in single precision for _f32, of another type for _f64.
 * source      its type, and how many voxels lie from slice to slice and from row to row.
 * taps        (4, TAPS): along columns, along rows, low and high along slices.
 * to_the_end  along slices, rows, columns; see `wavelet_band`.
 * runs        as for `gather` of the box, which is TAPS - 1 shorter than the volume.
 * row         working memory: a row, a slice, and TAPS slices as large as those of the box.
 * low, high   a number for each voxel of the region.
 */
#define WAVELET_VALUES(NAME, SLICE, TAPS_T, REAL)                                                                    \
    HOT void NAME(const void *volume, const index_t *source, index_t slices, index_t rows, index_t columns,          \
                  const REAL *taps, const int *to_the_end, const int64_t *restrict runs, index_t run_count,          \
                  REAL *restrict row, double *restrict low, double *restrict high)                                   \
    {                                                                                                                \
        const index_t plane = (rows - TAPS + 1) * (columns - TAPS + 1), kept = slices - TAPS + 1;                    \
        REAL *half = row + columns, *ring = half + rows * (columns - TAPS + 1);                                      \
        /* of each of the slices of the box that are made of a slice, the part in which the region lies */           \
        part_t parts[TAPS];                                                                                          \
        index_t r = 0, ahead = 0;                                                                                    \
        for (index_t z = 0; z < slices; z++) {                                                                       \
            const index_t o = z - TAPS + 1;                                                                          \
            const int at_the_end = to_the_end[0] && o == kept - 1;                                                   \
            const TAPS_T a = TAPS_T##_in_order(taps + 2 * TAPS, at_the_end);                                         \
            const TAPS_T b = TAPS_T##_in_order(taps + 3 * TAPS, at_the_end);                                         \
            const REAL *from[TAPS];                                                                                  \
            part_t part = parts[z % TAPS] = part_of_runs(runs, run_count, &ahead, z * plane, (z + 1) * plane,        \
                                                         columns - TAPS + 1);                                        \
            for (index_t e = o < 0 ? 0 : o; e < z; e++)                                                              \
                part = both(part, parts[e % TAPS]);                                                                  \
            if (part.top < part.bottom)                                                                              \
                SLICE(volume, (int)source[0], z * source[1], source[2], rows, columns, part, taps, to_the_end, row,  \
                      half, ring + z % TAPS * plane);                                                                \
            if (o < 0)                                                                                               \
                continue;                                                                                            \
            for (int k = 0; k < TAPS; k++)                                                                           \
                from[k] = ring + (o + a.at[k]) % TAPS * plane;                                                       \
            for (; r < run_count && runs[3 * r] < (o + 1) * plane; r++) {                                            \
                const index_t at = runs[3 * r] - o * plane, length = runs[3 * r + 2];                                \
                for (index_t i = 0; i < length; i++) {                                                               \
                    REAL l = 0, h = 0;                                                                               \
                    for (int k = 0; k < TAPS; k++) {                                                                 \
                        const REAL v = from[k][at + i];                                                              \
                        l += a.tap[k] * v;                                                                           \
                        h += b.tap[k] * v;                                                                           \
                    }                                                                                                \
                    low[i] = l;                                                                                      \
                    high[i] = h;                                                                                     \
                }                                                                                                    \
                low += length;                                                                                       \
                high += length;                                                                                      \
            }                                                                                                        \
        }                                                                                                            \
    }

WAVELET_VALUES(wavelet_values_f64, wavelet_slice_f64, taps_f64_t, double)
WAVELET_VALUES(wavelet_values_f32, wavelet_slice_f32, taps_f32_t, float)
