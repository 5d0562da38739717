/* Features of texture matrices. */
#include "kernels.h"
#include "textures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double surprise(double p)
{
    return -p * log2(p + EPSILON);
}

/* What is left of a symmetric co-occurrence matrix when only sums and differences of its levels are asked for. */
typedef struct {
    const double *sums;        /* p(x+y) at index i + j, up to 2 * levels */
    const double *differences; /* p(|x-y|), levels of them */
    double mean;               /* of the marginal distribution */
} marginals_t;

/*
 * Add the features that follow from p(x+y) and p(|x-y|) of one direction.
 *
 *   ClusterTendency, -Shade, -Prominence = sum p(x+y) (k - 2 mean)^2, ^3, ^4;  SumEntropy = H(p(x+y))
 *   DifferenceAverage, -Variance, -Entropy = mean, variance, entropy of p(|x-y|);  Contrast = sum p(|x-y|) k^2
 *   Id, Idn, Idm, Idmn = sum p(|x-y|) / (1 + k), (1 + k/N), (1 + k^2), (1 + k^2/N^2);  InverseVariance: sum p / k^2
 *
 * Source: PyRadiomics glcm.py; Haralick 1973 and IBSI 3.6.
 */
static void features_of_marginals(const marginals_t *m, index_t levels, double *f)
{
    const double n = (double)levels;
    double average = 0.0;

    for (index_t k = 2; k <= 2 * levels; k++) {
        const double p = m->sums[k], t = (double)k - 2.0 * m->mean, t2 = t * t;
        if (p <= 0.0)
            continue;
        f[CLUSTER_TENDENCY] += p * t2;
        f[CLUSTER_SHADE] += p * t2 * t;
        f[CLUSTER_PROMINENCE] += p * t2 * t2;
        f[SUM_ENTROPY] += surprise(p);
    }
    for (index_t k = 0; k < levels; k++)
        average += m->differences[k] * (double)k;
    f[DIFFERENCE_AVERAGE] += average;
    for (index_t k = 0; k < levels; k++) {
        const double p = m->differences[k], d = (double)k, d2 = d * d;
        if (p <= 0.0)
            continue;
        f[CONTRAST] += p * d2;
        f[DIFFERENCE_ENTROPY] += surprise(p);
        f[DIFFERENCE_VARIANCE] += p * (d - average) * (d - average);
        f[ID] += p / (1.0 + d);
        f[IDN] += p / (1.0 + d / n);
        f[IDM] += p / (1.0 + d2);
        f[IDMN] += p / (1.0 + d2 / (n * n));
        if (k)
            f[INVERSE_VARIANCE] += p / d2;
    }
}

/* What the direction's features add up from, after the sums over single probabilities. */
typedef struct {
    double entropy;     /* HXY */
    double entropy1;    /* HXY1 = -sum p(i,j) log2(p(i) p(j)) */
    double entropy2;    /* HXY2 = -sum p(i) p(j) log2(p(i) p(j)) */
    double marginal;    /* HX */
    double variance;    /* of the marginal distribution */
    double covariance;
} moments_t;

/* Correlation = cov / var (1 if flat), Imc1 = (HXY - HXY1) / HX, Imc2 = sqrt(1 - exp(-2 (HXY2 - HXY))). */
static void features_of_moments(const moments_t *m, double *f)
{
    const double deviation = sqrt(m->variance) * sqrt(m->variance);
    f[SUM_SQUARES] += m->variance;
    f[JOINT_ENTROPY] += m->entropy;
    f[CORRELATION] += deviation == 0.0 ? 1.0 : m->covariance / (deviation + EPSILON);
    f[IMC1] += m->marginal == 0.0 ? 0.0 : (m->entropy - m->entropy1) / m->marginal;
    f[IMC2] += m->entropy2 == m->entropy ? 0.0 : sqrt(1.0 - exp(-2.0 * (m->entropy2 - m->entropy)));
}

/* -p log2(p + EPSILON) of a small count by its probability, asked for often and computed once; see `surprise_of`. */
enum { REMEMBERED = 256 };

/* The surprise of `count` among `whole`; what is negative in `known` is not known yet. */
static INLINE double surprise_of(uint32_t count, double whole, double *known)
{
    if (count >= REMEMBERED)
        return surprise(count / whole);
    if (known[count] < 0.0)
        known[count] = surprise(count / whole);
    return known[count];
}

