/* Feature maps. */
#include "kernels.h"
#include "textures.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------------- */
/* Feature maps                                                                                                     */
/* ---------------------------------------------------------------------------------------------------------------- */

enum { MAX_RADIUS = 3, MAX_CUBE = 343, MAX_PAIRS = 294 };

/* First-order features in the order of FIRSTORDER_MAPS in fast_maps.py. */
enum {
    P10, P90, ENERGY, ENTROPY, INTERQUARTILE_RANGE, KURTOSIS, MAXIMUM, MEAN, MEAN_ABSOLUTE_DEVIATION, MEDIAN, MINIMUM,
    RANGE, ROBUST_MEAN_ABSOLUTE_DEVIATION, ROOT_MEAN_SQUARED, SKEWNESS, UNIFORMITY, VARIANCE, FIRSTORDER_MAPS
};

/* -p log2(p + EPSILON) for p = part / whole, from logarithms of whole numbers: EPSILON takes EPSILON / ln 2 off. */
static double surprise_of(int part, int whole, const double *log2_of)
{
    return (double)part / whole * (log2_of[whole] - log2_of[part]) - EPSILON * 1.4426950408889634;
}

/* Quantile of ascending values between the two nearest ranks (Hyndman & Fan's type 7, as numpy interpolates). */
static double quantile(const double *ordered, int count, double fraction)
{
    const double position = fraction * (count - 1);
    const int rank = (int)position, next = rank + 1 < count ? rank + 1 : rank;
    const double weight = position - rank, step = ordered[next] - ordered[rank];
    return weight >= 0.5 ? ordered[next] - step * (1.0 - weight) : ordered[rank] + step * weight;
}

/* First-order features of `count` values (at least one), which come out in ascending order. */
static void firstorder_of(double *values, int count, double shift, double *f)
{
    double sum = 0.0, energy = 0.0, m2 = 0.0, m3 = 0.0, m4 = 0.0, mad = 0.0, inner = 0.0, robust = 0.0;
    int inside = 0;

    for (int i = 1; i < count; i++) {
        const double value = values[i];
        int k = i;
        for (; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1];
        values[k] = value;
    }
    for (int i = 0; i < count; i++) {
        sum += values[i];
        energy += (values[i] + shift) * (values[i] + shift);
    }
    const double mean = sum / count;
    for (int i = 0; i < count; i++) {
        const double d = values[i] - mean, d2 = d * d;
        m2 += d2;
        m3 += d2 * d;
        m4 += d2 * d2;
        mad += fabs(d);
    }
    m2 /= count, m3 /= count, m4 /= count;
    f[P10] = quantile(values, count, 0.10);
    f[P90] = quantile(values, count, 0.90);
    for (int i = 0; i < count; i++)
        if (values[i] >= f[P10] && values[i] <= f[P90]) {
            inner += values[i];
            inside++;
        }
    for (int i = 0; i < count; i++)
        if (values[i] >= f[P10] && values[i] <= f[P90])
            robust += fabs(values[i] - inner / inside);
    f[ENERGY] = energy;
    f[INTERQUARTILE_RANGE] = quantile(values, count, 0.75) - quantile(values, count, 0.25);
    f[KURTOSIS] = m2 == 0.0 ? 0.0 : m4 / (m2 * m2);
    f[MAXIMUM] = values[count - 1];
    f[MEAN] = mean;
    f[MEAN_ABSOLUTE_DEVIATION] = mad / count;
    f[MEDIAN] = (values[(count - 1) / 2] + values[count / 2]) / 2.0;
    f[MINIMUM] = values[0];
    f[RANGE] = values[count - 1] - values[0];
    f[ROBUST_MEAN_ABSOLUTE_DEVIATION] = robust / inside;
    f[ROOT_MEAN_SQUARED] = sqrt(energy / count);
    f[SKEWNESS] = m2 == 0.0 ? 0.0 : m3 / pow(m2, 1.5);
    f[VARIANCE] = m2;
}

