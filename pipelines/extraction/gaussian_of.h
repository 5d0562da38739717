/*
 * The recursive Gaussian for one type of image. Included by gaussian.c for each REAL; functions are named OF_TYPE(name).
 */

/*
 * Filter `lines` lines of `count` samples (at least 4), sample i of line x at in[i * step + x], to out[(i - first) *
 * apart + x] for i from `first` to `stop`.
 *
 *   result = causal + anticausal, with
 *   causal(i) = sum_k n(k) in(i-k) - sum_k d(k) causal(i-1-k),
 *   anticausal(i) = sum_k m(k) in(i+1+k) - sum_k d(k) anticausal(i+1+k), borders continued with the border value
 *
 * The lines behind these are fetched meanwhile: samples of a line may lie pages apart, and nothing else foretells them.
 * `causal` has room for max(stop, 4) * lines numbers. Source: Farneback & Westin 2006, "Improving Deriche-style
 * recursive Gaussian filters"; order of operations of itk::RecursiveSeparableImageFilter::FilterDataArray.
 */
static INLINE void OF_TYPE(filter_lines)(const REAL *restrict in, index_t step, const lines_t *l, const gaussian_t *g,
                                         double *restrict causal, float *restrict out, index_t apart, const how_t how,
                                         const double factor, const int lines)
{
#define IN(i) ((double)in[(i) * step + x])
#define OUT(i) causal[(i) * lines + x]
#define DATA(k) data[k][x]
#define BACK(k) back[k][x]
    const double n0 = g->n[0], n1 = g->n[1], n2 = g->n[2], n3 = g->n[3];
    const double d1 = g->d[0], d2 = g->d[1], d3 = g->d[2], d4 = g->d[3];
    const double m1 = g->m[0], m2 = g->m[1], m3 = g->m[2], m4 = g->m[3];
    const double *bn = g->bn, *bm = g->bm;
    const index_t first = l->first, stop = l->stop, last = l->count - 1;
    double data[4][LINES], back[4][LINES];

    for (int x = 0; x < lines; x++) {
        const double v = IN(0);
        OUT(0) = v * n0 + v * n1 + v * n2 + v * n3;
        OUT(1) = IN(1) * n0 + v * n1 + v * n2 + v * n3;
        OUT(2) = IN(2) * n0 + IN(1) * n1 + v * n2 + v * n3;
        OUT(3) = IN(3) * n0 + IN(2) * n1 + IN(1) * n2 + v * n3;
        OUT(0) -= v * bn[0] + v * bn[1] + v * bn[2] + v * bn[3];
        OUT(1) -= OUT(0) * d1 + v * bn[1] + v * bn[2] + v * bn[3];
        OUT(2) -= OUT(1) * d1 + OUT(0) * d2 + v * bn[2] + v * bn[3];
        OUT(3) -= OUT(2) * d1 + OUT(1) * d2 + OUT(0) * d3 + v * bn[3];
    }
    for (int x = 0; x < lines; x++) {
        DATA(1) = IN(1);
        DATA(2) = IN(2);
        DATA(3) = IN(3);
    }
    /* sample i lies in data[i % 4], in place of the one that is no longer needed: each is converted once */
#define STEP_ON(NEW, ONE, TWO, THREE)                                                                                \
    for (int x = 0; x < lines; x++) {                                                                                \
        const double value = IN(i);                                                                                  \
        OUT(i) = (value * n0 + DATA(ONE) * n1 + DATA(TWO) * n2 + DATA(THREE) * n3) -                                 \
                 (OUT(i - 1) * d1 + OUT(i - 2) * d2 + OUT(i - 3) * d3 + OUT(i - 4) * d4);                            \
        DATA(NEW) = value;                                                                                           \
    }                                                                                                                \
    if (step != LINES) {                                                                                             \
        fetch(in + i * step, (size_t)lines * sizeof *in, (size_t)lines * sizeof *in);                                                \
        if (i >= first)                                                                                              \
            fetch(out + (i - first) * apart, (size_t)lines * sizeof *out, (size_t)lines * sizeof *out);                              \
    }                                                                                                                \
    if (++i >= stop)                                                                                                 \
        break
    for (index_t i = 4; i < stop;) {
        STEP_ON(0, 3, 2, 1);
        STEP_ON(1, 0, 3, 2);
        STEP_ON(2, 1, 0, 3);
        STEP_ON(3, 2, 1, 0);
    }
#undef STEP_ON

    for (int x = 0; x < lines; x++) {
        const double v = IN(last);
        BACK(0) = v * m1 + v * m2 + v * m3 + v * m4;
        BACK(1) = IN(last) * m1 + v * m2 + v * m3 + v * m4;
        BACK(2) = IN(last - 1) * m1 + IN(last) * m2 + v * m3 + v * m4;
        BACK(3) = IN(last - 2) * m1 + IN(last - 1) * m2 + IN(last) * m3 + v * m4;
        BACK(0) -= v * bm[0] + v * bm[1] + v * bm[2] + v * bm[3];
        BACK(1) -= BACK(0) * d1 + v * bm[1] + v * bm[2] + v * bm[3];
        BACK(2) -= BACK(1) * d1 + BACK(0) * d2 + v * bm[2] + v * bm[3];
        BACK(3) -= BACK(2) * d1 + BACK(1) * d2 + BACK(0) * d3 + v * bm[3];
    }
    for (int k = 0; k < 4; k++)
        if (last - k >= first && last - k < stop)
            store_lines(&causal[(last - k) * lines], back[k], out + (last - k - first) * apart, how, factor, lines);
    for (int x = 0; x < lines; x++) {
        DATA(0) = IN(last);
        DATA(1) = IN(last - 1);
        DATA(2) = IN(last - 2);
    }
    /* sample last - k lies in data[k % 4] and its anticausal part in back[k % 4] */
#define STEP_BACK(NEW, ONE, TWO, THREE)                                                                              \
    for (int x = 0; x < lines; x++) {                                                                                \
        const double value = IN(i + 1), fourth = DATA(NEW);                                                          \
        BACK(NEW) = (value * m1 + DATA(TWO) * m2 + DATA(THREE) * m3 + fourth * m4) -                                 \
                    (BACK(ONE) * d1 + BACK(TWO) * d2 + BACK(THREE) * d3 + BACK(NEW) * d4);                           \
        DATA(ONE) = value;                                                                                           \
    }                                                                                                                \
    if (i < stop)                                                                                                    \
        store_lines(causal + i * lines, back[NEW], out + (i - first) * apart, how, factor, lines);                                \
    if (--i < first)                                                                                                 \
        break
    for (index_t i = last - 4; i >= first;) {
        STEP_BACK(0, 3, 2, 1);
        STEP_BACK(1, 0, 3, 2);
        STEP_BACK(2, 1, 0, 3);
        STEP_BACK(3, 2, 1, 0);
    }
#undef STEP_BACK
#undef IN
#undef OUT
#undef DATA
#undef BACK
}

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

