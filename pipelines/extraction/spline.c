/* Cubic B-spline interpolation. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REAL double
#define WHOLE int64_t
#define OF_TYPE(name) name##_f64
#include "turn_of.h"

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
HOTTER static void spline_filter(double *c, index_t count, index_t lines, index_t step)
{
    const double z = sqrt(3.0) - 2.0;
    const double gain = (1.0 - z) * (1.0 - 1.0 / z);
    const index_t horizon = (index_t)ceil(log(1e-10) / log(fabs(z)));

    if (count == 1)
        return;
    /* of the others in the recursion */
    const index_t scaled = horizon < count ? horizon : count;
    for (index_t k = 0; k < scaled; k++)
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
    for (index_t k = 1; k < scaled; k++)
        for (index_t x = 0; x < lines; x++)
            c[k * step + x] += z * c[(k - 1) * step + x];
    for (index_t k = scaled; k < count; k++)
        for (index_t x = 0; x < lines; x++)
            c[k * step + x] = c[k * step + x] * gain + z * c[(k - 1) * step + x];

    const double last = z / (z * z - 1.0);
    for (index_t x = 0; x < lines; x++)
        c[(count - 1) * step + x] = last * (z * c[(count - 2) * step + x] + c[(count - 1) * step + x]);
    for (index_t k = count - 2; k >= 0; k--)
        for (index_t x = 0; x < lines; x++)
            c[k * step + x] = z * (c[(k + 1) * step + x] - c[k * step + x]);
}

static double voxel_at(const void *volume, int type, index_t at)
{
    switch (type) {
    case INT16:
        return ((const int16_t *)volume)[at];
    case UINT16:
        return ((const uint16_t *)volume)[at];
    case INT32:
        return ((const int32_t *)volume)[at];
    case FLOAT32:
        return ((const float *)volume)[at];
    default:
        return ((const double *)volume)[at];
    }
}

/* Rows of a part of a volume, which begins at `origin` of it and is `next` and `over` voxels from row to row and slice. */
typedef struct {
    const void *volume;
    int type;
    index_t origin, over, next;
} source_t;

/* Columns as lines side by side: sample x of `lines` rows from row y on; and working memory for as many samples. */
static INLINE void fill_tile(const source_t *from, index_t slice, index_t y, index_t lines, index_t columns,
                             double *restrict tile, double *restrict samples)
{
    for (index_t j = 0; j < lines; j++) {
        const index_t at = from->origin + slice * from->over + (y + j) * from->next;
        double *to = samples + j * columns;
        if (from->type == INT16) {
            const int16_t *row = (const int16_t *)from->volume + at;
            for (index_t x = 0; x < columns; x++)
                to[x] = row[x];
        } else
            for (index_t x = 0; x < columns; x++)
                to[x] = voxel_at(from->volume, from->type, at + x);
    }
    turn_matrix_f64(samples, lines, columns, columns, tile, SPLINE_TILE, 4);
}

/*
 * B-spline coefficients of a part of a volume, filtered along columns, then rows, then slices, as ITK does.
 *
 * source  of the part: type, index of its first voxel, voxels from slice to slice and from row to row.
 * used    first row, one past the last row, first column, one past the last that are wanted of the part. What lies
 *         around them is filtered as far as they depend on it.
 * found   (slices, used rows, used columns)
 */
