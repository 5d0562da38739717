/*
 * The numerical kernels of the fast feature engine, called through ctypes by native.py.
 *
 * They give the numbers that PyRadiomics 3.1, ITK 5 and PyWavelets 1 give, to the last bit wherever a later step cuts
 * (truncation to whole HU, grey levels) and to about 1e-12 elsewhere. For that to hold, floating-point operations must
 * stay as they are written: compile with -ffp-contract=off and never with -ffast-math.
 *
 * Rules of this file: no state outlives a call; every length comes in as an argument and bounds every access; memory
 * that a call allocates it frees; a function that can run out of memory returns -1 then, and 0 or a count otherwise.
 * Volumes are C-ordered (slices, rows, columns).
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* numpy.spacing(1), which PyRadiomics adds to a probability before it takes the logarithm */
#define EPSILON 2.220446049250313e-16

typedef int64_t index_t;

/*
 * Where the loader can choose, the hot loops are compiled for AVX2 as well. Wider registers change no digit: each lane
 * does the operations of the scalar code, and there is no fused multiply-add in either.
 */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && !defined(ONE_TARGET)
#define HOT __attribute__((target_clones("avx2", "default")))
#else
#define HOT
#endif

/* ---------------------------------------------------------------------------------------------------------------- */
/* Cubic B-spline interpolation                                                                                     */
/* ---------------------------------------------------------------------------------------------------------------- */

/* Lines that are filtered side by side, so that the compiler can use vector registers. */
enum { SPLINE_LINES = 64, SPLINE_TILE = 16 };

/*
 * Turn samples into B-spline coefficients along one axis, for `lines` neighbouring lines at once.
 *
 *   c+(k) = 6 s(k) + z c+(k-1),   c(k) = z (c(k+1) - c+(k)),   z = sqrt(3) - 2, mirror boundaries
 *
 * Source: Unser 1999, "Splines: a perfect fit for signal and image processing", box 2; same order of operations and
 * same horizon (1e-10) as itk::BSplineDecompositionImageFilter.
 */
HOT static void spline_filter(double *c, index_t count, index_t lines, index_t step)
{
    const double z = sqrt(3.0) - 2.0;
    const double gain = (1.0 - z) * (1.0 - 1.0 / z);
    const index_t horizon = (index_t)ceil(log(1e-10) / log(fabs(z)));

    if (count == 1)
        return;
    for (index_t k = 0; k < count; k++)
        for (index_t x = 0; x < lines; x++)
            c[k * step + x] *= gain;

    if (horizon < count) {
        double power = z;
        for (index_t k = 1; k < horizon; k++, power *= z)
            for (index_t x = 0; x < lines; x++)
                c[x] += power * c[k * step + x];
    } else {
        double power = z;
        double mirrored = pow(z, (double)(count - 1));
        for (index_t x = 0; x < lines; x++)
            c[x] += mirrored * c[(count - 1) * step + x];
        mirrored *= mirrored * (1.0 / z);
        for (index_t k = 1; k < count - 1; k++, power *= z, mirrored *= 1.0 / z)
            for (index_t x = 0; x < lines; x++)
                c[x] += (power + mirrored) * c[k * step + x];
        for (index_t x = 0; x < lines; x++)
            c[x] /= 1.0 - power * power;
    }
    for (index_t k = 1; k < count; k++)
        for (index_t x = 0; x < lines; x++)
            c[k * step + x] += z * c[(k - 1) * step + x];

    const double last = z / (z * z - 1.0);
    for (index_t x = 0; x < lines; x++)
        c[(count - 1) * step + x] = last * (z * c[(count - 2) * step + x] + c[(count - 1) * step + x]);
    for (index_t k = count - 2; k >= 0; k--)
        for (index_t x = 0; x < lines; x++)
            c[k * step + x] = z * (c[(k + 1) * step + x] - c[k * step + x]);
}

static index_t at_most(index_t value, index_t limit)
{
    return value < limit ? value : limit;
}

/*
 * Samples to B-spline coefficients in place, along columns, then rows, then slices, as ITK does.
 *
 * Only the coefficients within `used` are wanted: first row, one past the last row, first column, one past the last.
 * What lies around them is filtered as far as they depend on it.
 */
int spline_coefficients(double *volume, index_t slices, index_t rows, index_t columns, const index_t *used)
{
    const index_t plane = rows * columns;
    double *tile = malloc(sizeof *tile * (size_t)(columns * SPLINE_TILE));

    if (!tile)
        return -1;
    for (index_t slice = 0; slice < slices; slice++) {
        double *p = volume + slice * plane;
        for (index_t first = 0; first < rows; first += SPLINE_TILE) {
            const index_t lines = at_most(rows - first, SPLINE_TILE);
            for (index_t x = 0; x < columns; x++)
                for (index_t y = 0; y < lines; y++)
                    tile[x * SPLINE_TILE + y] = p[(first + y) * columns + x];
            spline_filter(tile, columns, lines, SPLINE_TILE);
            for (index_t y = 0; y < lines; y++)
                for (index_t x = 0; x < columns; x++)
                    p[(first + y) * columns + x] = tile[x * SPLINE_TILE + y];
        }
        for (index_t x = used[2]; x < used[3]; x += SPLINE_LINES)
            spline_filter(p + x, rows, at_most(used[3] - x, SPLINE_LINES), columns);
    }
    for (index_t y = used[0]; y < used[1]; y++)
        for (index_t x = used[2]; x < used[3]; x += SPLINE_LINES)
            spline_filter(volume + y * columns + x, slices, at_most(used[3] - x, SPLINE_LINES), plane);
    free(tile);
    return 0;
}