/* Filter up to LINES lines, of which the first `used` are stored: as few more as vector registers hold. */
static INLINE void OF_TYPE(filter_some)(index_t used, const REAL *restrict in, index_t step, const lines_t *l,
                                        const gaussian_t *g, double *restrict causal, float *restrict out,
                                        index_t apart, const how_t how, const double factor)
{
    if (used > 24)
        OF_TYPE(filter_lines)(in, step, l, g, causal, out, apart, how, factor, 32);
    else if (used > 16)
        OF_TYPE(filter_lines)(in, step, l, g, causal, out, apart, how, factor, 24);
    else if (used > 8)
        OF_TYPE(filter_lines)(in, step, l, g, causal, out, apart, how, factor, 16);
    else
        OF_TYPE(filter_lines)(in, step, l, g, causal, out, apart, how, factor, 8);
}

/*
 * Filter the lines of a volume (outer, count, step), of which the first `inner` are wanted, and store the results or a
 * multiple of them, side by side what lies side by side.
 *
 * ITK stores every pass in single precision, so the results are float; the recursion runs in double precision.
 */
HOTTER static void OF_TYPE(filter_across)(const REAL *restrict in, const lines_t *l, const gaussian_t *g,
                                          const scratch_t *scratch, const store_t *store)
{
    REAL *tile = scratch->tile;
    for (index_t o = 0; o < l->outer; o++)
        for (index_t next = 0; next < l->inner;) {
            const index_t left = lesser(l->inner - next, LINES), width = (left + VECTOR - 1) / VECTOR * VECTOR;
            /* the last lines once more together with some before them */
            const index_t x = left < width && l->inner >= width ? l->inner - width : next;
            const index_t used = lesser(l->inner - x, width);
            const REAL *from = in + o * l->count * l->step + x;
            float *to = store->out + o * store->outer + x;
            if (used < width) {
                for (index_t i = 0; i < l->count; i++)
                    memcpy(tile + i * LINES, from + i * l->step, sizeof *tile * (size_t)used);
                OF_TYPE(filter_some)(used, tile, LINES, l, g, scratch->causal, scratch->result, LINES, PLAIN, 1.0);
                store_tile(scratch->result, l->stop - l->first, used, to, store);
            } else if (store->how == SCALED)
                OF_TYPE(filter_some)(used, from, l->step, l, g, scratch->causal, to, store->apart, SCALED,
                                     store->factor);
            else
                OF_TYPE(filter_some)(used, from, l->step, l, g, scratch->causal, to, store->apart, PLAIN, 1.0);
            next = x + used;
        }
}

/* Write a volume (outer, rows, columns) as (outer, columns, rows); its rows are `step` apart, its blocks `next`. */
HOT void OF_TYPE(turn)(const REAL *restrict in, index_t outer, index_t next, index_t rows, index_t step,
                       index_t columns, REAL *restrict out)
{
    for (index_t o = 0; o < outer; o++)
        OF_TYPE(turn_matrix)(in + o * next, rows, step, columns, out + o * rows * columns, rows);
}