HOT int spline_coefficients(const void *volume, const index_t *source, index_t slices, index_t rows, index_t columns,
                            const index_t *used, double *restrict found)
{
    const source_t from = {volume, (int)source[0], source[1], source[2], source[3]};
    const index_t wide = used[3] - used[2], high = used[1] - used[0];
    double *tile = malloc(sizeof *tile * (size_t)(2 * columns * SPLINE_TILE));
    double *slab = malloc(sizeof *slab * (size_t)(rows * wide));

    if (!tile || !slab) {
        free(tile), free(slab);
        return -1;
    }
    for (index_t slice = 0; slice < slices; slice++) {
        for (index_t first = 0; first < rows; first += SPLINE_TILE) {
            const index_t lines = lesser(rows - first, SPLINE_TILE);
            fill_tile(&from, slice, first, lines, columns, tile, tile + columns * SPLINE_TILE);
            spline_filter(tile, columns, lines, SPLINE_TILE);
            turn_matrix_f64(tile + used[2] * SPLINE_TILE, wide, SPLINE_TILE, lines, slab + first * wide, wide, 4);
        }
        for (index_t x = 0; x < wide; x += SPLINE_LINES)
            spline_filter(slab + x, rows, lesser(wide - x, SPLINE_LINES), wide);
        memcpy(found + slice * high * wide, slab + used[0] * wide, sizeof *slab * (size_t)(high * wide));
    }
    for (index_t x = 0; x < high * wide; x += SPLINE_LINES)
        spline_filter(found + x, slices, lesser(high * wide - x, SPLINE_LINES), high * wide);
    free(tile), free(slab);
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
 * `position` counts in the whole volume of `size`, of which `count` coefficients from `origin` on are there.
 *
 * Source: itk::BSplineInterpolateImageFunction (SetInterpolationWeights, DetermineRegionOfSupport with its rounding to
 * single precision, ApplyMirrorBoundaryConditions).
 */
static support_t support_at(double position, index_t origin, index_t size, index_t count)
{
    support_t found;
    const double base = floor((double)(float)position), w = position - base;

    found.weight[3] = (1.0 / 6.0) * w * w * w;
    found.weight[0] = (1.0 / 6.0) + 0.5 * w * (w - 1.0) - found.weight[3];
    found.weight[2] = w + found.weight[0] - 2.0 * found.weight[3];
    found.weight[1] = 1.0 - found.weight[0] - found.weight[2] - found.weight[3];
    for (int k = 0; k < 4; k++) {
        index_t index = (index_t)base - 1 + k;
        if (index < 0)
            index = -index;
        else if (index >= size)
            index = 2 * (size - 1) - index;
        /* one reflection is enough inside the volume; outside of it ITK does not interpolate, and neither do we */
        index -= origin;
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

/* A sample as ITK stores it: whole numbers are truncated toward zero, after clipping to their range. */
static INLINE void store_sample(void *out, int type, index_t at, double value)
{
#define CLIPPED(low, high) (value < (low) ? (low) : value > (high) ? (high) : value)
    switch (type) {
    case INT16:
        ((int16_t *)out)[at] = (int16_t)CLIPPED(-32768.0, 32767.0);
        break;
    case UINT16:
        ((uint16_t *)out)[at] = (uint16_t)CLIPPED(0.0, 65535.0);
        break;
    case INT32:
        ((int32_t *)out)[at] = (int32_t)CLIPPED(-2147483648.0, 2147483647.0);
        break;
    case FLOAT32:
        ((float *)out)[at] = (float)value;
        break;
    default:
        ((double *)out)[at] = value;
    }
#undef CLIPPED
}

/* True where the last bits of a sample decide how it is stored. */
static INLINE int hangs_on_rounding(double value, int type, double margin)
{
    if (type == FLOAT64)
        return 1;
    if (type == FLOAT32)
        return (float)(value - margin) != (float)(value + margin);
    return fabs(value - rint(value)) < margin;
}

/*
 * Evaluate the spline on a rectangular grid of positions and store the samples in the type of the CT.
 *
 * c       (slices, rows, columns): the coefficients from index `origin` of the whole volume of `size` on; what is
 *         missing of the volume must not be needed.
 * inside  for each position along slices, rows and columns one after the other: 1, or 0 for a sample that is 0.
 *
 * The separable sum differs from ITK's sum in the last bits. Where these decide, that is within `margin` of a whole
 * number or of the middle between two single-precision ones, the sample is computed again in ITK's order; a
 * double-precision one always is.
 *
 * Returns the number of samples that were computed again, or -1 without memory.
 */
HOT index_t spline_sample(const double *restrict c, index_t slices, index_t rows, index_t columns,
                          const index_t *origin, const index_t *size, const double *at_z, index_t out_slices,
                          const double *at_y, index_t out_rows, const double *at_x, index_t out_columns,
                          const uint8_t *inside, double margin, int type, void *restrict out)
{
    const index_t plane = rows * columns;
    const uint8_t *inside_y = inside + out_slices, *inside_x = inside_y + out_rows;
    index_t again = 0;
    support_t *x = malloc(sizeof *x * (size_t)out_columns);
    double *slab = malloc(sizeof *slab * (size_t)plane);
    double *line = malloc(sizeof *line * (size_t)(columns + out_columns)), *samples = line + columns;

    if (!x || !slab || !line) {
        free(x), free(slab), free(line);
        return -1;
    }
    for (index_t i = 0; i < out_columns; i++)
        x[i] = support_at(at_x[i], origin[2], size[2], columns);
    for (index_t k = 0; k < out_slices; k++) {
        const support_t z = support_at(at_z[k], origin[0], size[0], slices);
        const double *z0 = c + z.index[0] * plane, *z1 = c + z.index[1] * plane;
        const double *z2 = c + z.index[2] * plane, *z3 = c + z.index[3] * plane;
        for (index_t q = 0; q < plane; q++)
            slab[q] = z.weight[0] * z0[q] + z.weight[1] * z1[q] + z.weight[2] * z2[q] + z.weight[3] * z3[q];
        for (index_t j = 0; j < out_rows; j++) {
            const support_t y = support_at(at_y[j], origin[1], size[1], rows);
            const double *y0 = slab + y.index[0] * columns, *y1 = slab + y.index[1] * columns;
            const double *y2 = slab + y.index[2] * columns, *y3 = slab + y.index[3] * columns;
            const index_t to = (k * out_rows + j) * out_columns;
            for (index_t q = 0; q < columns; q++)
                line[q] = y.weight[0] * y0[q] + y.weight[1] * y1[q] + y.weight[2] * y2[q] + y.weight[3] * y3[q];
            for (index_t i = 0; i < out_columns; i++) {
                const support_t *s = x + i;
                samples[i] = s->weight[0] * line[s->index[0]] + s->weight[1] * line[s->index[1]] +
                             s->weight[2] * line[s->index[2]] + s->weight[3] * line[s->index[3]];
            }
            for (index_t i = 0; i < out_columns; i++) {
                const int within = inside[k] & inside_y[j] & inside_x[i];
                if (within && hangs_on_rounding(samples[i], type, margin)) {
                    samples[i] = spline_at(c, rows, columns, &z, &y, x + i);
                    again++;
                }
                store_sample(out, type, to + i, within ? samples[i] : 0.0);
            }
        }
    }
    free(x), free(slab), free(line);
    return again;
}

/* The weighted sum of four lines of `count` numbers, `step` apart, to `to`. */
static INLINE void sample_lines(const double *restrict from, index_t step, const support_t *s, index_t count,
                                double *restrict to)
{
    const double *a = from + s->index[0] * step, *b = from + s->index[1] * step;
    const double *c = from + s->index[2] * step, *d = from + s->index[3] * step;
    for (index_t q = 0; q < count; q++)
        to[q] = s->weight[0] * a[q] + s->weight[1] * b[q] + s->weight[2] * c[q] + s->weight[3] * d[q];
}

/* What lies outside: a sample that is stored as 0 and is no whole number. */
#define OUTSIDE 0.5

/* Store up to SPLINE_LINES samples as whole numbers; how many of them are closer than `margin` to one. */
#define STORE_LINE(NAME, VOXEL, LOW, HIGH)                                                                           \
    static INLINE index_t NAME(const double *restrict samples, index_t count, double margin, VOXEL *restrict out)    \
    {                                                                                                                \
        int64_t close = 0;                                                                                           \
        int32_t whole[SPLINE_LINES];                                                                                 \
        for (index_t q = 0; q < count; q++) {                                                                        \
            const double value = samples[q], from_low = value > (LOW) ? value : (LOW);                               \
            close += fabs(value - rint(value)) < margin;                                                             \
            whole[q] = (int32_t)(from_low < (HIGH) ? from_low : (HIGH));                                             \
        }                                                                                                            \
        for (index_t q = 0; q < count; q++)                                                                          \
            out[q] = (VOXEL)whole[q];                                                                                \
        return close;                                                                                                \
    }

STORE_LINE(store_int16, int16_t, -32768.0, 32767.0)
STORE_LINE(store_uint16, uint16_t, 0.0, 65535.0)
STORE_LINE(store_int32, int32_t, -2147483648.0, 2147483647.0)

/*
 * Sample up to SPLINE_LINES lines along slices, `plane` apart, of which those are outside that are not `within`, and store
 * them; how many samples are closer than `margin` to a whole number.
 */
static INLINE index_t sample_slices(const double *restrict from, index_t plane, const support_t *z, index_t out_slices,
                                    const uint8_t *inside, const uint8_t *within, index_t lines, double margin,
                                    int type, void *restrict out, index_t to)
{
    const int some_outside = memchr(within, 0, (size_t)lines) != NULL;
    index_t close = 0;
    for (index_t k = 0; k < out_slices; k++, to += plane) {
        double line[SPLINE_LINES];
        sample_lines(from, plane, z + k, lines, line);
        if (some_outside || !inside[k])
            for (index_t q = 0; q < lines; q++)
                line[q] = inside[k] & within[q] ? line[q] : OUTSIDE;
        if (type == INT16)
            close += store_int16(line, lines, margin, (int16_t *)out + to);
        else if (type == UINT16)
            close += store_uint16(line, lines, margin, (uint16_t *)out + to);
        else
            close += store_int32(line, lines, margin, (int32_t *)out + to);
    }
    return close;
}

/*
 * What `spline_coefficients` and `spline_sample` do for whole numbers, in less time and memory: each axis is sampled as
 * soon as it is filtered, because what is filtered along one axis may be sampled along another before or after.
 *
 * found  working memory, (slices, out_rows, out_columns)
 *
 * The numbers differ from theirs in the last bits. Returns how many samples lie within `margin` of a whole number: if
 * any does, these bits decide and the others have to be asked. -1 without memory.
 */
HOTTER index_t spline_resample(const void *volume, const index_t *source, index_t slices, index_t rows,
                               index_t columns, const index_t *size, const double *at_z, index_t out_slices,
                               const double *at_y, index_t out_rows, const double *at_x, index_t out_columns,
                               const uint8_t *inside, double margin, double *restrict found, void *restrict out)
{
    const source_t from = {volume, (int)source[0], source[1], source[2], source[3]};
    const index_t origin[3] = {source[4], source[5], source[6]}, plane = out_rows * out_columns;
    const uint8_t *inside_y = inside + out_slices, *inside_x = inside_y + out_rows;
    index_t close = 0;
    support_t *supports = malloc(sizeof *supports * (size_t)(out_slices + out_rows + out_columns));
    double *tile = calloc((size_t)((2 * columns + out_columns) * SPLINE_TILE), sizeof *tile);
    double *slab = malloc(sizeof *slab * (size_t)(rows * out_columns));
    uint8_t *within = malloc((size_t)plane);

    if (!supports || !tile || !slab || !within) {
        free(supports), free(tile), free(slab), free(within);
        return -1;
    }
    support_t *z = supports, *y = z + out_slices, *x = y + out_rows;
    double *samples = tile + columns * SPLINE_TILE, *sampled = samples + columns * SPLINE_TILE;
    for (index_t k = 0; k < out_slices; k++)
        z[k] = support_at(at_z[k], origin[0], size[0], slices);
    for (index_t j = 0; j < out_rows; j++)
        y[j] = support_at(at_y[j], origin[1], size[1], rows);
    for (index_t i = 0; i < out_columns; i++)
        x[i] = support_at(at_x[i], origin[2], size[2], columns);
    for (index_t q = 0; q < plane; q++)
        within[q] = inside_y[q / out_columns] & inside_x[q % out_columns];
    for (index_t slice = 0; slice < slices; slice++) {
        for (index_t first = 0; first < rows; first += SPLINE_TILE) {
            const index_t lines = lesser(rows - first, SPLINE_TILE);
            fill_tile(&from, slice, first, lines, columns, tile, samples);
            spline_filter(tile, columns, SPLINE_TILE, SPLINE_TILE);
            for (index_t i = 0; i < out_columns; i++)
                sample_lines(tile, SPLINE_TILE, x + i, SPLINE_TILE, sampled + i * SPLINE_TILE);
            turn_matrix_f64(sampled, out_columns, SPLINE_TILE, lines, slab + first * out_columns, out_columns, 4);
        }
        for (index_t i = 0; i < out_columns; i += SPLINE_LINES)
            spline_filter(slab + i, rows, lesser(out_columns - i, SPLINE_LINES), out_columns);
        for (index_t j = 0; j < out_rows; j++)
            sample_lines(slab, out_columns, y + j, out_columns, found + slice * plane + j * out_columns);
    }
    for (index_t q = 0; q < plane; q += SPLINE_LINES) {
        const index_t lines = lesser(plane - q, SPLINE_LINES);
        spline_filter(found + q, slices, lines, plane);
#define SAMPLED(count)                                                                                               \
    sample_slices(found + q, plane, z, out_slices, inside, within + q, count, margin, from.type, out, q)
        close += lines == SPLINE_LINES ? SAMPLED(SPLINE_LINES) : SAMPLED(lines);
#undef SAMPLED
    }
    free(supports), free(tile), free(slab), free(within);
    return close;
}