/*
 * First-order features in a cube of (2 radius + 1)^3 voxels around each of `count` voxels of a lesion.
 *
 * levels, values  volumes (.., rows, columns) with a border of `radius` voxels; level 0 is outside of the lesion.
 * centres         flat indices, none of them in the border.
 * features        (count, FIRSTORDER_MAPS)
 */
int firstorder_maps(const uint16_t *levels, const double *values, index_t rows, index_t columns,
                    const index_t *centres, index_t count, int radius, index_t level_count, double shift,
                    double *features)
{
    double log2_of[MAX_CUBE + 1], inside[MAX_CUBE];
    uint16_t *times = calloc((size_t)(level_count + 1), sizeof *times), seen[MAX_CUBE];

    if (!times)
        return -1;
    for (int i = 1; i <= MAX_CUBE; i++)
        log2_of[i] = log2(i);
    for (index_t v = 0; v < count; v++) {
        double *f = features + v * FIRSTORDER_MAPS, entropy = 0.0, uniformity = 0.0;
        int n = 0;
        for (index_t z = -radius; z <= radius; z++)
            for (index_t y = -radius; y <= radius; y++)
                for (index_t x = -radius; x <= radius; x++) {
                    const index_t i = centres[v] + (z * rows + y) * columns + x;
                    if (!levels[i])
                        continue;
                    times[levels[i]]++;
                    seen[n] = levels[i];
                    inside[n++] = values[i];
                }
        for (int i = 0; i < n; i++) {
            const int c = times[seen[i]];
            if (!c)
                continue;
            entropy += surprise_of(c, n, log2_of);
            uniformity += (double)c / n * ((double)c / n);
            times[seen[i]] = 0;
        }
        firstorder_of(inside, n, shift, f);
        f[ENTROPY] = entropy;
        f[UNIFORMITY] = uniformity;
    }
    free(times);
    return 0;
}

/* Counters of one direction, all zero between directions. */
typedef struct {
    uint16_t *pairs;       /* by lower level * side + higher level */
    uint16_t *singles;     /* by level, both ends of a pair */
    uint16_t *sums;        /* by sum of levels */
    uint16_t *differences; /* by difference of levels */
} tallies_t;

/* Add the features of `n` pairs of levels (lower, higher) in one direction, and leave the tallies zero. */
static void pairs_of(const uint16_t (*pair)[2], int n, index_t level_count, const tallies_t *t, const double *log2_of,
                     double *f)
{
    const index_t side = level_count + 1;
    const double levels = (double)level_count, ends = 2.0 * n;
    double sum = 0.0, mean, variance = 0.0, covariance = 0.0, average = 0.0, largest = 0.0;

    for (int k = 0; k < n; k++) {
        const uint16_t a = pair[k][0], b = pair[k][1];
        t->pairs[a * side + b]++;
        t->singles[a]++, t->singles[b]++;
        t->sums[a + b]++;
        t->differences[b - a]++;
        sum += a + b;
        average += b - a;
        f[AUTOCORRELATION] += (double)a * b / n;
    }
    mean = sum / ends;
    average /= n;
    for (int k = 0; k < n; k++) {
        const uint16_t a = pair[k][0], b = pair[k][1];
        uint16_t *c = t->pairs + a * side + b;
        if (*c) {
            /* a pair of unlike levels stands in two cells of the symmetric matrix */
            const int halves = a == b ? 2 * *c : *c, cells = a == b ? 1 : 2;
            const double p = halves / ends;
            f[JOINT_ENTROPY] += cells * surprise_of(halves, 2 * n, log2_of);
            f[JOINT_ENERGY] += cells * p * p;
            largest = p > largest ? p : largest;
            covariance += cells * p * (a - mean) * (b - mean);
            *c = 0;
        }
        for (int end = 0; end < 2; end++) {
            uint16_t *single = t->singles + pair[k][end];
            variance += *single / ends * (pair[k][end] - mean) * (pair[k][end] - mean);
            *single = 0;
        }
        c = t->sums + a + b;
        if (*c) {
            const double p = (double)*c / n, w = (double)(a + b) - 2.0 * mean;
            f[CLUSTER_TENDENCY] += p * w * w;
            f[CLUSTER_SHADE] += p * w * w * w;
            f[CLUSTER_PROMINENCE] += p * w * w * w * w;
            f[SUM_ENTROPY] += surprise_of(*c, n, log2_of);
            *c = 0;
        }
        c = t->differences + (b - a);
        if (*c) {
            const double p = (double)*c / n, d = (double)(b - a), d2 = d * d;
            f[CONTRAST] += p * d2;
            f[DIFFERENCE_ENTROPY] += surprise_of(*c, n, log2_of);
            f[DIFFERENCE_VARIANCE] += p * (d - average) * (d - average);
            f[ID] += p / (1.0 + d);
            f[IDN] += p / (1.0 + d / levels);
            f[IDM] += p / (1.0 + d2);
            f[IDMN] += p / (1.0 + d2 / (levels * levels));
            if (b > a)
                f[INVERSE_VARIANCE] += p / d2;
            *c = 0;
        }
    }
    f[JOINT_AVERAGE] += mean;
    f[DIFFERENCE_AVERAGE] += average;
    f[MAXIMUM_PROBABILITY] += largest;
    f[SUM_SQUARES] += variance;
    f[CORRELATION] += variance == 0.0 ? 1.0 : covariance / (variance + EPSILON);
}

