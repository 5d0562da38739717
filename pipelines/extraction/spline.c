/* Cubic B-spline interpolation. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>

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
