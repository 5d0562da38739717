/* Grey levels, moments and order statistics of intensities. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Number of ascending `edges`, about `width` apart, that `value` reaches; it lies between the first and the last. */
static INLINE index_t level_of(double value, const double *edges, index_t edge_count, double per_width)
{
    const index_t top = edge_count - 2;
    index_t k = (index_t)((value - edges[0]) * per_width);
    k = k < 0 ? 0 : k > top ? top : k;
    while (k > 0 && value < edges[k])
        k--;
    while (k < top && value >= edges[k + 1])
        k++;
    return k + 1;
}

/*
 * Grey level (from 1) of every value: the number of edges that are not greater, as numpy.digitize counts them.
 *
 * Every value lies between the first and the last of the ascending `edges`, which are about `width` apart.
 */
void grey_levels(const double *restrict values, index_t count, const double *restrict edges, index_t edge_count,
                 double width, uint16_t *restrict levels)
{
    for (index_t i = 0; i < count; i++)
        levels[i] = (uint16_t)level_of(values[i], edges, edge_count, 1.0 / width);
}

/*
 * The voxels of the region: `values` of those of `image` in the `runs`, one after the other.
 *
 * runs  (run_count, 3): where each run begins in the image and in a frame, and how long it is.
 */
#define GATHER(NAME, REAL)                                                                                           \
    HOT void NAME(const REAL *restrict image, const int64_t *restrict runs, index_t run_count,                       \
                  double *restrict values)                                                                           \
    {                                                                                                                \
        for (index_t r = 0; r < run_count; r++) {                                                                    \
            const REAL *from = image + runs[3 * r];                                                                  \
            const index_t length = runs[3 * r + 2];                                                                  \
            for (index_t i = 0; i < length; i++)                                                                     \
                values[i] = from[i];                                                                                 \
            values += length;                                                                                        \
        }                                                                                                            \
    }

GATHER(gather_int16, int16_t)
GATHER(gather_uint16, uint16_t)
GATHER(gather_int32, int32_t)
GATHER(gather_float32, float)
GATHER(gather_float64, double)

/*
 * How far an edge lies at most from its number times the width, in widths and as computed for a value: whatever the
 * rounding, a value whose place lies farther than this from all whole numbers has the level that its place says.
 */
static double slack_of(const double *edges, index_t edge_count, double per_width)
{
    double slack = 0.0;
    for (index_t k = 0; k < edge_count; k++)
        slack = fmax(slack, fabs((edges[k] - edges[0]) * per_width - (double)k));
    return slack;
}

/* Levels of a few values from their places alone; how many of them lie too close to an edge. */
static INLINE int32_t levels_of(const double *restrict values, index_t count, double least, double per_width,
                                double slack, int32_t *restrict levels)
{
    int32_t unsure = 0;
    for (index_t i = 0; i < count; i++) {
        const double place = (values[i] - least) * per_width;
        const int32_t whole = (int32_t)place;
        const double beyond = place - (double)whole;
        levels[i] = whole + 1;
        unsure += !(beyond > slack) | !(beyond < 1.0 - slack);
    }
    return unsure;
}

/* Values whose levels are found side by side. */
enum { LEVELS_AT_ONCE = 64 };

/*
 * Write the grey level of each value to its place in a frame, and count the levels.
 *
 * runs    as for GATHER.
 * voxels  zeroed, room for all levels. Four tables take turns, because an increment of the same number has to wait for
 *         the one before.
 */
#define PLACE_LEVELS(NAME, LEVEL)                                                                                    \
    HOT int NAME(const double *restrict values, const double *restrict edges, index_t edge_count, double width,      \
                 const int64_t *restrict runs, index_t run_count, LEVEL *restrict frame, int64_t *restrict voxels)   \
    {                                                                                                                \
        const double per_width = 1.0 / width, slack = slack_of(edges, edge_count, per_width);                        \
        uint32_t *tables = calloc((size_t)(4 * edge_count), sizeof *tables);                                         \
        if (!tables)                                                                                                 \
            return -1;                                                                                               \
        uint32_t *second = tables + edge_count, *third = second + edge_count, *fourth = third + edge_count;          \
        for (index_t r = 0; r < run_count; r++) {                                                                    \
            LEVEL *to = frame + runs[3 * r + 1];                                                                     \
            const index_t length = runs[3 * r + 2];                                                                  \
            for (index_t from = 0; from < length; from += LEVELS_AT_ONCE) {                                          \
                const index_t count = length - from < LEVELS_AT_ONCE ? length - from : LEVELS_AT_ONCE;               \
                int32_t levels[LEVELS_AT_ONCE];                                                                      \
                index_t i = 0;                                                                                       \
                if (levels_of(values + from, count, edges[0], per_width, slack, levels))                             \
                    for (index_t k = 0; k < count; k++)                                                              \
                        levels[k] = (int32_t)level_of(values[from + k], edges, edge_count, per_width);               \
                for (; i + 3 < count; i += 4) {                                                                      \
                    tables[levels[i]]++;                                                                             \
                    second[levels[i + 1]]++;                                                                         \
                    third[levels[i + 2]]++;                                                                          \
                    fourth[levels[i + 3]]++;                                                                         \
                }                                                                                                    \
                for (; i < count; i++)                                                                               \
                    tables[levels[i]]++;                                                                             \
                for (index_t k = 0; k < count; k++)                                                                  \
                    to[from + k] = (LEVEL)levels[k];                                                                 \
            }                                                                                                        \
            values += length;                                                                                        \
        }                                                                                                            \
        for (index_t k = 0; k < 4 * edge_count; k++)                                                                 \
            voxels[k % edge_count] += tables[k];                                                                     \
        free(tables);                                                                                                \
        return 0;                                                                                                    \
    }