/* The four coefficients around a position and their weights. */
typedef struct {
    index_t index[4];
    double weight[4];
} support_t;

/*
 * Where a sample at `position` takes its coefficients from: indices mirrored at the borders, cubic B-spline weights.
 *
 * `position` counts in the whole volume, of which the coefficients are the part that begins at `origin`.
 *
 * Source: itk::BSplineInterpolateImageFunction (SetInterpolationWeights, DetermineRegionOfSupport with its rounding to
 * single precision, ApplyMirrorBoundaryConditions).
 */
static support_t support_at(double position, index_t origin, index_t count)
{
    support_t found;
    const double base = floor((double)(float)position), w = position - base;

    found.weight[3] = (1.0 / 6.0) * w * w * w;
    found.weight[0] = (1.0 / 6.0) + 0.5 * w * (w - 1.0) - found.weight[3];
    found.weight[2] = w + found.weight[0] - 2.0 * found.weight[3];
    found.weight[1] = 1.0 - found.weight[0] - found.weight[2] - found.weight[3];
    for (int k = 0; k < 4; k++) {
        index_t index = (index_t)base - origin - 1 + k;
        if (index < 0)
            index = -index;
        else if (index >= count)
            index = 2 * (count - 1) - index;
        /* one reflection is enough inside the volume; outside of it ITK does not interpolate, and neither do we */
        found.index[k] = index < 0 ? 0 : index >= count ? count - 1 : index;
    }
    return found;
}

/* One sample in ITK's order of operations: 64 products, columns fastest, the weight multiplied up first. */
static double spline_at(const double *c, index_t rows, index_t columns, const support_t *z, const support_t *y,
                        const support_t *x)
{
    double sum = 0.0;
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++)
            for (int i = 0; i < 4; i++)
                sum += x->weight[i] * y->weight[j] * z->weight[k] *
                       c[(z->index[k] * rows + y->index[j]) * columns + x->index[i]];
    return sum;
}

/*
 * Evaluate the spline on a rectangular grid of positions, whose coefficients lie within `used`.
 *
 * The separable sum differs from ITK's sum in the last bits. ITK then truncates to whole HU, so where the value lies
 * within `margin` of a whole number those bits decide; these samples are computed again in ITK's order.
 *
 * Returns the number of samples that were computed again, or -1 without memory.
 */
