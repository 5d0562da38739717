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

/* How many runs, voxels in a row without a gap, the `lines` of a mask have; it is 0 or 1. */
HOT index_t count_runs(const uint8_t *restrict mask, index_t lines, index_t columns)
{
    index_t count = 0;
    for (index_t line = 0; line < lines; line++) {
        const uint8_t *row = mask + line * columns;
        uint32_t begins = row[0];
        for (index_t x = 1; x < columns; x++)
            begins += row[x] & (row[x - 1] ^ 1u);
        count += begins;
    }
    return count;
}

/*
 * List the runs of a mask, and where the rows of a frame of it (one voxel more on all sides) begin and end.
 *
 * stride       length of a row of the frame.
 * places       (count_runs, 3): where each run begins in the mask and in the frame, and how long it is.
 * first, stop  (slices + 2, rows + 2), zeroed: of each row of the frame the first and one past the last column that holds
 *              a voxel.
 */
void list_runs(const uint8_t *restrict mask, index_t slices, index_t rows, index_t columns, index_t stride,
               int64_t *restrict places, int64_t *restrict first, int64_t *restrict stop)
{
    for (index_t z = 0; z < slices; z++)
        for (index_t y = 0; y < rows; y++) {
            const index_t line = z * rows + y, framed = (z + 1) * (rows + 2) + y + 1;
            const uint8_t *row = mask + line * columns, *end = row + columns, *from = row, *to;
            for (; from < end && (from = memchr(from, 1, (size_t)(end - from))); from = to) {
                to = memchr(from, 0, (size_t)(end - from));
                to = to ? to : end;
                *places++ = from - mask;
                *places++ = framed * stride + (from - row) + 1;
                *places++ = to - from;
                first[framed] = stop[framed] ? first[framed] : from - row + 1;
                stop[framed] = to - row + 1;
            }
        }
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

/* Sixteen buckets side by side; one bit of a word stands for each of COMPARED_AT_ONCE. */
typedef uint16_t sixteen_t __attribute__((vector_size(16 * sizeof(uint16_t))));

enum { COMPARED_AT_ONCE = 64 };

/* A bit for each of sixteen flags. */
static INLINE uint64_t bits_of(sixteen_t flags)
{
    const sixteen_t bit = {1 << 0, 1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,  1 << 6,  1 << 7,
                           1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15};
    const sixteen_t set = flags & bit;
    uint64_t four[4];
    memcpy(four, &set, sizeof four);
    const uint64_t folded = (four[0] | four[1]) | (four[2] | four[3]), half = folded | folded >> 32;
    return (half | half >> 16) & 0xffff;
}

/* Which of COMPARED_AT_ONCE `buckets` are among the `wanted`, bit by bit. */
static INLINE uint64_t wanted_among(const uint16_t *restrict buckets, const uint16_t *restrict wanted,
                                    index_t wanted_count)
{
    sixteen_t a, b, c, d, first = {0}, second = {0}, third = {0}, fourth = {0};
    memcpy(&a, buckets, sizeof a);
    memcpy(&b, buckets + 16, sizeof b);
    memcpy(&c, buckets + 32, sizeof c);
    memcpy(&d, buckets + 48, sizeof d);
    for (index_t w = 0; w < wanted_count; w++) {
        first |= (sixteen_t)(a == wanted[w]);
        second |= (sixteen_t)(b == wanted[w]);
        third |= (sixteen_t)(c == wanted[w]);
        fourth |= (sixteen_t)(d == wanted[w]);
    }
    return bits_of(first) | bits_of(second) << 16 | bits_of(third) << 32 | bits_of(fourth) << 48;
}

/* List the places of the values in the `wanted` buckets, for which `fill` is not negative; returns how many there are. */
HOT static index_t list_wanted(const uint16_t *restrict buckets, index_t count, const uint16_t *restrict wanted,
                               index_t wanted_count, const index_t *restrict fill, index_t *restrict places)
{
    index_t found = 0, i = 0;
    for (; i + COMPARED_AT_ONCE <= count; i += COMPARED_AT_ONCE)
        for (uint64_t left = wanted_among(buckets + i, wanted, wanted_count); left; left &= left - 1)
            places[found++] = i + __builtin_ctzll(left);
    for (; i < count; i++)
        if (fill[buckets[i]] >= 0)
            places[found++] = i;
    return found;
}

/* The values in a bucket, and which of the ranks that are asked for they hold. */
typedef struct {
    index_t count, below, first_rank, rank_count;
} wanted_t;

static int order_statistics(double *values, index_t count, const index_t *ranks, index_t rank_count, double *found);

/*
 * The values at ascending `ranks` of the ascending order of `values`, of which only those are looked at whose buckets
 * hold a rank.
 *
 * counts  how many values are in each bucket.
 */
static int ranked(const double *restrict values, const uint16_t *restrict buckets, index_t count,
                  const uint32_t *restrict counts, index_t bucket_count, const index_t *restrict ranks,
                  index_t rank_count, double *restrict found)
{
    index_t *fill = malloc(sizeof *fill * (size_t)(bucket_count + rank_count)), *within = fill + bucket_count;
    wanted_t *wanted = malloc(sizeof *wanted * (size_t)(rank_count + 1));
    uint16_t *numbers = malloc(sizeof *numbers * (size_t)(rank_count + 1));
    index_t below = 0, kept = 0, wanted_count = 0, r = 0, *places = NULL;
    double *collected = NULL;
    int failed = -1;

    for (index_t b = 0; fill && wanted && numbers && b < bucket_count; below += counts[b++]) {
        fill[b] = -1;
        if (r == rank_count || ranks[r] >= below + counts[b])
            continue;
        const index_t first = r;
        for (; r < rank_count && ranks[r] < below + counts[b]; r++)
            within[r] = ranks[r] - below;
        numbers[wanted_count] = (uint16_t)b;
        wanted[wanted_count++] = (wanted_t){counts[b], kept, first, r - first};
        fill[b] = kept;
        kept += counts[b];
    }
    if (fill && wanted && numbers)
        collected = malloc(sizeof *collected * (size_t)(kept + 1));
    if (collected)
        places = malloc(sizeof *places * (size_t)(kept + 1));
    if (places) {
        const index_t listed = list_wanted(buckets, count, numbers, wanted_count, fill, places);
        /* apart from that, so that a processor asks memory for many of them at a time */
        for (index_t k = 0; k < listed; k++)
            collected[fill[buckets[places[k]]]++] = values[places[k]];
        failed = 0;
    }
    for (index_t w = 0; !failed && w < wanted_count; w++)
        failed = order_statistics(collected + wanted[w].below, wanted[w].count, within + wanted[w].first_rank,
                                  wanted[w].rank_count, found + wanted[w].first_rank);
    free(fill), free(wanted), free(numbers), free(collected), free(places);
    return failed;
}

/* Up to so many values are put in order as they are. */
enum { FEW = 48, PARTS = 512 };

/* Part of PARTS in which a value lies: it grows with the value, whatever the rounding. */
static INLINE uint16_t part_of(double value, double low, double scale)
{
    const double part = (value - low) * scale, positive = part > 0.0 ? part : 0.0;
    return (uint16_t)(int32_t)(positive < PARTS - 1.0 ? positive : PARTS - 1.0);
}

/* The values at ascending `ranks` of the ascending order; reorders `values`. */
static int order_statistics(double *values, index_t count, const index_t *ranks, index_t rank_count, double *found)
{
    double low = values[0], high = values[0];
    for (index_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    const double scale = PARTS / (high - low);
    /* what cannot be divided into parts is either few or all alike, or so large or small that this is */
    if (count <= FEW || !(scale > 0.0 && scale < INFINITY)) {
        for (index_t r = 0; r < rank_count; r++)
            found[r] = low == high ? low : select_rank(values, count, ranks[r]);
        return 0;
    }
    uint32_t counts[PARTS] = {0};
    uint16_t *parts = malloc(sizeof *parts * (size_t)count);
    if (!parts)
        return -1;
    for (index_t i = 0; i < count; i++)
        counts[parts[i] = part_of(values[i], low, scale)]++;
    const int failed = ranked(values, parts, count, counts, PARTS, ranks, rank_count, found);
    free(parts);
    return failed;
}

/*
 * How the values of an image are told apart: by their grey levels, and by cells of a width, of which 2^shift make a
 * level. Cells begin half a level below the first edge. So each level has its edge in the middle of cells that are
 * `nearest` to it, and whatever the rounding, one look at that edge says on which side of it a value lies.
 */
typedef struct {
    const double *edges;
    index_t edge_count;
    double per_width, step, begin, per_cell;
    uint32_t cells;
    int shift, even;
} scale_t;

static INLINE int32_t cell_of(double value, const scale_t *scale)
{
    const uint32_t cell = (uint32_t)(int32_t)((value - scale->begin) * scale->per_cell), last = scale->cells - 1;
    return (int32_t)(cell < last ? cell : last);
}

/* More cells tell more values apart, but take longer to look through. */
enum { MOST_BUCKETS = 8192 };

/* A value's bucket is its cell plus its level: neither cells nor levels are mixed in it, and it grows with the value. */
static INLINE index_t buckets_below(const scale_t *scale, index_t level)
{
    return level ? cell_of(scale->edges[level - 1], scale) + level : 0;
}

static scale_t scale_of(const double *edges, index_t edge_count, double width, index_t count)
{
    scale_t scale = {edges, edge_count, 1.0 / width, edges[1] - edges[0], edges[0] - width / 2, 0.0, 0, 0, 1};
    while (edge_count * (2 << scale.shift) + edge_count <= MOST_BUCKETS && edge_count << scale.shift < count)
        scale.shift++;
    scale.per_cell = (double)(1 << scale.shift) / width;
    scale.cells = (uint32_t)(edge_count - 1) << scale.shift;
    for (index_t k = 0; k < edge_count; k++)
        scale.even &= edges[k] == edges[0] + (double)k * scale.step &&
                      (k == edge_count - 1 || cell_of(edges[k], &scale) >> scale.shift == k);
    return scale;
}

/* Values whose levels are found side by side. */
enum { LEVELS_AT_ONCE = 128 };

/* Levels and buckets of up to LEVELS_AT_ONCE values, if the edges are evenly apart. */
static INLINE void even_levels_of(const double *restrict values, index_t count, const scale_t *scale,
                                  uint16_t *restrict levels, uint16_t *restrict buckets)
{
    const scale_t s = *scale;
    const double first = s.edges[0];
    int32_t level[LEVELS_AT_ONCE], bucket[LEVELS_AT_ONCE];
    for (index_t i = 0; i < count; i++) {
        const int32_t cell = cell_of(values[i], &s), nearest = cell >> s.shift;
        level[i] = values[i] >= first + (double)nearest * s.step ? nearest + 1 : nearest;
        bucket[i] = cell + level[i];
    }
    /* apart from that, because half of the lanes would be idle in it */
    for (index_t i = 0; i < count; i++) {
        levels[i] = (uint16_t)level[i];
        buckets[i] = (uint16_t)bucket[i];
    }
}

HOTTER static void levels_of(const double *restrict values, index_t count, const scale_t *scale,
                             uint16_t *restrict levels, uint16_t *restrict buckets)
{
    if (scale->even && count == LEVELS_AT_ONCE)
        even_levels_of(values, LEVELS_AT_ONCE, scale, levels, buckets);
    else if (scale->even)
        even_levels_of(values, count, scale, levels, buckets);
    else
        for (index_t i = 0; i < count; i++) {
            const index_t level = level_of(values[i], scale->edges, scale->edge_count, scale->per_width);
            levels[i] = (uint16_t)level;
            buckets[i] = (uint16_t)(cell_of(values[i], scale) + level);
        }
}

/* Count `buckets` in two tables that take turns, because an increment of the same number waits for the one before. */
static INLINE void count_buckets(const uint16_t *buckets, index_t count, uint32_t *restrict even,
                                 uint32_t *restrict odd)
{
    index_t i = 0;
    for (; i + 3 < count; i += 4) {
        even[buckets[i]]++;
        odd[buckets[i + 1]]++;
        even[buckets[i + 2]]++;
        odd[buckets[i + 3]]++;
    }
    for (; i < count; i++)
        even[buckets[i]]++;
}

/*
 * Write the grey level of each value to its place in a frame, count the levels, and find the values at ascending
 * `ranks` of the ascending order.
 *
 * runs     as for GATHER.
 * voxels   zeroed, room for all levels.
 * buckets  working memory: one for each value.
 */
#define PLACE_LEVELS(NAME, LEVEL)                                                                                    \
    int NAME(const double *restrict values, index_t count, const double *restrict edges, index_t edge_count,         \
             double width, const int64_t *restrict runs, index_t run_count, LEVEL *restrict frame,                   \
             int64_t *restrict voxels, const index_t *restrict ranks, index_t rank_count, double *restrict found,    \
             uint16_t *restrict buckets)                                                                             \
    {                                                                                                                \
        const scale_t scale = scale_of(edges, edge_count, width, count);                                             \
        const index_t bucket_count = (index_t)scale.cells + edge_count;                                              \
        uint32_t *tables = calloc((size_t)(2 * bucket_count), sizeof *tables);                                       \
        index_t r = -1, left = 0;                                                                                    \
        LEVEL *to = frame;                                                                                           \
        int failed = -1;                                                                                             \
        for (index_t from = 0; tables && from < count; from += LEVELS_AT_ONCE) {                                     \
            const index_t some = count - from < LEVELS_AT_ONCE ? count - from : LEVELS_AT_ONCE;                      \
            uint16_t levels[LEVELS_AT_ONCE] = {0};                                                                   \
            LEVEL narrow[LEVELS_AT_ONCE];                                                                            \
            levels_of(values + from, some, &scale, levels, buckets + from);                                          \
            count_buckets(buckets + from, some, tables, tables + bucket_count);                                      \
            for (int k = 0; k < LEVELS_AT_ONCE; k++)                                                                 \
                narrow[k] = (LEVEL)levels[k];                                                                        \
            for (index_t k = 0; k < some;) {                                                                         \
                while (!left && ++r < run_count) {                                                                   \
                    to = frame + runs[3 * r + 1];                                                                    \
                    left = runs[3 * r + 2];                                                                          \
                }                                                                                                    \
                const index_t length = left < some - k ? left : some - k;                                            \
                memcpy(to, narrow + k, sizeof *to * (size_t)length);                                                 \
                to += length, left -= length, k += length;                                                           \
            }                                                                                                        \
        }                                                                                                            \
        if (tables) {                                                                                                \
            for (index_t b = 0; b < bucket_count; b++)                                                               \
                tables[b] += tables[bucket_count + b];                                                               \
            for (index_t level = 0; level < edge_count; level++)                                                     \
                for (index_t b = buckets_below(&scale, level); b < buckets_below(&scale, level + 1); b++)            \
                    voxels[level] += tables[b];                                                                      \
            failed = ranked(values, buckets, count, tables, bucket_count, ranks, rank_count, found);                 \
        }                                                                                                            \
        free(tables);                                                                                                \
        return failed;                                                                                               \
    }

PLACE_LEVELS(place_levels_u8, uint8_t)
PLACE_LEVELS(place_levels_u16, uint16_t)

/* The sums over a block of values are added up apart, so that rounding does not grow with the number of values. */
enum { BLOCK = 512 };

/* What first-order features are made of, in the order of native.Moments. */
enum { SECOND, THIRD, FOURTH, ABSOLUTE, SQUARES, INNER_SUM, INNER_COUNT, INNER_ABSOLUTE, SUMS };

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

/* The lesser and the greater of two, lane by lane; `b` if they are alike: what gcc has one instruction for. */
static INLINE lanes_t lesser_lanes(lanes_t a, lanes_t b)
{
    lanes_t found;
    for (int k = 0; k < LANES; k++)
        found[k] = a[k] < b[k] ? a[k] : b[k];
    return found;
}

static INLINE lanes_t greater_lanes(lanes_t a, lanes_t b)
{
    lanes_t found;
    for (int k = 0; k < LANES; k++)
        found[k] = a[k] > b[k] ? a[k] : b[k];
    return found;
}

/* What has just been written has left the nearer caches: values are asked for so many before they are needed. */
enum { AHEAD = 2048, VALUES_IN_A_LINE = 64 / sizeof(double) };

/* Ask for the `count` values that are AHEAD of these; what lies beyond the end of an array is not looked at. */
static INLINE void fetch_ahead(const double *values, index_t count)
{
#if defined(__GNUC__)
    for (index_t i = 0; i < count; i += VALUES_IN_A_LINE)
        __builtin_prefetch((const void *)((uintptr_t)values + sizeof *values * (size_t)(AHEAD + i)));
#endif
}

/* The smallest, the largest and the sum of up to IN_ONE_GO values, at least one. */
HOT static void summary_of_few(const double *restrict values, index_t count, double *restrict found)
{
    double low = values[0], high = values[0], sum = 0.0;
    index_t i = 0;

    fetch_ahead(values, count);
    if (count >= 2 * LANES) {
        lanes_t v, w, first, second, least, most;
        memcpy(&first, values, sizeof first);
        memcpy(&second, values + LANES, sizeof second);
        least = lesser_lanes(first, second);
        most = greater_lanes(first, second);
        for (i = 2 * LANES; i + 2 * LANES <= count; i += 2 * LANES) {
            memcpy(&v, values + i, sizeof v);
            memcpy(&w, values + i + LANES, sizeof w);
            first += v;
            second += w;
            least = lesser_lanes(lesser_lanes(v, w), least);
            most = greater_lanes(greater_lanes(v, w), most);
        }
        sum = ADDED_UP(first) + ADDED_UP(second);
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
    const lanes_t d = WHERE(there, v - mean), s = WHERE(there, v + shift), d2 = d * d;
    const bits_t inner = there & (v >= low) & (v <= high);
    part[SECOND] += d2;
    part[THIRD] += d2 * d;
    part[FOURTH] += d2 * d2;
    part[ABSOLUTE] += ABSOLUTE_OF(d);
    part[SQUARES] += s * s;
    part[INNER_SUM] += WHERE(inner, v);
    *inner_count += inner;
}

/* |v - centre| of those of a few values that are from `low` to `high`, 0 of the others. */
#define DISTANCE_WITHIN(v) WHERE(((v) >= low) & ((v) <= high), ABSOLUTE_OF((v) - centre))

/* Sum of |v - centre| over the values from `low` to `high`. */
HOT static double absolute_within(const double *restrict values, index_t count, double centre, double low, double high)
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

/*
 * Sums over `values`: of (v - mean)^2, ^3, ^4, |v - mean|, (v + shift)^2, and for those from `low` to `high` of v, 1 and
 * |v - their mean|.
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
    if (sums[INNER_COUNT] > 0.0)
        sums[INNER_ABSOLUTE] = absolute_within(values, count, sums[INNER_SUM] / sums[INNER_COUNT], low, high);
}