PLACE_LEVELS(place_levels_u8, uint8_t)
PLACE_LEVELS(place_levels_u16, uint16_t)

/* The sums over a block of values are added up apart, so that rounding does not grow with the number of values. */
enum { BLOCK = 512 };

/* What first-order features are made of, in the order of native.Moments. */
enum { SECOND, THIRD, FOURTH, ABSOLUTE, ABSOLUTE_THIRD, SQUARES, INNER_SUM, INNER_COUNT, SUMS };

/* Four numbers that are computed side by side, and what comparisons of them give: all bits set or none. */
typedef double lanes_t __attribute__((vector_size(4 * sizeof(double))));
typedef int64_t bits_t __attribute__((vector_size(4 * sizeof(int64_t))));

enum { LANES = 4 };

#define WHERE(condition, lanes) ((lanes_t)((bits_t)(lanes) & (condition)))
#define ABSOLUTE_OF(lanes) ((lanes_t)((bits_t)(lanes) & INT64_MAX))
#define ADDED_UP(lanes) (((lanes)[0] + (lanes)[1]) + ((lanes)[2] + (lanes)[3]))

/* Up to four values; the flags of those that are missing are zero. */
static INLINE void load_lanes(const double *values, index_t left, lanes_t *v, bits_t *there)
{
    const bits_t place = {0, 1, 2, 3};
    *there = place < left;
    if (left >= LANES) {
        memcpy(v, values, sizeof *v);
        return;
    }
    memset(v, 0, sizeof *v);
    memcpy(v, values, sizeof *values * (size_t)left);
}

/* The smallest and the largest of `count` values, at least one. */
HOT void extremes(const double *restrict values, index_t count, double *restrict found)
{
    lanes_t least, most;

    for (int k = 0; k < LANES; k++)
        least[k] = most[k] = values[0];
    for (index_t i = 0; i < count; i += LANES) {
        lanes_t v;
        bits_t there;
        load_lanes(values + i, count - i, &v, &there);
        const bits_t less = there & (v < least), more = there & (v > most);
        least = (lanes_t)(((bits_t)v & less) | ((bits_t)least & ~less));
        most = (lanes_t)(((bits_t)v & more) | ((bits_t)most & ~more));
    }
    found[0] = found[1] = values[0];
    for (int k = 0; k < LANES; k++) {
        found[0] = least[k] < found[0] ? least[k] : found[0];
        found[1] = most[k] > found[1] ? most[k] : found[1];
    }
}

/*
 * Sums over `values`: of (v - mean)^2, ^3, ^4, |v - mean|, |v - mean|^3, (v + shift)^2, and of v and 1 for those from
 * `low` to `high`.
 */
HOT void moments(const double *restrict values, index_t count, double mean, double shift, double low, double high,
                 double *restrict sums)
{
    const lanes_t one = {1.0, 1.0, 1.0, 1.0};

    memset(sums, 0, sizeof *sums * SUMS);
    for (index_t from = 0; from < count; from += BLOCK) {
        const index_t to = from + BLOCK < count ? from + BLOCK : count;
        lanes_t part[SUMS] = {{0}};
        for (index_t i = from; i < to; i += LANES) {
            lanes_t v;
            bits_t there;
            load_lanes(values + i, to - i, &v, &there);
            const lanes_t d = WHERE(there, v - mean), s = WHERE(there, v + shift), d2 = d * d;
            const bits_t inner = there & (v >= low) & (v <= high);
            part[SECOND] += d2;
            part[THIRD] += d2 * d;
            part[FOURTH] += d2 * d2;
            part[ABSOLUTE] += ABSOLUTE_OF(d);
            part[ABSOLUTE_THIRD] += d2 * ABSOLUTE_OF(d);
            part[SQUARES] += s * s;
            part[INNER_SUM] += WHERE(inner, v);
            part[INNER_COUNT] += WHERE(inner, one);
        }
        for (int m = 0; m < SUMS; m++)
            sums[m] += ADDED_UP(part[m]);
    }
}

