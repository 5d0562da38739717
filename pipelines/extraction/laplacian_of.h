/*
 * Filters of volumes for one type of image. Included by gaussian.c for each REAL; functions are named OF_TYPE(name).
 *
 * Lines are filtered side by side, for which those beside them must lie side by side in memory. So an image is turned
 * once, for all its filters, and each chain of passes begins with the image that makes most of them so.
 */

/* Write a volume (slices, rows, columns) of any type that `load` takes as (slices, columns, rows). */
HOT void OF_TYPE(turn)(const void *volume, int type, index_t slices, index_t rows, index_t columns,
                       REAL *restrict out)
{
    enum { LONG = 256 };
    REAL some[EIGHT * LONG];
    for (index_t z = 0; z < slices; z++)
        for (index_t next = 0; next < rows; next += EIGHT)
            for (index_t x = 0; x < columns; x += LONG) {
                /* the last rows once more together with some before them */
                const index_t used = lesser(rows, EIGHT), y = lesser(next, rows - used), count = lesser(columns - x, LONG);
                for (index_t k = 0; k < used; k++)
                    OF_TYPE(load)(volume, type, (z * rows + y + k) * columns + x, count, some + k * LONG);
                OF_TYPE(turn_matrix)(some, used, LONG, count, out + (z * columns + x) * rows + y, rows, EIGHT);
            }
}

/*
 * The Gaussian along slices, then columns, then rows. coefficients: (3, 20), for slices, rows and columns.
 * between: working memory, as large as the image.
 * Source: itk::SmoothingRecursiveGaussianImageFilter.
 */
int OF_TYPE(smoothed)(const REAL *in, index_t slices, index_t rows, index_t columns, const double *coefficients,
                      float *between, float *out)
{
    const index_t plane = rows * columns;
    scratch_t scratch = scratch_for(greatest(slices, rows, columns), sizeof *in);
    gaussian_t g[3];

    if (!scratch.memory)
        return -1;
    memcpy(g, coefficients, sizeof g);
    OF_TYPE(filter)(in, &(lines_t){1, slices, plane, plane, 0, slices}, &g[0], &scratch,
                           &(store_t){out, 0, plane, PLAIN, 1.0});
    filter_f32(out, &(lines_t){slices, columns, rows, 1, 0, columns}, &g[2], &scratch,
                 &(store_t){between, plane, rows, PLAIN, 1.0});
    filter_f32(between, &(lines_t){slices, rows, columns, 1, 0, rows}, &g[1], &scratch,
                 &(store_t){out, plane, columns, PLAIN, 1.0});
    free(scratch.memory);
    return 0;
}

/*
 * The Laplacian of Gaussian within `box` (first and stop along slices, rows and columns).
 *
 *   sum over the axes of factor(axis) * (second derivative along it, then the Gaussian along the two others)
 *
 * volume, type  the image, of one of the types that `load` takes.
 * rows_last     the image as (slices, columns, rows).
 * coefficients  (3, 2, 20): for slices, rows and columns those of the Gaussian and of its second derivative.
 * factors       of the second derivative along slices, rows and columns.
 * reach         (box's rows + box's slices, 4): what is wanted within the box in each row and in each slice of it: first
 *                 and stop along columns, then along slices for a row and along rows for a slice.
 * between       working memory for two volumes that are as long as the box along rows and columns, or for one that is
 *                 so along slices.
 * out           as large as the box; anything where it is not wanted.
 *
 * Columns come before rows before slices, both in the sum and among the Gaussians, each stored in single precision.
 * Passes within a part of a volume follow each other there, so that what one writes is still in the cache for the next.
 * What is too large for that is written in the order in which it will be read: a pass waits for what it reads only.
 * Source: itk::LaplacianRecursiveGaussianImageFilter::GenerateData.
 */
