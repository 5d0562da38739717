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

/* Up to so many values NumPy adds up in one go, in eight sums side by side. */
enum { IN_ONE_GO = 128 };

/* One of two, lane by lane. */
#define CHOSEN(condition, a, b) ((lanes_t)(((bits_t)(a) & (condition)) | ((bits_t)(b) & ~(condition))))

/* The smallest, the largest and the sum of up to IN_ONE_GO values, at least one. */
HOT static void summary_of_few(const double *restrict values, index_t count, double *restrict found)
{
    double low = values[0], high = values[0], sum = 0.0;
    index_t i = 0;

    if (count >= 2 * LANES) {
        lanes_t part[2], least, most;
        memcpy(part, values, sizeof part);
        least = CHOSEN(part[0] < part[1], part[0], part[1]);
        most = CHOSEN(part[0] > part[1], part[0], part[1]);
        for (i = 2 * LANES; i + 2 * LANES <= count; i += 2 * LANES) {
            lanes_t v, w;
            memcpy(&v, values + i, sizeof v);
            memcpy(&w, values + i + LANES, sizeof w);
            part[0] += v;
            part[1] += w;
            const lanes_t less = CHOSEN(v < w, v, w), more = CHOSEN(v > w, v, w);
            least = CHOSEN(less < least, less, least);
            most = CHOSEN(more > most, more, most);
        }
        sum = ADDED_UP(part[0]) + ADDED_UP(part[1]);
        for (int k = 0; k < LANES; k++) {
            low = least[k] < low ? least[k] : low;
            high = most[k] > high ? most[k] : high;
        }
    }
    for (; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
        sum += values[i];
    }
    found[0] = low, found[1] = high, found[2] = sum;
}

/*
 * The smallest, the largest and the sum of `count` values, at least one.
 *
 * The sum has the digits of numpy.sum, of which PyRadiomics makes the mean: pairwise, as NumPy's loops_utils.h does it.
 */
void summary(const double *values, index_t count, double *found)
{
    if (count <= IN_ONE_GO) {
        summary_of_few(values, count, found);
        return;
    }
    const index_t half = count / 2 - count / 2 % (2 * LANES);
    double other[3];
    summary(values, half, found);
    summary(values + half, count - half, other);
    found[0] = other[0] < found[0] ? other[0] : found[0];
    found[1] = other[1] > found[1] ? other[1] : found[1];
    found[2] += other[2];
}

/* Add what up to four values add to each sum of `moments`; how many of them are within the bounds is subtracted. */
static INLINE void add_moments(const lanes_t *few, const bits_t *present, double mean, double shift, double low,
                               double high, lanes_t *restrict part, bits_t *restrict inner_count)
{
    const lanes_t v = *few;
    const bits_t there = *present;
    const lanes_t d = WHERE(there, v - mean), s = WHERE(there, v + shift), d2 = d * d, d3 = d2 * d;
    const bits_t inner = there & (v >= low) & (v <= high);
    part[SECOND] += d2;
    part[THIRD] += d3;
    part[FOURTH] += d2 * d2;
    part[ABSOLUTE] += ABSOLUTE_OF(d);
    part[ABSOLUTE_THIRD] += ABSOLUTE_OF(d3);
    part[SQUARES] += s * s;
    part[INNER_SUM] += WHERE(inner, v);
    *inner_count += inner;
}

/*
 * Sums over `values`: of (v - mean)^2, ^3, ^4, |v - mean|, |v - mean|^3, (v + shift)^2, and of v and 1 for those from
 * `low` to `high`.
 */
HOT void moments(const double *restrict values, index_t count, double mean, double shift, double low, double high,
                 double *restrict sums)
{
    const bits_t all = {-1, -1, -1, -1};
    bits_t inner_count = {0};

    memset(sums, 0, sizeof *sums * SUMS);
    for (index_t from = 0; from < count; from += BLOCK) {
        const index_t to = from + BLOCK < count ? from + BLOCK : count;
        lanes_t part[INNER_COUNT] = {{0}}, v;
        bits_t there;
        index_t i = from;
        for (; i + LANES <= to; i += LANES) {
            memcpy(&v, values + i, sizeof v);
            add_moments(&v, &all, mean, shift, low, high, part, &inner_count);
        }
        if (i < to) {
            load_lanes(values + i, to - i, &v, &there);
            add_moments(&v, &there, mean, shift, low, high, part, &inner_count);
        }
        for (int m = 0; m < INNER_COUNT; m++)
            sums[m] += ADDED_UP(part[m]);
    }
    sums[INNER_COUNT] = -(double)(inner_count[0] + inner_count[1] + inner_count[2] + inner_count[3]);
}

/* |v - centre| of those of a few values that are from `low` to `high`, 0 of the others. */
#define DISTANCE_WITHIN(v) WHERE(((v) >= low) & ((v) <= high), ABSOLUTE_OF((v) - centre))