/* Sum of |v - centre| over the values from `low` to `high`. */
HOT double absolute_within(const double *restrict values, index_t count, double centre, double low, double high)
{
    double sum = 0.0;
    for (index_t from = 0; from < count; from += BLOCK) {
        const index_t to = from + BLOCK < count ? from + BLOCK : count;
        lanes_t part = {0};
        for (index_t i = from; i < to; i += LANES) {
            lanes_t v;
            bits_t there;
            load_lanes(values + i, to - i, &v, &there);
            part += WHERE(there & (v >= low) & (v <= high), ABSOLUTE_OF(v - centre));
        }
        sum += ADDED_UP(part);
    }
    return sum;
}

/* The value at `rank` of the ascending order; reorders `values`. Source: Hoare 1961, algorithm 65. */
static double select_rank(double *values, index_t count, index_t rank)
{
    index_t low = 0, high = count - 1;
    while (low < high) {
        const double pivot = values[low + (high - low) / 2];
        index_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i <= j) {
                const double swapped = values[i];
                values[i++] = values[j];
                values[j--] = swapped;
            }
        }
        if (rank <= j)
            high = j;
        else if (rank >= i)
            low = i;
        else
            break;
    }
    return values[rank];
}

enum { BUCKETS = 2048 };

/* Bucket of a value, the first or the last for those beyond the bounds: monotonous, whatever the rounding. */
static INLINE int32_t bucket_of(double value, double low, double scale)
{
    const double bucket = (value - low) * scale, positive = bucket > 0.0 ? bucket : 0.0;
    return (int32_t)(positive < BUCKETS - 1.0 ? positive : BUCKETS - 1.0);
}

/* Buckets of `count` values, counted: two tables take turns, see PLACE_LEVELS. */
HOT static void count_buckets(const double *restrict values, index_t count, double low, double scale,
                              uint16_t *restrict buckets, index_t *restrict counts)
{
    uint32_t tables[2][BUCKETS] = {{0}};

    for (index_t i = 0; i < count; i++)
        buckets[i] = (uint16_t)bucket_of(values[i], low, scale);
    for (index_t i = 0; i < count; i++)
        tables[i & 1][buckets[i]]++;
    for (int b = 0; b < BUCKETS; b++)
        counts[b] = (index_t)tables[0][b] + tables[1][b];
}

/*
 * The values at ascending `ranks` of the ascending order of `values`; those asked for lie between `low` and `high`.
 *
 * One pass counts how many values fall into each of 2048 equal buckets between these bounds, another collects the
 * buckets that hold a rank. The narrower the bounds, the fewer values these hold; no bounds give wrong values.
 */
int order_statistics(const double *restrict values, index_t count, double low, double high,
                     const index_t *restrict ranks, index_t rank_count, double *restrict found)
{
    const double scale = high > low ? BUCKETS / (high - low) : 0.0;
    index_t *below = calloc(2 * BUCKETS + 1, sizeof *below), *fill = below + BUCKETS + 1;
    uint16_t *buckets = malloc(sizeof *buckets * (size_t)count);
    double *collected = NULL;
    index_t kept = 0;

    if (!below || !buckets) {
        free(below), free(buckets);
        return -1;
    }
    count_buckets(values, count, low, scale, buckets, below + 1);
    for (index_t b = 0; b < BUCKETS; b++)
        below[b + 1] += below[b];
    for (index_t b = 0, r = 0; b < BUCKETS; b++) {
        fill[b] = -1;
        if (r < rank_count && ranks[r] < below[b + 1]) {
            fill[b] = kept;
            kept += below[b + 1] - below[b];
            while (r < rank_count && ranks[r] < below[b + 1])
                r++;
        }
    }
    collected = malloc(sizeof *collected * (size_t)(kept + 1));
    if (!collected) {
        free(below), free(buckets);
        return -1;
    }
    for (index_t i = 0; i < count; i++)
        if (fill[buckets[i]] >= 0)
            collected[fill[buckets[i]]++] = values[i];
    for (index_t r = 0, b = 0; r < rank_count; r++) {
        while (ranks[r] >= below[b + 1])
            b++;
        const index_t size = below[b + 1] - below[b];
        found[r] = select_rank(collected + fill[b] - size, size, ranks[r] - below[b]);
    }
    free(below), free(buckets), free(collected);
    return 0;
}