int OF_TYPE(laplacian)(const void *volume, int type, const REAL *rows_last, index_t slices, index_t rows,
                       index_t columns, const index_t *box, const index_t *reach, const double *coefficients,
                       const double *factors, float *between, float *out)
{
    const index_t z0 = box[0], z1 = box[1], y0 = box[2], y1 = box[3], x0 = box[4], x1 = box[5];
    const index_t high = z1 - z0, wide = y1 - y0, broad = x1 - x0;
    /* a slice of the result; the rows that lie there at the same place in each slice, one after the other */
    const index_t plane = wide * broad, lined_up = slices * broad;
    scratch_t scratch = scratch_for(greatest(slices, rows, columns), sizeof *rows_last);
    float *const by_columns = between, *const by_rows = between + slices * plane;
    float *part = malloc(sizeof *part * (size_t)(columns * rows));
    REAL *slice = malloc(sizeof *slice * (size_t)(columns * rows));
    gaussian_t g[3][2];

    if (!scratch.memory || !part || !slice) {
        free(scratch.memory), free(part), free(slice);
        return -1;
    }
    memcpy(g, coefficients, sizeof g);
    for (index_t z = 0; z < slices; z++) {
        const index_t here = z * columns * rows, next = here + columns * rows, more = z + 1 < slices;
        /* along columns, rows */
        scratch.ahead = ahead_of(by_columns + z * broad, wide, lined_up, broad, sizeof *part);
        OF_TYPE(filter)(rows_last + here, &(lines_t){1, columns, rows, rows, x0, x1}, &g[2][1], &scratch,
                        &(store_t){part, 0, rows, PLAIN, 1.0});
        scratch.ahead = ahead_of(rows_last + next, more, 0, columns * rows, sizeof *rows_last);
        filter_f32(part, &(lines_t){1, rows, broad, 1, y0, y1}, &g[1][0], &scratch,
                   &(store_t){by_columns + z * broad, 0, lined_up, PLAIN, 1.0});
        /* along rows, columns */
        OF_TYPE(load)(volume, type, here, columns * rows, slice);
        scratch.ahead = ahead_of(by_rows + z * broad, wide, lined_up, broad, sizeof *part);
        OF_TYPE(filter)(slice, &(lines_t){1, rows, columns, columns, y0, y1}, &g[1][1], &scratch,
                        &(store_t){part, 0, columns, PLAIN, 1.0});
        scratch.ahead = ahead_of((const char *)volume + (size_t)next * size_of(type), more, 0, columns * rows, size_of(type));
        filter_f32(part, &(lines_t){1, columns, wide, 1, x0, x1}, &g[2][0], &scratch,
                   &(store_t){by_rows + z * broad, 0, lined_up, TURNED, 1.0});
    }
    /* both along slices */
    for (index_t y = 0; y < wide; y++) {
        index_t from = reach[4 * y], to = reach[4 * y + 1];
        const index_t below = reach[4 * y + 2], above = reach[4 * y + 3];
        if (below == above)
            continue;
        in_eights(&from, &to, broad);
        const lines_t lines = {1, slices, to - from, broad, z0 + below, z0 + above};
        float *const sum = out + below * plane + y * broad + from;
        filter_f32(by_columns + y * lined_up + from, &lines, &g[0][0], &scratch,
                   &(store_t){sum, 0, plane, SCALED, factors[2]});
        filter_f32(by_rows + y * lined_up + from, &lines, &g[0][0], &scratch,
                   &(store_t){sum, 0, plane, ADDED, factors[1]});
    }
    /* along slices, columns, rows */
    OF_TYPE(filter)(rows_last, &(lines_t){1, slices, columns * rows, columns * rows, z0, z1}, &g[0][1], &scratch,
                    &(store_t){between, 0, columns * rows, PLAIN, 1.0});
    for (index_t z = 0; z < high; z++) {
        index_t from = reach[4 * (wide + z)], to = reach[4 * (wide + z) + 1];
        const index_t before = reach[4 * (wide + z) + 2], behind = reach[4 * (wide + z) + 3];
        if (before == behind)
            continue;
        in_eights(&from, &to, broad);
        scratch.ahead = ahead_of(out + z * plane, 1, 0, plane, sizeof *out);
        filter_f32(between + z * columns * rows, &(lines_t){1, columns, rows, rows, x0 + from, x0 + to}, &g[2][0],
                   &scratch, &(store_t){part, 0, rows, PLAIN, 1.0});
        scratch.ahead = ahead_of(between + (z + 1) * columns * rows, z + 1 < high, 0, columns * rows, sizeof *between);
        filter_f32(part, &(lines_t){1, rows, to - from, 1, y0 + before, y0 + behind}, &g[1][0], &scratch,
                   &(store_t){out + z * plane + before * broad + from, 0, broad, ADDED, factors[0]});
    }
    free(scratch.memory), free(part), free(slice);
    return 0;
}
