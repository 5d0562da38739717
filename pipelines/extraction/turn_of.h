/* Turning for one type of image. Included by gaussian.c for each REAL; functions are named OF_TYPE(name). */

/* Write a matrix of `rows` rows, `step` apart, as its transpose, whose rows are `apart` apart: 4 or EIGHT rows at once. */
static INLINE void OF_TYPE(turn_matrix)(const REAL *restrict in, index_t rows, index_t step, index_t columns,
                                        REAL *restrict out, index_t apart, const index_t at_once)
{
#ifdef SHUFFLES
    if (sizeof *in == sizeof(float) && rows >= at_once && columns >= at_once) {
        /* the last ones once more together with some before them */
        for (index_t r = 0; r < rows; r += at_once)
            for (index_t c = 0; c < columns; c += at_once) {
                const index_t y = lesser(r, rows - at_once), x = lesser(c, columns - at_once);
                const void *const from = in + y * step + x;
                void *const to = out + x * apart + y;
                if (at_once == EIGHT)
                    transpose_eight(from, step, to, apart);
                else
                    transpose_four(from, step, to, apart);
            }
        return;
    }
#endif
    for (index_t r = 0; r < rows; r += at_once)
        for (index_t c = 0; c < columns; c++)
            for (index_t y = r; y < lesser(rows, r + at_once); y++)
                out[c * apart + y] = in[y * step + c];
}

/* Write a volume (slices, rows, columns) of any type that `load` takes as (slices, columns, rows). */
HOT void OF_TYPE(turn)(const void *volume, int type, index_t slices, index_t rows, index_t columns,
                       REAL *restrict out)
{
    enum { LONG = 256 };
    REAL some[4 * LONG];
    for (index_t z = 0; z < slices; z++)
        for (index_t y = 0; y < rows; y += 4)
            for (index_t x = 0; x < columns; x += LONG) {
                const index_t count = lesser(columns - x, LONG), used = lesser(rows - y, 4);
                for (index_t k = 0; k < used; k++)
                    OF_TYPE(load)(volume, type, (z * rows + y + k) * columns + x, count, some + k * LONG);
                OF_TYPE(turn_matrix)(some, used, LONG, count, out + (z * columns + x) * rows + y, rows, 4);
            }
}