/*
 * Features of thirteen co-occurrence matrices, each made symmetric and normalised, averaged over the directions that
 * hold a pair of voxels; NaN if none does.
 *
 * HXY1 and HXY2 need no logarithm for each pair of levels: log2(p(i) p(j) + e) = log2 p(i) + log2 p(j) + e / (p(i)
 * p(j) ln 2), where e = EPSILON is so much smaller than any product that its square is far below rounding. Hence
 *
 *   HXY1 = 2 S - e / ln 2 sum p(i,j) / (p(i) p(j)),  HXY2 = 2 S - e / ln 2 K^2,  S = -sum p(i) log2 p(i)
 *
 * for K levels that occur. Returns the smallest HXY2 - HXY of a direction in `gap`: where it is tiny, Imc2 hangs on
 * rounding.
 */
int glcm_features(const uint32_t *cooccurrences, index_t levels, double *features, double *gap)
{
    const index_t side = levels + 1;
    double *memory = malloc(sizeof *memory * (size_t)(6 * side)), known[REMEMBERED];
    int used = 0;

    memset(features, 0, sizeof *features * GLCM_FEATURES);
    *gap = INFINITY;
    if (!memory)
        return -1;
    double *single = memory, *inverse = single + side, *differences = inverse + side, *sums = differences + side;

    for (int d = 0; d < DIRECTIONS; d++) {
        const uint32_t *g = cooccurrences + d * side * side;
        uint64_t pairs = 0;
        double mean = 0.0, largest = 0.0, kinds = 0.0, information = 0.0, shared = 0.0;
        double f[GLCM_FEATURES] = {0};
        moments_t m = {0};

        for (index_t i = 1; i <= levels; i++)
            for (index_t j = 1; j <= levels; j++)
                pairs += g[i * side + j];
        if (!pairs)
            continue;
        const double total = 2.0 * (double)pairs;
        used++;
        memset(memory, 0, sizeof *memory * (size_t)(6 * side));
        for (int k = 0; k < REMEMBERED; k++)
            known[k] = -1.0;
        for (index_t i = 1; i <= levels; i++)
            for (index_t j = 1; j <= i; j++) {
                const uint32_t count = g[i * side + j] + g[j * side + i];
                if (!count)
                    continue;
                const double q = count / total, twice = i == j ? q : 2.0 * q, bits = surprise_of(count, total, known);
                single[i] += q;
                if (i != j)
                    single[j] += q;
                sums[i + j] += twice;
                differences[i - j] += twice;
                m.entropy += i == j ? bits : 2.0 * bits;
                f[JOINT_ENERGY] += twice * q;
                f[AUTOCORRELATION] += twice * (double)(i * j);
                if (q > largest)
                    largest = q;
            }
        f[MAXIMUM_PROBABILITY] = largest;
        for (index_t i = 1; i <= levels; i++)
            mean += (double)i * single[i];
        f[JOINT_AVERAGE] = mean;
        for (index_t i = 1; i <= levels; i++) {
            if (single[i] == 0.0)
                continue;
            kinds += 1.0;
            inverse[i] = 1.0 / single[i];
            information -= single[i] * log2(single[i]);
            m.variance += single[i] * ((double)i - mean) * ((double)i - mean);
            m.marginal += surprise(single[i]);
        }
        for (index_t i = 1; i <= levels; i++) {
            double covariance = 0.0, expected = 0.0;
            for (index_t j = 1; j <= i; j++) {
                const uint32_t count = g[i * side + j] + g[j * side + i];
                if (!count)
                    continue;
                const double weighted = (i == j ? 1.0 : 2.0) * (count / total);
                covariance += weighted * ((double)j - mean);
                expected += weighted * inverse[j];
            }
            m.covariance += covariance * ((double)i - mean);
            shared += expected * inverse[i];
        }
        m.entropy1 = 2.0 * information - EPSILON_BITS * shared;
        m.entropy2 = 2.0 * information - EPSILON_BITS * kinds * kinds;
        /* a single level: all three are the same sum of one term, whose noise must not differ */
        if (kinds == 1.0)
            m.entropy1 = m.entropy2 = m.entropy;
        features_of_moments(&m, f);
        features_of_marginals(&(marginals_t){sums, differences, mean}, levels, f);
        for (int k = 0; k < GLCM_FEATURES; k++)
            features[k] += f[k];
        if (fabs(m.entropy2 - m.entropy) < *gap)
            *gap = fabs(m.entropy2 - m.entropy);
    }
    for (int k = 0; k < GLCM_FEATURES; k++)
        features[k] /= used;
    free(memory);
    return 0;
}

/* `count` things (runs, zones, voxels) of grey level `level` and of size (length, volume, dependence) `size`. */
typedef struct {
    uint32_t level, size;
    double count;
} cell_t;