/* Sum of |v - centre| over the values from `low` to `high`. */
HOT double absolute_within(const double *restrict values, index_t count, double centre, double low, double high)
{
    double sum = 0.0;
    index_t from = 0;
    /* two blocks side by side, because an addition has to wait for the one before */
    for (; from + 2 * BLOCK <= count; from += 2 * BLOCK) {
        lanes_t first = {0}, second = {0};
        for (index_t i = from; i < from + BLOCK; i += LANES) {
            lanes_t v, w;
            memcpy(&v, values + i, sizeof v);
            memcpy(&w, values + i + BLOCK, sizeof w);
            first += DISTANCE_WITHIN(v);
            second += DISTANCE_WITHIN(w);
        }
        sum += ADDED_UP(first);
        sum += ADDED_UP(second);
    }
    for (; from < count; from += BLOCK) {
        const index_t to = from + BLOCK < count ? from + BLOCK : count;
        lanes_t part = {0};
        for (index_t i = from; i < to; i += LANES) {
            lanes_t v;
            bits_t there;
            load_lanes(values + i, to - i, &v, &there);
            part += WHERE(there, DISTANCE_WITHIN(v));
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

/* Values whose buckets are found side by side. */
enum { BUCKETED_AT_ONCE = 64 };

/* Buckets of up to BUCKETED_AT_ONCE values. */
static INLINE void buckets_of(const double *restrict values, index_t count, double low, double scale,
                              uint16_t *restrict buckets)
{
    int32_t few[BUCKETED_AT_ONCE];
    for (index_t i = 0; i < count; i++)
        few[i] = bucket_of(values[i], low, scale);
    for (index_t i = 0; i < count; i++)
        buckets[i] = (uint16_t)few[i];
}

/* Buckets of `count` values, counted: four tables take turns, see PLACE_LEVELS. */
HOTTER static void count_buckets(const double *restrict values, index_t count, double low, double scale,
                                 uint16_t *restrict buckets, index_t *restrict counts)
{
    uint32_t tables[4][BUCKETS] = {{0}};
    index_t i = 0;

    for (; i + BUCKETED_AT_ONCE <= count; i += BUCKETED_AT_ONCE) {
        buckets_of(values + i, BUCKETED_AT_ONCE, low, scale, buckets + i);
        for (index_t k = i; k < i + BUCKETED_AT_ONCE; k += 4) {
            tables[0][buckets[k]]++;
            tables[1][buckets[k + 1]]++;
            tables[2][buckets[k + 2]]++;
            tables[3][buckets[k + 3]]++;
        }
    }
    buckets_of(values + i, count - i, low, scale, buckets + i);
    for (; i < count; i++)
        tables[0][buckets[i]]++;
    for (int b = 0; b < BUCKETS; b++)
        counts[b] = (index_t)tables[0][b] + tables[1][b] + tables[2][b] + tables[3][b];
}

/* Buckets that are compared side by side. */
enum { COMPARED_AT_ONCE = 32 };

/* Whether any of COMPARED_AT_ONCE `buckets` is one of the `wanted`. */
static INLINE int any_wanted(const uint16_t *restrict buckets, const uint16_t *restrict wanted, index_t wanted_count)
{
    uint16_t hit[COMPARED_AT_ONCE] = {0}, any = 0;
    for (index_t w = 0; w < wanted_count; w++)
        for (int k = 0; k < COMPARED_AT_ONCE; k++)
            hit[k] |= buckets[k] == wanted[w];
    for (int k = 0; k < COMPARED_AT_ONCE; k++)
        any |= hit[k];
    return any;
}

/*
 * Copy the values in the `wanted` buckets to where `fill`, -1 for all other buckets, says, and move that on.
 *
 * Few values are wanted: most are passed over many at a time.
 */
HOT static void collect(const double *restrict values, const uint16_t *restrict buckets, index_t count,
                        const uint16_t *restrict wanted, index_t wanted_count, index_t *restrict fill,
                        double *restrict collected)
{
    for (index_t i = 0; i < count; i += COMPARED_AT_ONCE) {
        const index_t stop = count - i < COMPARED_AT_ONCE ? count : i + COMPARED_AT_ONCE;
        if (stop - i == COMPARED_AT_ONCE && !any_wanted(buckets + i, wanted, wanted_count))
            continue;
        for (index_t k = i; k < stop; k++)
            if (fill[buckets[k]] >= 0)
                collected[fill[buckets[k]]++] = values[k];
    }
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
    uint16_t *buckets = malloc(sizeof *buckets * (size_t)(count + rank_count)), *wanted = buckets + count;
    double *collected = NULL;
    index_t kept = 0, wanted_count = 0;

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
            wanted[wanted_count++] = (uint16_t)b;
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
    collect(values, buckets, count, wanted, wanted_count, fill, collected);
    for (index_t r = 0, b = 0; r < rank_count; r++) {
        while (ranks[r] >= below[b + 1])
            b++;
        const index_t size = below[b + 1] - below[b];
        found[r] = select_rank(collected + fill[b] - size, size, ranks[r] - below[b]);
    }
    free(below), free(buckets), free(collected);
    return 0;
}
