/* Feature maps of co-occurrences. */
#include "cubes.h"
#include "kernels.h"
#include "textures.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The voxels of a cube that are neighbours along one direction, as places in the cube. */
typedef struct {
    int count;
    uint16_t one[MAX_PAIRS], other[MAX_PAIRS];
} couples_t;

/* The pairs of voxels of the lesion along one direction. */
typedef struct {
    int count;
    int32_t sum[MAX_PAIRS], difference[MAX_PAIRS]; /* of their levels */
    uint16_t one[MAX_PAIRS], other[MAX_PAIRS];     /* numbers of their levels within the cube */
} pairs_t;

/* 1 / (1 + d), / (1 + d / N), / (1 + d^2), / (1 + d^2 / N^2), / d^2 (0 for d = 0) for a difference d of levels. */
enum { WEIGHT_ID, WEIGHT_IDN, WEIGHT_IDM, WEIGHT_IDMN, WEIGHT_INVERSE, WEIGHTS = 8 };

/* Which counts the wanted features need. */
typedef struct {
    int pairs, singles, sums, differences;
} needs_t;

/* Counters, all zero between directions, and what is looked up. */
typedef struct {
    uint16_t *pairs;       /* by the numbers of both levels */
    uint16_t *singles;     /* by the number of a level, for both ends of a pair */
    uint16_t *sums;        /* by sum of levels */
    uint16_t *differences; /* by difference of levels */
    const double (*weights)[WEIGHTS];
    const bits_t *bits;
    needs_t needs;
} tallies_t;

/* What counting the pairs along one direction gave. */
typedef struct {
    int64_t pair_bits, single_bits, sum_bits, difference_bits;
    int64_t squares;     /* twice the sum of the squared cells of the symmetric matrix */
    int most;            /* its greatest cell */
    int cells;           /* of it that are not empty */
    int alike;           /* pairs of the same level */
    int levels, sums, differences; /* how many kinds of each there are */
    int independent;     /* whether every cell is the product of its margins */
} census_t;

/* Count kinds of `value`: the times log2 times of each kind grow by what one more adds. */
static INLINE int counted(uint16_t *counter, const bits_t *bits, int64_t *sum)
{
    const int times = ++*counter;
    *sum += bits->step[times];
    return times;
}

static INLINE void count_cells(const pairs_t *p, int kinds, const tallies_t *t, census_t *c)
{
    const int n = p->count;
    int32_t at[MAX_PAIRS];

    for (int k = 0; k < n; k++) {
        const int low = p->one[k] < p->other[k] ? p->one[k] : p->other[k];
        at[k] = low * kinds + p->one[k] + p->other[k] - low;
    }
    for (int k = 0; k < n; k++) {
        const int alike = p->one[k] == p->other[k], times = counted(t->pairs + at[k], t->bits, &c->pair_bits);
        const int cell = alike ? 2 * times : times;
        c->cells += times == 1 ? 2 - alike : 0;
        c->squares += (int64_t)(2 * times - 1) * (1 + alike);
        c->most = cell > c->most ? cell : c->most;
        c->alike += alike;
    }
    for (int k = 0; k < n; k++) {
        t->singles[p->one[k]]++;
        t->singles[p->other[k]]++;
    }
    for (int i = 0; i < kinds; i++) {
        c->single_bits += t->bits->whole[t->singles[i]];
        c->levels += t->singles[i] > 0;
    }
    /* only a full matrix can be the product of its margins */
    c->independent = c->cells == c->levels * c->levels;
    for (int k = 0; k < n && c->independent; k++) {
        const int cell = t->pairs[at[k]] * (p->one[k] == p->other[k] ? 2 : 1);
        c->independent = cell * 2 * n == t->singles[p->one[k]] * t->singles[p->other[k]];
    }
    for (int k = 0; k < n; k++)
        t->pairs[at[k]] = 0;
    memset(t->singles, 0, sizeof *t->singles * (size_t)kinds);
}

