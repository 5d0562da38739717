/* Feature maps of intensities, runs, zones and dependences. */
#include "cubes.h"
#include "kernels.h"
#include "textures.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

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

/* The features that need the values in their order; these come out in ascending order. */
static INLINE void ordered_features_of(double *values, int count, double *f)
{
    double inner = 0.0, robust = 0.0;
    int inside = 0;

    for (int i = 1; i < count; i++) {
        const double value = values[i];
        int k = i;
        for (; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1];
        values[k] = value;
    }
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
    f[INTERQUARTILE_RANGE] = quantile(values, count, 0.75) - quantile(values, count, 0.25);
    f[MEDIAN] = (values[(count - 1) / 2] + values[count / 2]) / 2.0;
    f[ROBUST_MEAN_ABSOLUTE_DEVIATION] = robust / inside;
}

/* The others, of `count` values (at least one). */
static INLINE void moments_of(const double *values, int count, double shift, double *f)
{
    double sum = 0.0, energy = 0.0, m2 = 0.0, m3 = 0.0, m4 = 0.0, mad = 0.0, least = values[0], most = values[0];

    for (int i = 0; i < count; i++) {
        sum += values[i];
        energy += (values[i] + shift) * (values[i] + shift);
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
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
    f[ENERGY] = energy;
    f[KURTOSIS] = m2 == 0.0 ? 0.0 : m4 / (m2 * m2);
    f[MAXIMUM] = most;
    f[MEAN] = mean;
    f[MEAN_ABSOLUTE_DEVIATION] = mad / count;
    f[MINIMUM] = least;
    f[RANGE] = most - least;
    f[ROOT_MEAN_SQUARED] = sqrt(energy / count);
    f[SKEWNESS] = m2 == 0.0 ? 0.0 : m3 / (m2 * sqrt(m2));
    f[VARIANCE] = m2;
}

/*
 * First-order features in a cube of (2 radius + 1)^3 voxels around the voxels `first` to `stop` of a lesion.
 *
 * levels, values  volumes (.., rows, columns) with a border of `radius` voxels; level 0 is outside of the lesion.
 * centres         flat indices of all voxels, none of them in the border.
 * wanted          1 for each of the FIRSTORDER_MAPS that is asked for.
 * features        (wanted features, apart): a row for each of them, of which the columns `first` to `stop` are written.
 */
int intensity_maps(const uint16_t *levels, const double *values, index_t rows, index_t columns,
                   const index_t *centres, index_t first, index_t stop, int radius, index_t level_count, double shift,
                   const uint8_t *wanted, double *features, index_t apart)
{
    const int voxels = (2 * radius + 1) * (2 * radius + 1) * (2 * radius + 1);
    const int ordered = wanted[P10] || wanted[P90] || wanted[INTERQUARTILE_RANGE] || wanted[MEDIAN] ||
                        wanted[ROBUST_MEAN_ABSOLUTE_DEVIATION];
    double log2_of[MAX_CUBE + 1], inside[MAX_CUBE];
    index_t places[MAX_CUBE];
    uint16_t *times = calloc((size_t)(level_count + 1), sizeof *times), seen[MAX_CUBE];

    if (!times)
        return -1;
    for (int i = 1; i <= MAX_CUBE; i++)
        log2_of[i] = log2(i);
    for (index_t v = first; v < stop; v++) {
        double f[FIRSTORDER_MAPS] = {0.0}, entropy = 0.0, uniformity = 0.0;
        int n = 0;
        places_of(centres[v], radius, rows, columns, places);
        for (int k = 0; k < voxels; k++) {
            /* written all the same where one lies outside, and then overwritten */
            seen[n] = levels[places[k]];
            inside[n] = values[places[k]];
            n += seen[n] != 0;
        }
        for (int i = 0; i < n; i++)
            times[seen[i]]++;
        for (int i = 0; i < n; i++) {
            const int c = times[seen[i]];
            if (!c)
                continue;
            entropy += surprise_of(c, n, log2_of);
            uniformity += (double)c / n * ((double)c / n);
            times[seen[i]] = 0;
        }
        if (ordered)
            ordered_features_of(inside, n, f);
        moments_of(inside, n, shift, f);
        f[ENTROPY] = entropy;
        f[UNIFORMITY] = uniformity;
        keep_wanted(f, FIRSTORDER_MAPS, wanted, features + v, apart);
    }
    free(times);
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
 * Run length, size zone or dependence features (`kind`) in a cube around the voxels `first` to `stop` of a lesion. Those
 * of runs are averaged over the directions with a line that holds two voxels; NaN if none does.
 *
 * Arguments as for `intensity_maps`; `wanted` of the SIZE_FEATURES.
 */
int thing_maps(const uint16_t *levels, index_t rows, index_t columns, const index_t *centres, index_t first,
               index_t stop, int radius, index_t level_count, int kind, const uint8_t *wanted, double *features,
               index_t apart)
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

    for (index_t v = first; v < stop; v++) {
        double f[SIZE_FEATURES] = {0.0};
        int voxels = 0, used = 0;
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
            keep_wanted(f, SIZE_FEATURES, wanted, features + v, apart);
            continue;
        }
        for (int d = 0; d < DIRECTIONS; d++) {
            const int n = runs_of(cube, lines + d, cells, things);
            if (n)
                things_of(things, n, voxels, &census, f), used++;
        }
        for (int k = 0; k < SIZE_FEATURES; k++)
            f[k] /= used;
        keep_wanted(f, SIZE_FEATURES, wanted, features + v, apart);
    }
    free(counters), free(inverse_square), free(lines);
    return 0;
}