HOT index_t spline_sample(const double *restrict c, index_t slices, index_t rows, index_t columns, const index_t *used,
                          const index_t *origin, const double *at_z, index_t out_slices, const double *at_y,
                          index_t out_rows, const double *at_x, index_t out_columns, double margin,
                          double *restrict out)
{
    const index_t plane = rows * columns;
    index_t again = 0;
    support_t *x = malloc(sizeof *x * (size_t)out_columns);
    double *slab = malloc(sizeof *slab * (size_t)plane);
    double *line = malloc(sizeof *line * (size_t)columns);

    if (!x || !slab || !line) {
        free(x), free(slab), free(line);
        return -1;
    }
    for (index_t i = 0; i < out_columns; i++)
        x[i] = support_at(at_x[i], origin[2], columns);
    for (index_t k = 0; k < out_slices; k++) {
        const support_t z = support_at(at_z[k], origin[0], slices);
        const double *z0 = c + z.index[0] * plane, *z1 = c + z.index[1] * plane;
        const double *z2 = c + z.index[2] * plane, *z3 = c + z.index[3] * plane;
        for (index_t row = used[0]; row < used[1]; row++)
            for (index_t q = row * columns + used[2]; q < row * columns + used[3]; q++)
                slab[q] = z.weight[0] * z0[q] + z.weight[1] * z1[q] + z.weight[2] * z2[q] + z.weight[3] * z3[q];
        for (index_t j = 0; j < out_rows; j++) {
            const support_t y = support_at(at_y[j], origin[1], rows);
            const double *y0 = slab + y.index[0] * columns, *y1 = slab + y.index[1] * columns;
            const double *y2 = slab + y.index[2] * columns, *y3 = slab + y.index[3] * columns;
            double *to = out + (k * out_rows + j) * out_columns;
            for (index_t q = used[2]; q < used[3]; q++)
                line[q] = y.weight[0] * y0[q] + y.weight[1] * y1[q] + y.weight[2] * y2[q] + y.weight[3] * y3[q];
            for (index_t i = 0; i < out_columns; i++) {
                const support_t *s = x + i;
                double value = s->weight[0] * line[s->index[0]] + s->weight[1] * line[s->index[1]] +
                               s->weight[2] * line[s->index[2]] + s->weight[3] * line[s->index[3]];
                if (fabs(value - rint(value)) < margin) {
                    value = spline_at(c, rows, columns, &z, &y, s);
                    again++;
                }
                to[i] = value;
            }
        }
    }
    free(x), free(slab), free(line);
    return again;
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Recursive Gaussian filter                                                                                        */
/* ---------------------------------------------------------------------------------------------------------------- */

enum { GAUSSIAN_LINES = 32 };

/* The twenty coefficients of one recursive Gaussian, in the order in which they come from Python. */
typedef struct {
    double n[4];  /* causal, on the data */
    double d[4];  /* both, on the result */
    double m[4];  /* anticausal, on the data */
    double bn[4]; /* causal, beyond the first sample */
    double bm[4]; /* anticausal, beyond the last sample */
} gaussian_t;

/*
 * Filter GAUSSIAN_LINES lines of `count` samples, sample i of line x at [i * GAUSSIAN_LINES + x]; count is at least 4.
 *
 *   out = causal + anticausal, with
 *   causal(i) = sum_k n(k) in(i-k) - sum_k d(k) causal(i-1-k),
 *   anticausal(i) = sum_k m(k) in(i+1+k) - sum_k d(k) anticausal(i+1+k), borders continued with the border value
 *
 * Source: Farneback & Westin 2006, "Improving Deriche-style recursive Gaussian filters"; order of operations of
 * itk::RecursiveSeparableImageFilter::FilterDataArray.
 */
HOT static void gaussian_lines(const double *restrict in, double *restrict out, double *restrict back, index_t count,
                           const gaussian_t *g)
{
#define AT(a, i) a[(i) * GAUSSIAN_LINES + x]
    const double n0 = g->n[0], n1 = g->n[1], n2 = g->n[2], n3 = g->n[3];
    const double d1 = g->d[0], d2 = g->d[1], d3 = g->d[2], d4 = g->d[3];
    const double m1 = g->m[0], m2 = g->m[1], m3 = g->m[2], m4 = g->m[3];
    const double *bn = g->bn, *bm = g->bm;
    const index_t last = count - 1;

    for (int x = 0; x < GAUSSIAN_LINES; x++) {
        const double v = AT(in, 0);
        AT(out, 0) = v * n0 + v * n1 + v * n2 + v * n3;
        AT(out, 1) = AT(in, 1) * n0 + v * n1 + v * n2 + v * n3;
        AT(out, 2) = AT(in, 2) * n0 + AT(in, 1) * n1 + v * n2 + v * n3;
        AT(out, 3) = AT(in, 3) * n0 + AT(in, 2) * n1 + AT(in, 1) * n2 + v * n3;
        AT(out, 0) -= v * bn[0] + v * bn[1] + v * bn[2] + v * bn[3];
        AT(out, 1) -= AT(out, 0) * d1 + v * bn[1] + v * bn[2] + v * bn[3];
        AT(out, 2) -= AT(out, 1) * d1 + AT(out, 0) * d2 + v * bn[2] + v * bn[3];
        AT(out, 3) -= AT(out, 2) * d1 + AT(out, 1) * d2 + AT(out, 0) * d3 + v * bn[3];
    }
    for (index_t i = 4; i < count; i++)
        for (int x = 0; x < GAUSSIAN_LINES; x++)
            AT(out, i) = (AT(in, i) * n0 + AT(in, i - 1) * n1 + AT(in, i - 2) * n2 + AT(in, i - 3) * n3) -
                         (AT(out, i - 1) * d1 + AT(out, i - 2) * d2 + AT(out, i - 3) * d3 + AT(out, i - 4) * d4);

    for (int x = 0; x < GAUSSIAN_LINES; x++) {
        const double v = AT(in, last);
        AT(back, last) = v * m1 + v * m2 + v * m3 + v * m4;
        AT(back, last - 1) = AT(in, last) * m1 + v * m2 + v * m3 + v * m4;
        AT(back, last - 2) = AT(in, last - 1) * m1 + AT(in, last) * m2 + v * m3 + v * m4;
        AT(back, last - 3) = AT(in, last - 2) * m1 + AT(in, last - 1) * m2 + AT(in, last) * m3 + v * m4;
        AT(back, last) -= v * bm[0] + v * bm[1] + v * bm[2] + v * bm[3];
        AT(back, last - 1) -= AT(back, last) * d1 + v * bm[1] + v * bm[2] + v * bm[3];
        AT(back, last - 2) -= AT(back, last - 1) * d1 + AT(back, last) * d2 + v * bm[2] + v * bm[3];
        AT(back, last - 3) -= AT(back, last - 2) * d1 + AT(back, last - 1) * d2 + AT(back, last) * d3 + v * bm[3];
        for (int k = 0; k < 4; k++)
            AT(out, last - k) += AT(back, last - k);
    }
    for (index_t i = count - 5; i >= 0; i--)
        for (int x = 0; x < GAUSSIAN_LINES; x++) {
            const double value =
                (AT(in, i + 1) * m1 + AT(in, i + 2) * m2 + AT(in, i + 3) * m3 + AT(in, i + 4) * m4) -
                (AT(back, i + 1) * d1 + AT(back, i + 2) * d2 + AT(back, i + 3) * d3 + AT(back, i + 4) * d4);
            AT(back, i) = value;
            AT(out, i) += value;
        }
#undef AT
}

/*
 * Filter a volume along `axis` (0 slices, 1 rows, 2 columns) and keep the results `first` to `stop` on that axis only.
 *
 * ITK stores every pass in single precision, so `in` and `out` are float; the recursion runs in double precision.
 */
int recursive_gaussian(const float *restrict in, index_t slices, index_t rows, index_t columns, int axis,
                       index_t first, index_t stop, const double *coefficients, float *restrict out)
{
    const index_t count = axis == 0 ? slices : axis == 1 ? rows : columns;
    const index_t kept = stop - first;
    const size_t block = (size_t)(count * GAUSSIAN_LINES);
    double *work = malloc(sizeof *work * 3 * block);
    double *data = work, *result = work + block, *back = work + 2 * block;
    gaussian_t g;

    if (!work)
        return -1;
    memcpy(&g, coefficients, sizeof g);
    if (axis == 2) {
        const index_t lines = slices * rows;
        for (index_t r = 0; r < lines; r += GAUSSIAN_LINES) {
            const index_t used = lines - r < GAUSSIAN_LINES ? lines - r : GAUSSIAN_LINES;
            for (index_t x = 0; x < GAUSSIAN_LINES; x++) {
                const float *from = in + (r + (x < used ? x : used - 1)) * columns;
                for (index_t i = 0; i < count; i++)
                    data[i * GAUSSIAN_LINES + x] = from[i];
            }
            gaussian_lines(data, result, back, count, &g);
            for (index_t x = 0; x < used; x++) {
                float *to = out + (r + x) * kept;
                for (index_t i = first; i < stop; i++)
                    to[i - first] = (float)result[i * GAUSSIAN_LINES + x];
            }
        }
    } else {
        const index_t outer = axis == 0 ? 1 : slices, inner = axis == 0 ? rows * columns : columns;
        for (index_t o = 0; o < outer; o++)
            for (index_t r = 0; r < inner; r += GAUSSIAN_LINES) {
                const index_t used = inner - r < GAUSSIAN_LINES ? inner - r : GAUSSIAN_LINES;
                for (index_t i = 0; i < count; i++) {
                    const float *from = in + (o * count + i) * inner + r;
                    for (index_t x = 0; x < GAUSSIAN_LINES; x++)
                        data[i * GAUSSIAN_LINES + x] = from[x < used ? x : used - 1];
                }
                gaussian_lines(data, result, back, count, &g);
                for (index_t i = first; i < stop; i++) {
                    float *to = out + (o * kept + i - first) * inner + r;
                    for (index_t x = 0; x < used; x++)
                        to[x] = (float)result[i * GAUSSIAN_LINES + x];
                }
            }
    }
    free(work);
    return 0;
}

/* sum += factor * addend, rounded to single precision (the accumulation of itk::LaplacianRecursiveGaussian). */
void accumulate(float *restrict sum, const float *restrict addend, double factor, index_t count)
{
    for (index_t i = 0; i < count; i++)
        sum[i] = (float)((double)sum[i] + (double)addend[i] * factor);
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Stationary wavelet transform                                                                                     */
/* ---------------------------------------------------------------------------------------------------------------- */

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

/* ---------------------------------------------------------------------------------------------------------------- */
/* Grey levels                                                                                                      */
/* ---------------------------------------------------------------------------------------------------------------- */

/*
 * Grey level (from 1) of every value: the number of edges that are not greater, as numpy.digitize counts them.
 *
 * Every value lies between the first and the last of the ascending `edges`, which are about `width` apart.
 */
void grey_levels(const double *restrict values, index_t count, const double *restrict edges, index_t edge_count,
                 double width, uint16_t *restrict levels)
{
    const index_t top = edge_count - 2;
    for (index_t i = 0; i < count; i++) {
        const double value = values[i];
        index_t k = (index_t)((value - edges[0]) / width);
        k = k < 0 ? 0 : k > top ? top : k;
        while (k > 0 && value < edges[k])
            k--;
        while (k < top && value >= edges[k + 1])
            k++;
        levels[i] = (uint16_t)(k + 1);
    }
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Order statistics                                                                                                 */
/* ---------------------------------------------------------------------------------------------------------------- */

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

enum { BUCKETS = 4096 };

/* Bucket of a value between `least` and the largest: monotonous, whatever the rounding. */
static index_t bucket_of(double value, double least, double scale)
{
    const index_t bucket = (index_t)((value - least) * scale);
    return bucket < 0 ? 0 : bucket > BUCKETS - 1 ? BUCKETS - 1 : bucket;
}

/*
 * The values at ascending `ranks` of the ascending order of `values`, which lie between `least` and `most`.
 *
 * One pass counts how many values fall into each of 4096 equal buckets, another collects the buckets that hold a rank.
 */
int order_statistics(const double *restrict values, index_t count, double least, double most,
                     const index_t *restrict ranks, index_t rank_count, double *restrict found)
{
    const double scale = most > least ? BUCKETS / (most - least) : 0.0;
    index_t *below = calloc(2 * BUCKETS + 1, sizeof *below), *fill = below + BUCKETS + 1;
    double *collected = NULL;
    index_t kept = 0;

    if (!below)
        return -1;
    for (index_t i = 0; i < count; i++)
        below[bucket_of(values[i], least, scale) + 1]++;
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
        free(below);
        return -1;
    }
    for (index_t i = 0; i < count; i++) {
        const index_t b = bucket_of(values[i], least, scale);
        if (fill[b] >= 0)
            collected[fill[b]++] = values[i];
    }
    for (index_t r = 0, b = 0; r < rank_count; r++) {
        while (ranks[r] >= below[b + 1])
            b++;
        const index_t size = below[b + 1] - below[b];
        found[r] = select_rank(collected + fill[b] - size, size, ranks[r] - below[b]);
    }
    free(below), free(collected);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Texture matrices                                                                                                 */
/* ---------------------------------------------------------------------------------------------------------------- */

/*
 * The thirteen directions to the neighbours at distance 1 that precede a voxel (slice, row, column): the opposites of
 * PyRadiomics' angles, in its order.
 */
enum { DIRECTIONS = 13 };
static const int STEP[DIRECTIONS][3] = {{-1, -1, -1}, {-1, -1, 0}, {-1, -1, 1}, {-1, 0, -1}, {-1, 0, 0},
                                        {-1, 0, 1},   {-1, 1, -1}, {-1, 1, 0},  {-1, 1, 1},  {0, -1, -1},
                                        {0, -1, 0},   {0, -1, 1},  {0, 0, -1}};

/*
 * A volume of grey levels with a border of level 0 one voxel wide, and of each row the part that holds the region.
 *
 * `stride` is the length of a row in memory, at least two more than its voxels. Level 0 is outside the region.
 */
typedef struct {
    index_t slices, rows, stride; /* with the border */
    const index_t *first, *stop;  /* per (slice, row), within 1 and stride - 1; first >= stop: nothing */
} frame_t;

/*
 * Count the pairs of levels in one row: twice as fast with two tables, because neighbours often are the same pair and
 * the second increment would have to wait for the first.
 */
static void count_pairs(const uint16_t *a, const uint16_t *b, index_t from, index_t to, index_t side, uint32_t *even,
                        uint32_t *odd)
{
    index_t x = from;
    for (; x + 1 < to; x += 2) {
        even[a[x] * side + b[x]]++;
        odd[a[x + 1] * side + b[x + 1]]++;
    }
    if (x < to)
        even[a[x] * side + b[x]]++;
}

/*
 * Count co-occurrences, runs and dependences.
 *
 * cooccurrences  (13, levels + 1, levels + 1), zeroed: how often level i precedes level j in a direction. Row and
 *                column 0 take what lies outside the region and are not used.
 * positions      (13, levels + 1, longest + 2), zeroed: how many voxels of level i are number r of their run. The
 *                number of runs of length r is positions(r) - positions(r + 1). Row 0 is not used.
 * dependences    as large as the volume, zeroed: number of the 26 neighbours with the level of the voxel.
 * numbers        (2, rows, stride): number within its run of each voxel of this and the previous slice.
 */
HOT int sweep(const uint16_t *restrict levels, index_t slices, index_t rows, index_t stride,
              const index_t *restrict first, const index_t *restrict stop, index_t level_count, index_t longest,
              uint32_t *restrict cooccurrences, uint32_t *restrict positions, uint8_t *restrict dependences,
              uint16_t *restrict numbers)
{
    const index_t side = level_count + 1, reach = longest + 2, cells = side * side, plane = rows * stride;
    uint32_t *odd = malloc(sizeof *odd * (size_t)cells);

    if (!odd)
        return -1;
    for (int d = 0; d < DIRECTIONS; d++) {
        const int dz = STEP[d][0], dy = STEP[d][1], dx = STEP[d][2];
        uint32_t *even = cooccurrences + d * cells, *runs = positions + d * side * reach;
        memset(odd, 0, sizeof *odd * (size_t)cells);
        memset(numbers, 0, sizeof *numbers * (size_t)(2 * plane));
        for (index_t z = 1; z < slices - 1; z++)
            for (index_t y = 1; y < rows - 1; y++) {
                const index_t l = first[z * rows + y], h = stop[z * rows + y];
                const index_t at = (z * rows + y) * stride, to = ((z + dz) * rows + y + dy) * stride + dx;
                const uint16_t *a = levels + at, *b = levels + to;
                uint8_t *same_a = dependences + at, *same_b = dependences + to;
                uint16_t *number = numbers + (z & 1) * plane + y * stride;
                const uint16_t *before = numbers + ((z + dz) & 1) * plane + (y + dy) * stride + dx;
                if (l >= h) {
                    memset(number, 0, sizeof *number * (size_t)stride);
                    continue;
                }
                memset(number, 0, sizeof *number * (size_t)l);
                memset(number + h, 0, sizeof *number * (size_t)(stride - h));
                count_pairs(a, b, l, h, side, even, odd);
                if (dz == 0 && dy == 0) {
                    /* the previous voxel of the run is in this very row: no vector instructions here */
                    for (index_t x = l; x < h; x++) {
                        const uint8_t same = (uint8_t)((a[x] == b[x]) & (a[x] != 0));
                        same_a[x] = (uint8_t)(same_a[x] + same);
                        same_b[x] = (uint8_t)(same_b[x] + same);
                        number[x] = same ? (uint16_t)(number[x - 1] + 1) : 1;
                    }
                } else {
                    for (index_t x = l; x < h; x++)
                        same_a[x] = (uint8_t)(same_a[x] + (a[x] == b[x]));
                    for (index_t x = l; x < h; x++)
                        same_b[x] = (uint8_t)(same_b[x] + (a[x] == b[x]));
                    for (index_t x = l; x < h; x++) {
                        const uint16_t next = (uint16_t)(before[x] + 1);
                        number[x] = a[x] == b[x] ? next : 1;
                    }
                }
                for (index_t x = l; x < h; x++)
                    runs[a[x] * reach + number[x]]++;
            }
        for (index_t k = 0; k < cells; k++)
            even[k] += odd[k];
    }
    free(odd);
    return 0;
}

static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/*
 * Find the zones of equal level (26 neighbours) and count the voxels of each level by their dependence.
 *
 * parent, sizes  as large as the volume; sizes zeroed, and zero again afterwards.
 * counts         (levels + 1, 28), zeroed: voxels of level i with j - 1 dependent neighbours, at column j.
 * zone_levels, zone_sizes  room for one zone per voxel of the region.
 *
 * Returns the number of zones. Source: union-find with path halving over the preceding neighbours (He et al. 2017,
 * "The connected-component labeling problem"); a neighbour that is joined to another one already is not asked.
 */
index_t zones(const uint16_t *restrict levels, index_t slices, index_t rows, index_t stride, const index_t *first,
              const index_t *stop, const uint8_t *dependences, uint32_t *restrict parent, uint32_t *restrict sizes,
              int64_t *restrict counts, uint32_t *restrict zone_levels, uint32_t *restrict zone_sizes)
{
    const index_t plane = rows * stride;
    index_t found = 0;

    for (index_t z = 1; z < slices - 1; z++)
        for (index_t y = 1; y < rows - 1; y++) {
            const index_t row = (z * rows + y) * stride;
            for (index_t x = first[z * rows + y]; x < stop[z * rows + y]; x++) {
                const index_t i = row + x;
                const uint32_t p = (uint32_t)i;
                const uint16_t level = levels[i];
                parent[i] = p;
                if (!level)
                    continue;
                if (levels[i - 1] == level)
                    parent[i] = root_of(parent, p - 1);
                /* the three neighbours of a row touch one another through the middle one */
                for (int k = 0; k < 4; k++) {
                    const index_t q = k == 0 ? i - stride : i - plane + (k - 2) * stride;
                    if (levels[q] == level)
                        join(parent, p, (uint32_t)q);
                    else {
                        if (levels[q - 1] == level)
                            join(parent, p, (uint32_t)(q - 1));
                        if (levels[q + 1] == level)
                            join(parent, p, (uint32_t)(q + 1));
                    }
                }
            }
        }
    for (index_t r = 0; r < slices * rows; r++)
        for (index_t x = first[r]; x < stop[r]; x++) {
            const index_t i = r * stride + x;
            if (!levels[i])
                continue;
            sizes[root_of(parent, (uint32_t)i)]++;
            counts[levels[i] * 28 + dependences[i] + 1]++;
        }
    for (index_t r = 0; r < slices * rows; r++)
        for (index_t x = first[r]; x < stop[r]; x++) {
            const index_t i = r * stride + x;
            if (levels[i] && sizes[i]) {
                zone_levels[found] = levels[i];
                zone_sizes[found++] = sizes[i];
                sizes[i] = 0;
            }
        }
    return found;
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Features of the grey level co-occurrence matrix                                                                  */
/* ---------------------------------------------------------------------------------------------------------------- */

/* Features in the order of GLCM_FEATURES in textures.py. */
enum {
    AUTOCORRELATION, CLUSTER_PROMINENCE, CLUSTER_SHADE, CLUSTER_TENDENCY, CONTRAST, CORRELATION, DIFFERENCE_AVERAGE,
    DIFFERENCE_ENTROPY, DIFFERENCE_VARIANCE, ID, IDM, IDMN, IDN, IMC1, IMC2, INVERSE_VARIANCE, JOINT_AVERAGE,
    JOINT_ENERGY, JOINT_ENTROPY, MAXIMUM_PROBABILITY, SUM_ENTROPY, SUM_SQUARES, GLCM_FEATURES
};

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

/*
 * Features of thirteen co-occurrence matrices, each made symmetric and normalised, averaged over the directions that
 * hold a pair of voxels; NaN if none does.
 *
 * Returns the smallest HXY2 - HXY of a direction in `gap`: where it is tiny, Imc2 hangs on rounding.
 */
int glcm_features(const uint32_t *cooccurrences, index_t levels, double *features, double *gap)
{
    const index_t side = levels + 1;
    const size_t cells = (size_t)(side * side);
    double *p = malloc(sizeof *p * (cells + (size_t)(5 * side)));
    int used = 0;

    memset(features, 0, sizeof *features * GLCM_FEATURES);
    *gap = INFINITY;
    if (!p)
        return -1;
    double *single = p + cells, *differences = single + side, *sums = differences + side;

    for (int d = 0; d < DIRECTIONS; d++) {
        const uint32_t *g = cooccurrences + d * side * side;
        double total = 0.0, mean = 0.0, largest = 0.0;
        double f[GLCM_FEATURES] = {0};
        moments_t m = {0};

        for (index_t i = 1; i <= levels; i++)
            for (index_t j = 1; j <= levels; j++)
                total += g[i * side + j];
        if (total == 0.0)
            continue;
        used++;
        memset(single, 0, sizeof *single * (size_t)(5 * side));
        for (index_t i = 1; i <= levels; i++)
            for (index_t j = 1; j <= i; j++) {
                const uint32_t count = g[i * side + j] + g[j * side + i];
                const double q = count / (2.0 * total), twice = i == j ? q : 2.0 * q;
                p[i * side + j] = q;
                if (!count)
                    continue;
                single[i] += q;
                if (i != j)
                    single[j] += q;
                sums[i + j] += twice;
                differences[i - j] += twice;
                m.entropy += i == j ? surprise(q) : 2.0 * surprise(q);
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
            m.variance += single[i] * ((double)i - mean) * ((double)i - mean);
            m.marginal += surprise(single[i]);
            for (index_t j = 1; j <= i; j++) {
                const double product = single[i] * single[j], weight = i == j ? 1.0 : 2.0;
                if (product == 0.0)
                    continue;
                const double log_product = log2(product + EPSILON), q = p[i * side + j];
                m.entropy1 -= weight * q * log_product;
                m.entropy2 -= weight * product * log_product;
                m.covariance += weight * q * ((double)i - mean) * ((double)j - mean);
            }
        }
        features_of_moments(&m, f);
        features_of_marginals(&(marginals_t){sums, differences, mean}, levels, f);
        for (int k = 0; k < GLCM_FEATURES; k++)
            features[k] += f[k];
        if (fabs(m.entropy2 - m.entropy) < *gap)
            *gap = fabs(m.entropy2 - m.entropy);
    }
    for (int k = 0; k < GLCM_FEATURES; k++)
        features[k] /= used;
    free(p);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Features of the run length, size zone and dependence matrices                                                    */
/* ---------------------------------------------------------------------------------------------------------------- */

/* Features in the order of SIZE_FEATURES in textures.py. */
enum {
    SMALL, LARGE, LEVEL_NONUNIFORMITY, LEVEL_NONUNIFORMITY_NORMALISED, SIZE_NONUNIFORMITY,
    SIZE_NONUNIFORMITY_NORMALISED, PERCENTAGE, LEVEL_VARIANCE, SIZE_VARIANCE, SIZE_ENTROPY, LOW_LEVEL, HIGH_LEVEL,
    SMALL_LOW, SMALL_HIGH, LARGE_LOW, LARGE_HIGH, SIZE_FEATURES
};

/* `count` things (runs, zones, voxels) of grey level `level` and of size (length, volume, dependence) `size`. */
typedef struct {
    uint32_t level, size;
    double count;
} cell_t;

static double variance_of(const double *counts, index_t length, double total)
{
    double mean = 0.0, variance = 0.0;
    for (index_t i = 1; i < length; i++)
        mean += counts[i] / total * (double)i;
    for (index_t i = 1; i < length; i++)
        variance += counts[i] / total * ((double)i - mean) * ((double)i - mean);
    return variance;
}

static double sum_of_squares(const double *counts, index_t length)
{
    double sum = 0.0;
    for (index_t i = 1; i < length; i++)
        sum += counts[i] * counts[i];
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
    index_t levels = 1, sizes = 1;
    double total = 0.0;

    memset(f, 0, sizeof *f * SIZE_FEATURES);
    for (index_t k = 0; k < cell_count; k++) {
        total += cells[k].count;
        if (cells[k].level >= levels)
            levels = (index_t)cells[k].level + 1;
        if (cells[k].size >= sizes)
            sizes = (index_t)cells[k].size + 1;
    }
    double *by_level = calloc((size_t)(levels + sizes), sizeof *by_level), *by_size = by_level + levels;
    if (!by_level)
        return -1;
    for (index_t k = 0; k < cell_count; k++) {
        const double i = cells[k].level, j = cells[k].size, n = cells[k].count, i2 = i * i, j2 = j * j;
        by_level[cells[k].level] += n;
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
    const double level_squares = sum_of_squares(by_level, levels), size_squares = sum_of_squares(by_size, sizes);
    f[LEVEL_NONUNIFORMITY] = level_squares / total;
    f[LEVEL_NONUNIFORMITY_NORMALISED] = level_squares / (total * total);
    f[SIZE_NONUNIFORMITY] = size_squares / total;
    f[SIZE_NONUNIFORMITY_NORMALISED] = size_squares / (total * total);
    f[PERCENTAGE] = total / voxels;
    f[LEVEL_VARIANCE] = variance_of(by_level, levels, total);
    f[SIZE_VARIANCE] = variance_of(by_size, sizes, total);
    free(by_level);
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

/* Zones below this size are counted in a table, the few larger ones in a list. */
enum { TABLED = 512 };

/* Size zone features of the zones that `zones` found. */
int glszm_features(const uint32_t *zone_levels, const uint32_t *zone_sizes, index_t zone_count, index_t levels,
                   double voxels, double *features)
{
    uint32_t *table = calloc((size_t)((levels + 1) * TABLED), sizeof *table);
    cell_t *cells = malloc(sizeof *cells * (size_t)(zone_count + 1));
    index_t count = 0;
    int failed = -1;

    if (table && cells) {
        for (index_t k = 0; k < zone_count; k++) {
            index_t same = 0;
            if (zone_sizes[k] < TABLED) {
                table[(index_t)zone_levels[k] * TABLED + zone_sizes[k]]++;
                continue;
            }
            while (same < count && (cells[same].level != zone_levels[k] || cells[same].size != zone_sizes[k]))
                same++;
            if (same == count)
                cells[count++] = (cell_t){zone_levels[k], zone_sizes[k], 0.0};
            cells[same].count += 1.0;
        }
        for (index_t i = 1; i <= levels; i++)
            for (index_t j = 1; j < TABLED; j++)
                if (table[i * TABLED + j])
                    cells[count++] = (cell_t){(uint32_t)i, (uint32_t)j, table[i * TABLED + j]};
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

/* ---------------------------------------------------------------------------------------------------------------- */
/* Shape                                                                                                            */
/* ---------------------------------------------------------------------------------------------------------------- */

/*
 * Count the 256 kinds of cubes of 2 x 2 x 2 voxels, and add up where each kind lies.
 *
 * Bit k of a kind is the corner (slice, row, column): 0 000, 1 001, 2 011, 3 010, 4 100, 5 101, 6 111, 7 110.
 */
void cube_kinds(const uint8_t *mask, index_t slices, index_t rows, index_t columns, int64_t *counts,
                int64_t *positions)
{
    for (index_t z = 0; z < slices - 1; z++)
        for (index_t y = 0; y < rows - 1; y++) {
            const uint8_t *a = mask + (z * rows + y) * columns, *b = a + columns;
            const uint8_t *c = a + rows * columns, *d = c + columns;
            for (index_t x = 0; x < columns - 1; x++) {
                const int kind = a[x] | a[x + 1] << 1 | b[x + 1] << 2 | b[x] << 3 | c[x] << 4 | c[x + 1] << 5 |
                                 d[x + 1] << 6 | d[x] << 7;
                if (kind == 0 || kind == 255)
                    continue;
                counts[kind]++;
                positions[3 * kind] += z;
                positions[3 * kind + 1] += y;
                positions[3 * kind + 2] += x;
            }
        }
}

static double squared_distance(const int64_t *a, const int64_t *b, const double *unit)
{
    const double z = (double)a[0] * unit[0] - (double)b[0] * unit[0];
    const double y = (double)a[1] * unit[1] - (double)b[1] * unit[1];
    const double x = (double)a[2] * unit[2] - (double)b[2] * unit[2];
    return z * z + y * y + x * x;
}

/* Largest squared distance between two of `count` points, given as whole multiples of `unit`. */
double widest(const int64_t *points, index_t count, const double *unit)
{
    double best = 0.0;
    for (index_t i = 0; i < count; i++)
        for (index_t j = 0; j < i; j++) {
            const double distance = squared_distance(points + 3 * i, points + 3 * j, unit);
            if (distance > best)
                best = distance;
        }
    return best;
}

/*
 * Largest squared distance within one plane, over all planes across `axis`.
 *
 * Points are sorted by their coordinate on `axis`, then by the other two in order. Only corners of a plane's convex
 * hull can be farthest apart; they are marked in `corner` (zeroed). Source: Andrew 1979, monotone chain. Returns -1.0
 * without memory.
 */
double widest_in_plane(const int64_t *points, index_t count, int axis, const double *unit, uint8_t *corner)
{
    const int u = axis == 0 ? 1 : 0, v = axis == 2 ? 1 : 2;
    index_t *chain = malloc(sizeof *chain * (size_t)(count + 1));
    int64_t *corners = malloc(sizeof *corners * 3 * (size_t)(count + 1));
    double best = 0.0;

    if (!chain || !corners) {
        free(chain), free(corners);
        return -1.0;
    }
    for (index_t from = 0, to; from < count; from = to) {
        index_t kept = 0;
        for (to = from; to < count && points[3 * to + axis] == points[3 * from + axis];)
            to++;
        for (int side = 0; side < 2; side++) {
            index_t top = 0;
            for (index_t k = from; k < to; k++) {
                const index_t p = side ? to - 1 - (k - from) : k;
                while (top >= 2) {
                    const int64_t *a = points + 3 * chain[top - 2], *b = points + 3 * chain[top - 1];
                    const int64_t *c = points + 3 * p;
                    if ((b[u] - a[u]) * (c[v] - a[v]) - (b[v] - a[v]) * (c[u] - a[u]) > 0)
                        break;
                    top--;
                }
                chain[top++] = p;
            }
            for (index_t k = 0; k < top; k++)
                if (!corner[chain[k]]) {
                    corner[chain[k]] = 1;
                    memcpy(corners + 3 * kept++, points + 3 * chain[k], 3 * sizeof *corners);
                }
        }
        const double distance = widest(corners, kept, unit);
        if (distance > best)
            best = distance;
    }
    free(chain), free(corners);
    return best;
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Feature maps                                                                                                     */
/* ---------------------------------------------------------------------------------------------------------------- */

enum { MAX_RADIUS = 3, MAX_CUBE = 343, MAX_PAIRS = 294 };

/* First-order features in the order of FIRSTORDER_MAPS in fast_maps.py. */
enum {
    P10, P90, ENERGY, ENTROPY, INTERQUARTILE_RANGE, KURTOSIS, MAXIMUM, MEAN, MEAN_ABSOLUTE_DEVIATION, MEDIAN, MINIMUM,
    RANGE, ROBUST_MEAN_ABSOLUTE_DEVIATION, ROOT_MEAN_SQUARED, SKEWNESS, UNIFORMITY, VARIANCE, FIRSTORDER_MAPS
};

/* What EPSILON takes off -p log2(p + EPSILON), whatever p: EPSILON / ln 2. */
#define EPSILON_BITS (EPSILON * 1.4426950408889634)

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