/* Count whole numbers; the counters are zero again at the end. */
static INLINE int count_kinds(const int32_t *number, int n, uint16_t *counters, const bits_t *bits, int64_t *sum)
{
    int kinds = 0;
    for (int k = 0; k < n; k++)
        kinds += counted(counters + number[k], bits, sum) == 1;
    for (int k = 0; k < n; k++)
        counters[number[k]] = 0;
    return kinds;
}

/* Entropy of counts that add up to `whole`, from the sum of their times log2 times. */
static INLINE double entropy_of(int64_t counted_bits, int whole, int kinds, const bits_t *bits)
{
    return (double)(bits->whole[whole] - counted_bits) * (1.0 / BITS_UNIT) / whole - kinds * EPSILON_BITS;
}

/*
 * Add the features of the pairs along one direction (at least one), of `kinds` levels in the cube.
 *
 * With s = i + j and d = |i - j|, sums over pairs give mean, variance and covariance of the symmetric matrix in whole
 * numbers: ij = (s^2 - d^2) / 4, i^2 + j^2 = (s^2 + d^2) / 2. Its entropy follows from that of the unordered pairs.
 *
 * The two measures of information need the marginal distribution alone, since the levels of the symmetric matrix share
 * it: HXY1 = HXY2 = 2 HX. Where the levels are independent, which whole numbers decide, both are 0: PyRadiomics' sums
 * leave a difference of about 1e-16 there, of either sign.
 *
 * Definitions: see `glcm_features`.
 */
static INLINE void add_direction(const pairs_t *p, int kinds, const tallies_t *t, double *f)
{
    const int n = p->count;
    const double pairs = n, total = pairs * pairs;
    int64_t s1 = 0, s2 = 0, d1 = 0, d2 = 0;
    double third = 0.0, fourth = 0.0, weight[WEIGHTS] = {0.0};
    census_t c = {0};

    for (int k = 0; k < n; k++) {
        s1 += p->sum[k];
        d1 += p->difference[k];
        s2 += (int64_t)p->sum[k] * p->sum[k];
        d2 += (int64_t)p->difference[k] * p->difference[k];
    }
    const double middle = (double)s1 / pairs;
    for (int k = 0; k < n; k++) {
        const double w = p->sum[k] - middle, w2 = w * w;
        third += w2 * w;
        fourth += w2 * w2;
    }
    for (int k = 0; k < n; k++)
        for (int w = 0; w < WEIGHTS; w++)
            weight[w] += t->weights[p->difference[k]][w];
    const double variance = (double)(n * (s2 + d2) - s1 * s1), covariance = (double)(n * (s2 - d2) - s1 * s1);
    f[AUTOCORRELATION] += (double)(s2 - d2) / (4.0 * pairs);
    f[CLUSTER_TENDENCY] += (double)(n * s2 - s1 * s1) / total;
    f[CLUSTER_SHADE] += third / pairs;
    f[CLUSTER_PROMINENCE] += fourth / pairs;
    f[CONTRAST] += (double)d2 / pairs;
    f[CORRELATION] += variance == 0.0 ? 1.0 : covariance / (variance + 4.0 * total * EPSILON);
    f[DIFFERENCE_AVERAGE] += (double)d1 / pairs;
    f[DIFFERENCE_VARIANCE] += (double)(n * d2 - d1 * d1) / total;
    f[ID] += weight[WEIGHT_ID] / pairs;
    f[IDN] += weight[WEIGHT_IDN] / pairs;
    f[IDM] += weight[WEIGHT_IDM] / pairs;
    f[IDMN] += weight[WEIGHT_IDMN] / pairs;
    f[INVERSE_VARIANCE] += weight[WEIGHT_INVERSE] / pairs;
    f[JOINT_AVERAGE] += middle / 2.0;
    f[SUM_SQUARES] += variance / (4.0 * total);
    if (t->needs.differences) {
        c.differences = count_kinds(p->difference, n, t->differences, t->bits, &c.difference_bits);
        f[DIFFERENCE_ENTROPY] += entropy_of(c.difference_bits, n, c.differences, t->bits);
    }
    if (t->needs.sums) {
        c.sums = count_kinds(p->sum, n, t->sums, t->bits, &c.sum_bits);
        f[SUM_ENTROPY] += entropy_of(c.sum_bits, n, c.sums, t->bits);
    }
    if (!t->needs.pairs)
        return;
    count_cells(p, kinds, t, &c);
    /* a pair of unlike levels stands in two cells: one bit more for each of these pairs */
    const double joint = entropy_of(c.pair_bits - (int64_t)(n - c.alike) * BITS_UNIT, n, c.cells, t->bits);
    f[JOINT_ENTROPY] += joint;
    f[JOINT_ENERGY] += (double)c.squares / (2.0 * total);
    f[MAXIMUM_PROBABILITY] += c.most / (2.0 * pairs);
    if (!c.independent) {
        const double marginal = entropy_of(c.single_bits, 2 * n, 0, t->bits);
        const double information = 2.0 * marginal - c.levels * c.levels * EPSILON_BITS - joint;
        f[IMC1] += (joint - 2.0 * marginal) / (marginal - c.levels * EPSILON_BITS);
        if (t->needs.singles)
            f[IMC2] += information > 0.0 ? sqrt(1.0 - exp(-2.0 * information)) : 0.0;
    }
}

