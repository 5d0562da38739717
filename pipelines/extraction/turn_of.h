/*
 * Turning of matrices of one type. Included for each REAL, of which a WHOLE number has as many bits; functions are named
 * OF_TYPE(name). Compilers do not find these shuffles themselves.
 */
#if defined(__GNUC__) && !defined(__clang__)
#define SHUFFLES 1
/* Write four rows of four numbers, `step` apart, as columns: to rows that are `apart` apart. */
static INLINE void OF_TYPE(transpose_four)(const REAL *from, index_t step, REAL *to, index_t apart)
{
    typedef REAL four_t __attribute__((vector_size(4 * sizeof(REAL))));
    typedef WHOLE places_t __attribute__((vector_size(4 * sizeof(WHOLE))));
    const places_t low = {0, 4, 1, 5}, high = {2, 6, 3, 7}, first = {0, 1, 4, 5}, second = {2, 3, 6, 7};
    four_t row[4], column[4];
    for (int k = 0; k < 4; k++)
        memcpy(&row[k], from + k * step, sizeof row[k]);
    for (int half = 0; half < 2; half++) {
        const four_t a = __builtin_shuffle(row[0], row[1], half ? high : low);
        const four_t b = __builtin_shuffle(row[2], row[3], half ? high : low);
        column[2 * half] = __builtin_shuffle(a, b, first);
        column[2 * half + 1] = __builtin_shuffle(a, b, second);
    }
    for (int k = 0; k < 4; k++)
        memcpy(to + k * apart, &column[k], sizeof column[k]);
}

/* Write EIGHT rows of as many numbers as columns; they need as many registers as processors with AVX-512 have. */
static INLINE void OF_TYPE(transpose_eight)(const REAL *from, index_t step, REAL *to, index_t apart)
{
#if __GNUC__ >= 12
    typedef REAL four_t __attribute__((vector_size(4 * sizeof(REAL))));
    typedef REAL eight_t __attribute__((vector_size(8 * sizeof(REAL))));
    typedef WHOLE places_t __attribute__((vector_size(8 * sizeof(WHOLE))));
    const places_t low = {0, 8, 1, 9, 4, 12, 5, 13}, high = {2, 10, 3, 11, 6, 14, 7, 15};
    const places_t first = {0, 1, 8, 9, 4, 5, 12, 13}, second = {2, 3, 10, 11, 6, 7, 14, 15};
    eight_t row[4];
    for (int side = 0; side < 2; side++) {
        /* half of a row and of the fourth after it in one register: to load them so is cheaper than to shuffle later */
        for (int k = 0; k < 4; k++) {
            four_t a, b;
            memcpy(&a, from + k * step + 4 * side, sizeof a);
            memcpy(&b, from + (k + 4) * step + 4 * side, sizeof b);
            row[k] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
        }
        for (int half = 0; half < 2; half++) {
            const eight_t a = __builtin_shuffle(row[0], row[1], half ? high : low);
            const eight_t b = __builtin_shuffle(row[2], row[3], half ? high : low);
            const eight_t one = __builtin_shuffle(a, b, first), other = __builtin_shuffle(a, b, second);
            memcpy(to + (4 * side + 2 * half) * apart, &one, sizeof one);
            memcpy(to + (4 * side + 2 * half + 1) * apart, &other, sizeof other);
        }
    }
#else
    for (int y = 0; y < EIGHT; y += 4)
        for (int x = 0; x < EIGHT; x += 4)
            OF_TYPE(transpose_four)(from + y * step + x, step, to + x * apart + y, apart);
#endif
}
#endif

/* Write a matrix of `rows` rows, `step` apart, as its transpose, whose rows are `apart` apart: 4 or EIGHT rows at once. */
static INLINE void OF_TYPE(turn_matrix)(const REAL *restrict in, index_t rows, index_t step, index_t columns,
                                        REAL *restrict out, index_t apart, const index_t at_once)
{
#ifdef SHUFFLES
    if (rows >= at_once && columns >= at_once) {
        /* the last ones once more together with some before them */
        for (index_t r = 0; r < rows; r += at_once)
            for (index_t c = 0; c < columns; c += at_once) {
                const index_t y = lesser(r, rows - at_once), x = lesser(c, columns - at_once);
                if (at_once == EIGHT)
                    OF_TYPE(transpose_eight)(in + y * step + x, step, out + x * apart + y, apart);
                else
                    OF_TYPE(transpose_four)(in + y * step + x, step, out + x * apart + y, apart);
            }
        return;
    }
#endif
    for (index_t r = 0; r < rows; r += at_once)
        for (index_t c = 0; c < columns; c++)
            for (index_t y = r; y < lesser(rows, r + at_once); y++)
                out[c * apart + y] = in[y * step + c];
}