/* Sizes below this are counted in a table, the few larger ones in a list: the largest zone may be most of a lesion. */
enum { MOST_TABLED = 512 };

static int larger(const void *a, const void *b)
{
    const uint32_t x = ((const cell_t *)a)->size, y = ((const cell_t *)b)->size;
    return (x > y) - (x < y);
}

/* How many things have each level or size that occurs, in ascending order. */
typedef struct {
    double number, count;
} tally_t;

/* What `counts` holds of 1 to `length` - 1; how many of them occur. */
static index_t tallied(const double *counts, index_t length, tally_t *tallies)
{
    index_t known = 0;
    for (index_t i = 1; i < length; i++)
        if (counts[i] > 0.0)
            tallies[known++] = (tally_t){(double)i, counts[i]};
    return known;
}

static double variance_of(const tally_t *tallies, index_t length, double total)
{
    double mean = 0.0, variance = 0.0;
    for (index_t k = 0; k < length; k++)
        mean += tallies[k].count / total * tallies[k].number;
    for (index_t k = 0; k < length; k++)
        variance += tallies[k].count / total * (tallies[k].number - mean) * (tallies[k].number - mean);
    return variance;
}

static double sum_of_squares(const tally_t *tallies, index_t length)
{
    double sum = 0.0;
    for (index_t k = 0; k < length; k++)
        sum += tallies[k].count * tallies[k].count;
    return sum;
}

/*
 * The sixteen features that run length, size zone and dependence matrices share, with N = sum of the counts P(i, j):
 *
 *   Small, Large, Low, High = sum P / j^2, P j^2, P / i^2, P i^2, and their four products, each / N
 *   NonUniformity = sum_i (sum_j P)^2 / N or sum_j (sum_i P)^2 / N, normalised: / N^2;  Percentage = N / voxels
 *   Variance of i and of j under P / N;  Entropy of P / N
 *
 * Each cell of the matrix comes once. Source: PyRadiomics glrlm.py, glszm.py, gldm.py; IBSI 3.7, 3.8, 3.11.
 */
static int size_features(const cell_t *cells, index_t cell_count, double voxels, double *f)
{
    index_t levels = 1, sizes = 1, large = 0;
    double total = 0.0;

    memset(f, 0, sizeof *f * SIZE_FEATURES);
    for (index_t k = 0; k < cell_count; k++) {
        const index_t size = (index_t)cells[k].size;
        total += cells[k].count;
        if (cells[k].level >= levels)
            levels = (index_t)cells[k].level + 1;
        if (size >= MOST_TABLED)
            large++;
        else if (size >= sizes)
            sizes = size + 1;
    }
    double *by_level = calloc((size_t)(levels + sizes), sizeof *by_level), *by_size = by_level + levels;
    cell_t *listed = malloc(sizeof *listed * (size_t)(large + 1));
    tally_t *of_levels = malloc(sizeof *of_levels * (size_t)(levels + sizes + large)), *of_sizes = of_levels + levels;
    if (!by_level || !listed || !of_levels) {
        free(by_level), free(listed), free(of_levels);
        return -1;
    }
    large = 0;
    for (index_t k = 0; k < cell_count; k++) {
        const double i = cells[k].level, j = cells[k].size, n = cells[k].count, i2 = i * i, j2 = j * j;
        by_level[cells[k].level] += n;
        if (cells[k].size >= MOST_TABLED)
            listed[large++] = cells[k];
        else
            by_size[cells[k].size] += n;
        f[SMALL] += n / j2;
        f[LARGE] += n * j2;
        f[LOW_LEVEL] += n / i2;
        f[HIGH_LEVEL] += n * i2;
        f[SMALL_LOW] += n / (i2 * j2);
        f[SMALL_HIGH] += n * i2 / j2;
        f[LARGE_LOW] += n * j2 / i2;
        f[LARGE_HIGH] += n * i2 * j2;
        f[SIZE_ENTROPY] += surprise(n / total);
    }
    static const int PER_THING[] = {SMALL, LARGE, LOW_LEVEL, HIGH_LEVEL, SMALL_LOW, SMALL_HIGH, LARGE_LOW, LARGE_HIGH};
    for (size_t k = 0; k < sizeof PER_THING / sizeof *PER_THING; k++)
        f[PER_THING[k]] /= total;
    const index_t level_kinds = tallied(by_level, levels, of_levels);
    index_t size_kinds = tallied(by_size, sizes, of_sizes);
    qsort(listed, (size_t)large, sizeof *listed, larger);
    for (index_t k = 0; k < large; k++)
        if (k && listed[k].size == listed[k - 1].size)
            of_sizes[size_kinds - 1].count += listed[k].count;
        else
            of_sizes[size_kinds++] = (tally_t){(double)listed[k].size, listed[k].count};
    const double level_squares = sum_of_squares(of_levels, level_kinds);
    const double size_squares = sum_of_squares(of_sizes, size_kinds);
    f[LEVEL_NONUNIFORMITY] = level_squares / total;
    f[LEVEL_NONUNIFORMITY_NORMALISED] = level_squares / (total * total);
    f[SIZE_NONUNIFORMITY] = size_squares / total;
    f[SIZE_NONUNIFORMITY_NORMALISED] = size_squares / (total * total);
    f[PERCENTAGE] = total / voxels;
    f[LEVEL_VARIANCE] = variance_of(of_levels, level_kinds, total);
    f[SIZE_VARIANCE] = variance_of(of_sizes, size_kinds, total);
    free(by_level), free(listed), free(of_levels);
    return 0;
}