/* Places in a cube, of (2 radius + 1)^3 voxels, whose neighbour before them in direction `d` lies in it too. */
static void couples_along(int d, int radius, couples_t *couples)
{
    const int side = 2 * radius + 1, step = (STEP[d][0] * side + STEP[d][1]) * side + STEP[d][2];
    couples->count = 0;
    for (int z = 0; z < side; z++)
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++) {
                const int to[3] = {z + STEP[d][0], y + STEP[d][1], x + STEP[d][2]};
                if (to[0] < 0 || to[1] < 0 || to[2] < 0 || to[0] >= side || to[1] >= side || to[2] >= side)
                    continue;
                const int at = (z * side + y) * side + x;
                couples->one[couples->count] = (uint16_t)at;
                couples->other[couples->count++] = (uint16_t)(at + step);
            }
}

/* A cube around a voxel. */
typedef struct {
    int voxels, kinds, whole;   /* how many of the lesion, how many levels, whether all are of the lesion */
    uint16_t level[MAX_CUBE];   /* 0 outside of the lesion */
    uint16_t number[MAX_CUBE];  /* of the level among those of the cube, from 0 */
    uint16_t of_number[MAX_CUBE];
} cube_t;

/* `number_of` is zero for every level before and after. */
static INLINE void number_levels(const uint16_t *levels, const index_t *places, int voxels, uint16_t *number_of,
                                 cube_t *cube)
{
    cube->kinds = 0;
    cube->whole = 1;
    for (int k = 0; k < voxels; k++) {
        const uint16_t level = levels[places[k]];
        cube->level[k] = level;
        if (!level) {
            cube->whole = 0;
            continue;
        }
        if (!number_of[level]) {
            cube->of_number[cube->kinds++] = level;
            number_of[level] = (uint16_t)cube->kinds;
        }
        cube->number[k] = (uint16_t)(number_of[level] - 1);
    }
    for (int i = 0; i < cube->kinds; i++)
        number_of[cube->of_number[i]] = 0;
}

static INLINE void pairs_along(const couples_t *couples, const cube_t *cube, pairs_t *pairs)
{
    int n = 0;
    for (int k = 0; k < couples->count; k++) {
        const int one = couples->one[k], other = couples->other[k];
        const int a = cube->level[one], b = cube->level[other];
        pairs->sum[n] = a + b;
        pairs->difference[n] = a < b ? b - a : a - b;
        pairs->one[n] = cube->number[one];
        pairs->other[n] = cube->number[other];
        /* written all the same where one lies outside, and then overwritten */
        n += (a != 0) & (b != 0);
    }
    pairs->count = n;
}

