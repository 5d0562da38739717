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

/* Write a volume (outer, rows, columns) as (outer, columns, rows); its rows are `step` apart, its blocks `next`. */
HOT void OF_TYPE(turn)(const REAL *restrict in, index_t outer, index_t next, index_t rows, index_t step,
                       index_t columns, REAL *restrict out)
{
    for (index_t o = 0; o < outer; o++)
        OF_TYPE(turn_matrix)(in + o * next, rows, step, columns, out + o * rows * columns, rows);
}