/*
 * Run length features, averaged over the directions marked in `lined`; NaN if none is.
 *
 * positions  from `sweep`.
 */
int glrlm_features(const uint32_t *positions, const uint8_t *lined, index_t levels, index_t longest, double voxels,
                   double *features)
{
    const index_t side = levels + 1, reach = longest + 2;
    cell_t *cells = malloc(sizeof *cells * (size_t)(side * reach));
    int used = 0;

    memset(features, 0, sizeof *features * SIZE_FEATURES);
    if (!cells)
        return -1;
    for (int d = 0; d < DIRECTIONS; d++) {
        double f[SIZE_FEATURES];
        index_t count = 0;
        if (!lined[d])
            continue;
        for (index_t i = 1; i <= levels; i++) {
            const uint32_t *numbered = positions + (d * side + i) * reach;
            for (index_t r = 1; r <= longest && numbered[r]; r++)
                if (numbered[r] > numbered[r + 1])
                    cells[count++] = (cell_t){(uint32_t)i, (uint32_t)r, (double)(numbered[r] - numbered[r + 1])};
        }
        if (size_features(cells, count, voxels, f)) {
            free(cells);
            return -1;
        }
        for (int k = 0; k < SIZE_FEATURES; k++)
            features[k] += f[k];
        used++;
    }
    for (int k = 0; k < SIZE_FEATURES; k++)
        features[k] /= used;
    free(cells);
    return 0;
}

/* Size zone features of the zones that `zones` found. */
int glszm_features(const uint32_t *zone_levels, const uint32_t *zone_sizes, index_t zone_count, index_t levels,
                   double voxels, double *features)
{
    index_t tabled = 1;
    for (index_t k = 0; k < zone_count; k++)
        if (zone_sizes[k] < MOST_TABLED && zone_sizes[k] >= tabled)
            tabled = (index_t)zone_sizes[k] + 1;
    uint32_t *table = calloc((size_t)((levels + 1) * tabled), sizeof *table);
    cell_t *cells = malloc(sizeof *cells * (size_t)(zone_count + 1));
    index_t count = 0;
    int failed = -1;

    if (table && cells) {
        for (index_t k = 0; k < zone_count; k++) {
            index_t same = 0;
            if (zone_sizes[k] < tabled) {
                table[(index_t)zone_levels[k] * tabled + zone_sizes[k]]++;
                continue;
            }
            while (same < count && (cells[same].level != zone_levels[k] || cells[same].size != zone_sizes[k]))
                same++;
            if (same == count)
                cells[count++] = (cell_t){zone_levels[k], zone_sizes[k], 0.0};
            cells[same].count += 1.0;
        }
        for (index_t i = 1; i <= levels; i++)
            for (index_t j = 1; j < tabled; j++)
                if (table[i * tabled + j])
                    cells[count++] = (cell_t){(uint32_t)i, (uint32_t)j, table[i * tabled + j]};
        failed = size_features(cells, count, voxels, features);
    }
    free(table), free(cells);
    return failed;
}

/* Dependence features of the counts that `zones` made. */
int gldm_features(const int64_t *counts, index_t levels, double voxels, double *features)
{
    cell_t *cells = malloc(sizeof *cells * (size_t)((levels + 1) * 28));
    index_t count = 0;

    if (!cells)
        return -1;
    for (index_t i = 1; i <= levels; i++)
        for (index_t j = 1; j < 28; j++)
            if (counts[i * 28 + j])
                cells[count++] = (cell_t){(uint32_t)i, (uint32_t)j, (double)counts[i * 28 + j]};
    const int failed = size_features(cells, count, voxels, features);
    free(cells);
    return failed;
}