/*
 * Co-occurrence features in a cube of (2 radius + 1)^3 voxels around the voxels `first` to `stop` of a lesion, averaged
 * over the directions that hold a pair; NaN if none does.
 *
 * Arguments as for `intensity_maps`; `wanted` of the GLCM_FEATURES.
 * directions  for each voxel: gets a bit for each direction that holds a pair.
 *
 * Entropies grow with each count: n log2 n of small whole numbers in a table of whole numbers adds up without rounding.
 */
HOT int cooccurrence_maps(const uint16_t *levels, index_t rows, index_t columns, const index_t *centres,
                          index_t first, index_t stop, int radius, index_t level_count, const uint8_t *wanted,
                          double *features, index_t apart, uint16_t *directions)
{
    const size_t side = (size_t)level_count + 1;
    const int voxels = (2 * radius + 1) * (2 * radius + 1) * (2 * radius + 1);
    uint16_t *memory = calloc((size_t)(voxels * voxels + voxels) + 4 * side, sizeof *memory);
    double(*weights)[WEIGHTS] = calloc(side, sizeof *weights);
    couples_t *couples = malloc(DIRECTIONS * sizeof *couples);
    bits_t *bits = malloc(sizeof *bits);
    int failed = memory && weights && couples && bits ? 0 : -1;
    index_t places[MAX_CUBE];
    cube_t cube = {0};
    pairs_t pairs;

    if (!failed) {
        uint16_t *singles = memory + voxels * voxels, *sums = singles + voxels, *differences = sums + 2 * side;
        uint16_t *number_of = differences + side;
        const int margins = wanted[IMC1] || wanted[IMC2];
        const tallies_t tallies = {
            memory, singles, sums, differences, (const double(*)[WEIGHTS])weights, bits,
            {margins || wanted[JOINT_ENERGY] || wanted[JOINT_ENTROPY] || wanted[MAXIMUM_PROBABILITY], wanted[IMC2],
             wanted[SUM_ENTROPY], wanted[DIFFERENCE_ENTROPY]}};
        fill_bits(bits);
        for (size_t d = 0; d < side; d++) {
            const double x = (double)d, scale = (double)level_count;
            weights[d][WEIGHT_ID] = 1.0 / (1.0 + x);
            weights[d][WEIGHT_IDN] = 1.0 / (1.0 + x / scale);
            weights[d][WEIGHT_IDM] = 1.0 / (1.0 + x * x);
            weights[d][WEIGHT_IDMN] = 1.0 / (1.0 + x * x / (scale * scale));
            weights[d][WEIGHT_INVERSE] = d ? 1.0 / (x * x) : 0.0;
        }
        for (int d = 0; d < DIRECTIONS; d++)
            couples_along(d, radius, couples + d);
        for (index_t v = first; v < stop; v++) {
            double f[GLCM_FEATURES] = {0.0};
            int used = 0;
            places_of(centres[v], radius, rows, columns, places);
            number_levels(levels, places, voxels, number_of, &cube);
            directions[v] = 0;
            for (int d = 0; d < DIRECTIONS; d++) {
                pairs_along(couples + d, &cube, &pairs);
                if (!pairs.count)
                    continue;
                add_direction(&pairs, cube.kinds, &tallies, f);
                directions[v] = (uint16_t)(directions[v] | 1 << d);
                used++;
            }
            for (int k = 0; k < GLCM_FEATURES; k++)
                f[k] /= used;
            keep_wanted(f, GLCM_FEATURES, wanted, features + v, apart);
        }
    }
    free(memory), free(weights), free(couples), free(bits);
    return failed;
}
