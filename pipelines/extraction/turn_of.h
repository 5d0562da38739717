/* Turning for one type of image. Included by gaussian.c for each REAL; functions are named OF_TYPE(name). */

/* Write a matrix of `rows` rows, `step` apart, as its transpose, whose rows are `apart` apart. */
static INLINE void OF_TYPE(turn_matrix)(const REAL *restrict in, index_t rows, index_t step, index_t columns,
                                        REAL *restrict out, index_t apart)
{
    /* for a REAL that is float */
    const index_t fours = sizeof(REAL) == sizeof(float) ? columns & ~(index_t)3 : 0;
    for (index_t r = 0; r < rows; r += 4) {
        const REAL *a = in + r * step;
        REAL *to = out + r;
        index_t c = 0;
        for (; r + 3 < rows && c < fours; c += 4, to += 4 * apart)
            transpose((const float *const[4]){(const void *)(a + c), (const void *)(a + step + c),
                                              (const void *)(a + 2 * step + c), (const void *)(a + 3 * step + c)},
                      (float *const[4]){(void *)to, (void *)(to + apart), (void *)(to + 2 * apart),
                                        (void *)(to + 3 * apart)});
        for (; c < columns; c++, to += apart)
            for (index_t k = 0; k < lesser(rows - r, 4); k++)
                to[k] = a[k * step + c];
    }
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
                OF_TYPE(turn_matrix)(some, used, LONG, count, out + (z * columns + x) * rows + y, rows);
            }
}