/*
 * Co-occurrence features in a cube around each of `count` voxels of a lesion, averaged over the directions that hold a
 * pair; NaN if none does. Imc1 and Imc2 are left 0: in so few voxels they hang on rounding.
 *
 * Arguments as for `firstorder_maps`; `directions` gets a bit for each direction that holds a pair.
 */
int glcm_maps(const uint16_t *levels, index_t rows, index_t columns, const index_t *centres, index_t count,
              int radius, index_t level_count, double *features, uint16_t *directions)
{
    const size_t side = (size_t)level_count + 1;
    double log2_of[2 * MAX_PAIRS + 1];
    uint16_t pair[MAX_PAIRS][2];
    uint16_t *memory = calloc(side * side + 4 * side, sizeof *memory);
    const tallies_t tallies = {memory, memory + side * side, memory + side * side + side,
                               memory + side * side + 3 * side};

    if (!memory)
        return -1;
    for (int i = 1; i <= 2 * MAX_PAIRS; i++)
        log2_of[i] = log2(i);
    for (index_t v = 0; v < count; v++) {
        double *f = features + v * GLCM_FEATURES;
        int used = 0;
        memset(f, 0, sizeof *f * GLCM_FEATURES);
        directions[v] = 0;
        for (int d = 0; d < DIRECTIONS; d++) {
            const index_t dz = STEP[d][0], dy = STEP[d][1], dx = STEP[d][2];
            const index_t step = (dz * rows + dy) * columns + dx;
            int n = 0;
            /* both ends of a pair lie in the cube */
            for (index_t z = -radius - (dz < 0 ? dz : 0); z <= radius; z++)
                for (index_t y = -radius - (dy < 0 ? dy : 0); y <= radius - (dy > 0 ? dy : 0); y++)
                    for (index_t x = -radius - (dx < 0 ? dx : 0); x <= radius - (dx > 0 ? dx : 0); x++) {
                        const index_t i = centres[v] + (z * rows + y) * columns + x;
                        const uint16_t a = levels[i], b = levels[i + step];
                        if (!a || !b)
                            continue;
                        pair[n][0] = a < b ? a : b;
                        pair[n++][1] = a < b ? b : a;
                    }
            if (!n)
                continue;
            pairs_of((const uint16_t(*)[2])pair, n, level_count, &tallies, log2_of, f);
            directions[v] = (uint16_t)(directions[v] | 1 << d);
            used++;
        }
        for (int k = 0; k < GLCM_FEATURES; k++)
            f[k] /= used;
    }
    free(memory);
    return 0;
}
