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

/* -p log2(p + EPSILON) for p = part / whole, from logarithms of whole numbers. */
static double surprise_of(int part, int whole, const double *log2_of)
{
    return (double)part / whole * (log2_of[whole] - log2_of[part]) - EPSILON_BITS;
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

/*
 * Add the features of `n` pairs of levels (lower, higher) in one direction, and leave the tallies zero.
 *
 * The two measures of information need the marginal distribution alone, since the levels of the symmetric matrix share
 * it: HXY1 = HXY2 = 2 HX. Where the levels are independent, which whole numbers decide, both are 0: PyRadiomics' sums
 * leave a difference of about 1e-16 there, of either sign.
 */
static void pairs_of(const uint16_t (*pair)[2], int n, index_t level_count, const tallies_t *t, const double *log2_of,
                     double *f)
{
    const index_t side = level_count + 1;
    const double levels = (double)level_count, ends = 2.0 * n;
    double sum = 0.0, mean, variance = 0.0, covariance = 0.0, average = 0.0, largest = 0.0;
    double joint = 0.0, marginal = 0.0;
    int filled = 0, kinds = 0, independent = 1;

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
            joint += cells * surprise_of(halves, 2 * n, log2_of);
            filled += cells;
            independent &= halves * 2 * n == t->singles[a] * t->singles[b];
            f[JOINT_ENERGY] += cells * p * p;
            largest = p > largest ? p : largest;
            covariance += cells * p * (a - mean) * (b - mean);
            *c = 0;
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
    for (int k = 0; k < n; k++)
        for (int end = 0; end < 2; end++) {
            const uint16_t level = pair[k][end];
            const int c = t->singles[level];
            if (!c)
                continue;
            variance += c / ends * (level - mean) * (level - mean);
            marginal += c / ends * (log2_of[2 * n] - log2_of[c]);
            kinds++;
            t->singles[level] = 0;
        }
    f[JOINT_ENTROPY] += joint;
    f[JOINT_AVERAGE] += mean;
    f[DIFFERENCE_AVERAGE] += average;
    f[MAXIMUM_PROBABILITY] += largest;
    f[SUM_SQUARES] += variance;
    f[CORRELATION] += variance == 0.0 ? 1.0 : covariance / (variance + EPSILON);
    if (!independent || filled != kinds * kinds) {
        const double information = 2.0 * marginal - kinds * kinds * EPSILON_BITS - joint;
        f[IMC1] += (joint - 2.0 * marginal) / (marginal - kinds * EPSILON_BITS);
        f[IMC2] += information > 0.0 ? sqrt(1.0 - exp(-2.0 * information)) : 0.0;
    }
}

/*
 * Co-occurrence features in a cube around each of `count` voxels of a lesion, averaged over the directions that hold a
 * pair; NaN if none does.
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

/* A run, a zone or a voxel: its grey level, and its length, its volume or its dependence. */
typedef struct {
    uint16_t level, size;
} thing_t;

/* Counters, all zero between cubes, and numbers looked up. */
typedef struct {
    uint16_t *cells;    /* by level * reach + size */
    uint16_t *by_level;
    uint16_t *by_size;
    const double *log2_of;
    const double *inverse_square;
    index_t reach;      /* more than any size */
} census_t;

/*
 * Add the features of `n` things (at least one) in a cube that holds `voxels` voxels, and leave the counters zero.
 *
 * The definitions are those of `size_features`.
 */
static void things_of(const thing_t *things, int n, int voxels, const census_t *c, double *f)
{
    const double total = n;
    double g[SIZE_FEATURES] = {0}, mean_level = 0.0, mean_size = 0.0;

    for (int k = 0; k < n; k++) {
        const thing_t at = things[k];
        c->cells[at.level * c->reach + at.size]++;
        c->by_level[at.level]++;
        c->by_size[at.size]++;
        mean_level += at.level;
        mean_size += at.size;
    }
    mean_level /= total, mean_size /= total;
    for (int k = 0; k < n; k++) {
        const thing_t at = things[k];
        const double i = at.level, j = at.size, i2 = i * i, j2 = j * j;
        const double low = c->inverse_square[at.level], small = c->inverse_square[at.size];
        g[SMALL] += small;
        g[LARGE] += j2;
        g[LOW_LEVEL] += low;
        g[HIGH_LEVEL] += i2;
        g[SMALL_LOW] += small * low;
        g[SMALL_HIGH] += small * i2;
        g[LARGE_LOW] += j2 * low;
        g[LARGE_HIGH] += j2 * i2;
        g[LEVEL_VARIANCE] += (i - mean_level) * (i - mean_level);
        g[SIZE_VARIANCE] += (j - mean_size) * (j - mean_size);
        uint16_t *count = c->cells + at.level * c->reach + at.size;
        if (*count)
            f[SIZE_ENTROPY] += surprise_of(*count, n, c->log2_of);
        *count = 0;
        /* zero from the second thing of a level or size on */
        g[LEVEL_NONUNIFORMITY] += (double)c->by_level[at.level] * c->by_level[at.level];
        g[SIZE_NONUNIFORMITY] += (double)c->by_size[at.size] * c->by_size[at.size];
        c->by_level[at.level] = c->by_size[at.size] = 0;
    }
    g[LEVEL_NONUNIFORMITY_NORMALISED] = g[LEVEL_NONUNIFORMITY] / total;
    g[SIZE_NONUNIFORMITY_NORMALISED] = g[SIZE_NONUNIFORMITY] / total;
    g[PERCENTAGE] = total * total / voxels;
    for (int k = 0; k < SIZE_FEATURES; k++)
        f[k] += g[k] / total;
}

/* A cube with a border of level 0 one voxel wide. */
enum { MAX_SIDE = 2 * MAX_RADIUS + 3, MAX_BORDERED = MAX_SIDE * MAX_SIDE * MAX_SIDE };

/* The voxels of a cube line by line along one direction, and which of them begin a line. */
typedef struct {
    uint16_t at[MAX_CUBE];
    uint8_t begins[MAX_CUBE];
} lines_t;

/* Whether index `i` of a bordered cube lies in its border. */
static int in_border(int i, int side)
{
    const int z = i / (side * side), y = i / side % side, x = i % side;
    return z == 0 || y == 0 || x == 0 || z == side - 1 || y == side - 1 || x == side - 1;
}

static void lines_along(int step, int side, lines_t *lines)
{
    int n = 0;
    for (int i = 0; i < side * side * side; i++) {
        if (in_border(i, side) || !in_border(i - step, side))
            continue;
        for (int k = i; !in_border(k, side); k += step) {
            lines->begins[n] = k == i;
            lines->at[n++] = (uint16_t)k;
        }
    }
}

/*
 * Runs along one direction; none where no line holds two voxels of the lesion, whether or not they touch: PyRadiomics
 * leaves such a direction out.
 */
static int runs_of(const uint16_t *cube, const lines_t *lines, int cells, thing_t *runs)
{
    int n = 0, on_line = 0, lined = 0;
    uint16_t before = 0;

    for (int k = 0; k < cells; k++) {
        const uint16_t level = cube[lines->at[k]];
        if (lines->begins[k])
            before = 0, on_line = 0;
        if (level) {
            lined |= on_line++;
            if (level == before)
                runs[n - 1].size++;
            else
                runs[n++] = (thing_t){level, 1};
        }
        before = level;
    }
    return lined ? n : 0;
}

/* Zones of equal level, found by flooding; `cube` is spent. */
static int zones_of(uint16_t *cube, const uint16_t *inner, int cells, const int *steps, thing_t *zones)
{
    uint16_t open[MAX_CUBE];
    int n = 0;

    for (int k = 0; k < cells; k++) {
        const uint16_t level = cube[inner[k]];
        int waiting = 0;
        uint16_t size = 0;
        if (!level)
            continue;
        open[waiting++] = inner[k];
        cube[inner[k]] = 0;
        while (waiting) {
            const int at = open[--waiting];
            size++;
            for (int d = 0; d < 2 * DIRECTIONS; d++) {
                const int next = at + (d < DIRECTIONS ? steps[d] : -steps[d - DIRECTIONS]);
                if (cube[next] == level) {
                    cube[next] = 0;
                    open[waiting++] = (uint16_t)next;
                }
            }
        }
        zones[n++] = (thing_t){level, size};
    }
    return n;
}

/* Every voxel with one more than the number of its neighbours of the same level. */
static int dependences_of(const uint16_t *cube, const uint16_t *inner, int cells, const int *steps, thing_t *voxels)
{
    int n = 0;

    for (int k = 0; k < cells; k++) {
        const int at = inner[k];
        const uint16_t level = cube[at];
        uint16_t alike = 1;
        if (!level)
            continue;
        for (int d = 0; d < DIRECTIONS; d++)
            alike = (uint16_t)(alike + (cube[at + steps[d]] == level) + (cube[at - steps[d]] == level));
        voxels[n++] = (thing_t){level, alike};
    }
    return n;
}

/* The three kinds of things in the order of SIZE_MAPS in native.py. */
enum { RUNS, ZONES, DEPENDENCES };

/*
 * Run length, size zone or dependence features (`kind`) in a cube around each of `count` voxels of a lesion. Those of
 * runs are averaged over the directions with a line that holds two voxels; NaN if none does.
 *
 * Arguments as for `firstorder_maps`; features  (count, SIZE_FEATURES)
 */
int size_maps(const uint16_t *levels, index_t rows, index_t columns, const index_t *centres, index_t count,
              int radius, index_t level_count, int kind, double *features)
{
    const int side = 2 * radius + 3, reach = MAX_CUBE + 1;
    const size_t level_side = (size_t)level_count + 1, numbers = level_side > MAX_CUBE ? level_side : MAX_CUBE + 1;
    double log2_of[MAX_CUBE + 1];
    uint16_t cube[MAX_BORDERED] = {0}, inner[MAX_CUBE];
    thing_t things[MAX_CUBE];
    int steps[DIRECTIONS], cells = 0;
    uint16_t *counters = calloc(level_side * reach + level_side + reach, sizeof *counters);
    double *inverse_square = malloc(numbers * sizeof *inverse_square);
    lines_t *lines = malloc(DIRECTIONS * sizeof *lines);

    if (!counters || !inverse_square || !lines) {
        free(counters), free(inverse_square), free(lines);
        return -1;
    }
    for (int i = 1; i <= MAX_CUBE; i++)
        log2_of[i] = log2(i);
    inverse_square[0] = 0.0;
    for (size_t i = 1; i < numbers; i++)
        inverse_square[i] = 1.0 / ((double)i * (double)i);
    for (int i = 0; i < side * side * side; i++)
        if (!in_border(i, side))
            inner[cells++] = (uint16_t)i;
    for (int d = 0; d < DIRECTIONS; d++) {
        steps[d] = (STEP[d][0] * side + STEP[d][1]) * side + STEP[d][2];
        lines_along(steps[d], side, lines + d);
    }
    const census_t census = {counters,       counters + level_side * reach,
                             counters + level_side * reach + level_side, log2_of, inverse_square, reach};

    for (index_t v = 0; v < count; v++) {
        double *f = features + v * SIZE_FEATURES;
        int voxels = 0, used = 0;
        memset(f, 0, sizeof *f * SIZE_FEATURES);
        for (index_t z = -radius, k = 0; z <= radius; z++)
            for (index_t y = -radius; y <= radius; y++)
                for (index_t x = -radius; x <= radius; x++, k++) {
                    const uint16_t level = levels[centres[v] + (z * rows + y) * columns + x];
                    cube[inner[k]] = level;
                    voxels += level > 0;
                }
        if (kind != RUNS) {
            const int n = kind == ZONES ? zones_of(cube, inner, cells, steps, things)
                                        : dependences_of(cube, inner, cells, steps, things);
            things_of(things, n, voxels, &census, f);
            continue;
        }
        for (int d = 0; d < DIRECTIONS; d++) {
            const int n = runs_of(cube, lines + d, cells, things);
            if (n)
                things_of(things, n, voxels, &census, f), used++;
        }
        for (int k = 0; k < SIZE_FEATURES; k++)
            f[k] /= used;
    }
    free(counters), free(inverse_square), free(lines);
    return 0;
}
