/*
 * The recursive Gaussian for one type of image and one size of vector registers. Included by filters_of.h for each REAL;
 * functions are named OF_TYPE(name).
 */

/*
 * Filter `many` vectors of lines of `count` samples (at least 4), sample i of line x at in[i * step + x], to out[(i -
 * first) * apart + x] for i from `first` to `stop`.
 *
 *   result = causal + anticausal, with
 *   causal(i) = sum_k n(k) in(i-k) - sum_k d(k) causal(i-1-k),
 *   anticausal(i) = sum_k m(k) in(i+1+k) - sum_k d(k) anticausal(i+1+k), borders continued with the border value
 *
 * Each result waits for the one before: what both need stays in registers, and two vectors or more take turns. The lines
 * behind these, and what is stored, are fetched meanwhile: samples of a line may lie pages apart, and nothing else
 * foretells them.
 * `factor` is null where it is 1: then the sum in double precision, which has more than twice the digits, is rounded to the
 * sum in single precision.
 * `scratch->causal` has room for max(stop, 4) * many vectors. Source: Farneback & Westin 2006, "Improving Deriche-style
 * recursive Gaussian filters"; order of operations of itk::RecursiveSeparableImageFilter::FilterDataArray.
 */
static INLINE void OF_TYPE(filter_lines)(const REAL *restrict in, index_t step, const lines_t *l, const gaussian_t *g,
                                         scratch_t *scratch, float *restrict out, index_t apart, const how_t how,
                                         const double *const factor, const int many)
{
#if defined(__GNUC__) && !defined(__clang__)
#define EACH                                                                                                         \
    _Pragma("GCC unroll 4") for (int v = 0; v < many; v++)
#else
#define EACH for (int v = 0; v < many; v++)
#endif
#define READ(to, i)                                                                                                  \
    for (int x = 0; x < VECTOR; x++)                                                                                 \
    LANE(to, x) = (double)in[(i) * step + v * VECTOR + x]
#define CAUSAL(i) (causal + ((i) * many + v) * VECTOR)
    const double n0 = g->n[0], n1 = g->n[1], n2 = g->n[2], n3 = g->n[3];
    const double d1 = g->d[0], d2 = g->d[1], d3 = g->d[2], d4 = g->d[3];
    const double m1 = g->m[0], m2 = g->m[1], m3 = g->m[2], m4 = g->m[3];
    const double *bn = g->bn, *bm = g->bm;
    double *const restrict causal = scratch->causal;
    ahead_t ahead = scratch->ahead;
    const index_t first = l->first, stop = l->stop, last = l->count - 1;
    const size_t width = (size_t)(many * VECTOR);
    vector_t data[4][LINES / VECTOR], back[4][LINES / VECTOR];

    /* sample i lies in data[i % 4] and its causal part in back[i % 4], in place of the one that is no longer needed */
    EACH
    {
        for (int k = 0; k < 4; k++)
            READ(data[k][v], k);
        const vector_t a = data[0][v];
        vector_t *of[4] = {&back[0][v], &back[1][v], &back[2][v], &back[3][v]};
        *of[0] = a * n0 + a * n1 + a * n2 + a * n3;
        *of[1] = data[1][v] * n0 + a * n1 + a * n2 + a * n3;
        *of[2] = data[2][v] * n0 + data[1][v] * n1 + a * n2 + a * n3;
        *of[3] = data[3][v] * n0 + data[2][v] * n1 + data[1][v] * n2 + a * n3;
        *of[0] -= a * bn[0] + a * bn[1] + a * bn[2] + a * bn[3];
        *of[1] -= *of[0] * d1 + a * bn[1] + a * bn[2] + a * bn[3];
        *of[2] -= *of[1] * d1 + *of[0] * d2 + a * bn[2] + a * bn[3];
        *of[3] -= *of[2] * d1 + *of[1] * d2 + *of[0] * d3 + a * bn[3];
        for (int k = 0; k < 4; k++)
            memcpy(CAUSAL(k), of[k], sizeof(vector_t));
    }
#define STEP_ON(NEW, ONE, TWO, THREE)                                                                                \
    EACH                                                                                                             \
    {                                                                                                                \
        vector_t value;                                                                                              \
        READ(value, i);                                                                                              \
        back[NEW][v] = (value * n0 + data[ONE][v] * n1 + data[TWO][v] * n2 + data[THREE][v] * n3) -                  \
                       (back[ONE][v] * d1 + back[TWO][v] * d2 + back[THREE][v] * d3 + back[NEW][v] * d4);            \
        data[NEW][v] = value;                                                                                        \
        memcpy(CAUSAL(i), &back[NEW][v], sizeof(vector_t));                                                          \
    }                                                                                                                \
    fetch(in + i * step, width * sizeof *in, width * sizeof *in);                                                    \
    fetch_ahead(&ahead);                                                                                             \
    if (++i >= stop)                                                                                                 \
        break
    for (index_t i = 4; i < stop;) {
        STEP_ON(0, 3, 2, 1);
        STEP_ON(1, 0, 3, 2);
        STEP_ON(2, 1, 0, 3);
        STEP_ON(3, 2, 1, 0);
    }
#undef STEP_ON

    /* as in the accumulation of itk::LaplacianRecursiveGaussianImageFilter; each is rounded to single precision */
#define STORE(i, part)                                                                                               \
    do {                                                                                                             \
        float *const to = out + ((i) - first) * apart + v * VECTOR;                                                  \
        vector_t sum;                                                                                                \
        memcpy(&sum, CAUSAL(i), sizeof sum);                                                                         \
        sum += part;                                                                                                 \
        single_t result = TO(single_t, sum);                                                                         \
        if (how != PLAIN) {                                                                                          \
            single_t there;                                                                                          \
            memset(&there, 0, sizeof there);                                                                         \
            if (how == ADDED)                                                                                        \
                memcpy(&there, to, sizeof there);                                                                    \
            if (factor)                                                                                              \
                result = TO(single_t, TO(vector_t, there) + TO(vector_t, result) * *factor);                         \
            else                                                                                                     \
                result += there;                                                                                     \
        }                                                                                                            \
        memcpy(to, &result, sizeof result);                                                                          \
    } while (0)
    /* sample last - k lies in data[k % 4] and its anticausal part in back[k % 4] */
    EACH
    {
        for (int k = 0; k < 4; k++)
            READ(data[k][v], last - k);
        const vector_t a = data[0][v];
        vector_t *of[4] = {&back[0][v], &back[1][v], &back[2][v], &back[3][v]};
        *of[0] = a * m1 + a * m2 + a * m3 + a * m4;
        *of[1] = a * m1 + a * m2 + a * m3 + a * m4;
        *of[2] = data[1][v] * m1 + a * m2 + a * m3 + a * m4;
        *of[3] = data[2][v] * m1 + data[1][v] * m2 + a * m3 + a * m4;
        *of[0] -= a * bm[0] + a * bm[1] + a * bm[2] + a * bm[3];
        *of[1] -= *of[0] * d1 + a * bm[1] + a * bm[2] + a * bm[3];
        *of[2] -= *of[1] * d1 + *of[0] * d2 + a * bm[2] + a * bm[3];
        *of[3] -= *of[2] * d1 + *of[1] * d2 + *of[0] * d3 + a * bm[3];
        for (int k = 0; k < 4; k++)
            if (last - k >= first && last - k < stop)
                STORE(last - k, *of[k]);
    }
#define STEP_BACK(NEW, ONE, TWO, THREE)                                                                              \
    EACH                                                                                                             \
    {                                                                                                                \
        vector_t value;                                                                                              \
        READ(value, i + 1);                                                                                          \
        back[NEW][v] = (value * m1 + data[TWO][v] * m2 + data[THREE][v] * m3 + data[NEW][v] * m4) -                  \
                       (back[ONE][v] * d1 + back[TWO][v] * d2 + back[THREE][v] * d3 + back[NEW][v] * d4);            \
        data[ONE][v] = value;                                                                                        \
        if (i < stop)                                                                                                \
            STORE(i, back[NEW][v]);                                                                                  \
    }                                                                                                                \
    fetch(out + (i - first) * apart, width * sizeof *out, width * sizeof *out);                                      \
    fetch_ahead(&ahead);                                                                                             \
    if (--i < first)                                                                                                 \
        break
    for (index_t i = last - 4; i >= first;) {
        STEP_BACK(0, 3, 2, 1);
        STEP_BACK(1, 0, 3, 2);
        STEP_BACK(2, 1, 0, 3);
        STEP_BACK(3, 2, 1, 0);
    }
    scratch->ahead = ahead;
#undef STEP_BACK
#undef STORE
#undef CAUSAL
#undef READ
#undef EACH
}

/* Filter as many vectors of lines as a tile may have. */
static INLINE void OF_TYPE(filter_tile)(const REAL *restrict in, index_t step, const lines_t *l, const gaussian_t *g,
                                        scratch_t *scratch, float *restrict out, index_t apart, const how_t how,
                                        const double *const factor, index_t many)
{
    if (many > 3)
        OF_TYPE(filter_lines)(in, step, l, g, scratch, out, apart, how, factor, 4);
    else if (many > 2)
        OF_TYPE(filter_lines)(in, step, l, g, scratch, out, apart, how, factor, 3);
    else if (many > 1)
        OF_TYPE(filter_lines)(in, step, l, g, scratch, out, apart, how, factor, 2);
    else
        OF_TYPE(filter_lines)(in, step, l, g, scratch, out, apart, how, factor, 1);
}

/* Filter as many vectors of lines, and store a multiple of the results or add it. */
static INLINE void OF_TYPE(filter_sum)(const REAL *restrict in, index_t step, const lines_t *l, const gaussian_t *g,
                                       scratch_t *scratch, float *restrict out, const store_t *store, index_t many)
{
    const double *const factor = &store->factor;
    if (store->how == SCALED && *factor == 1.0)
        OF_TYPE(filter_tile)(in, step, l, g, scratch, out, store->apart, SCALED, NULL, many);
    else if (store->how == SCALED)
        OF_TYPE(filter_tile)(in, step, l, g, scratch, out, store->apart, SCALED, factor, many);
    else if (*factor == 1.0)
        OF_TYPE(filter_tile)(in, step, l, g, scratch, out, store->apart, ADDED, NULL, many);
    else
        OF_TYPE(filter_tile)(in, step, l, g, scratch, out, store->apart, ADDED, factor, many);
}

/*
 * Filter the lines of a volume, of which the first `inner` of each block are wanted, and store the results, a multiple of
 * them, or add that. Lines are filtered side by side, in tiles of about as many each: a volume (outer, count, step) where
 * it lies, a volume (outer, inner, count), whose step is 1, turned.
 *
 * ITK stores every pass in single precision, so the results are float; the recursion runs in double precision.
 */
TARGET FILTER(OF_TYPE(filter), REAL)
{
    REAL *const tile = scratch->tile;
    const int along = l->step == 1;
    const index_t block = l->count * (along ? l->inner : l->step);
    const index_t vectors = (l->inner + VECTOR - 1) / VECTOR, tiles = (vectors + MOST - 1) / MOST;
    /* what is added up has been filtered before, so it is float: no code for others */
    const int sums = sizeof *in == sizeof(float) && (store->how == SCALED || store->how == ADDED);
    for (index_t o = 0; o < l->outer; o++)
        for (index_t t = 0; t < tiles; t++) {
            const index_t many = vectors * (t + 1) / tiles - vectors * t / tiles, width = many * VECTOR;
            const index_t next = vectors * t / tiles * VECTOR, left = l->inner - next;
            /* the last lines once more together with some before them */
            const index_t x = left < width && l->inner >= width && store->how != ADDED ? l->inner - width : next;
            const index_t used = lesser(l->inner - x, width);
            const REAL *from = in + o * block + x * (along ? l->count : 1);
            float *to = store->out + o * store->outer + x * (store->how == TURNED ? store->apart : 1);
            index_t step = l->step;
            if (along || used < width) {
                if (along)
                    TURN_MATRIX(from, used, l->count, l->count, tile, LINES, AT_ONCE);
                else
                    for (index_t i = 0; i < l->count; i++)
                        memcpy(tile + i * LINES, from + i * step, sizeof *tile * (size_t)used);
                from = tile;
                step = LINES;
            }
            const int whole = used == width, as_is = whole && store->how == PLAIN;
            float *const result = as_is ? to : scratch->result;
            if (whole && sums)
                OF_TYPE(filter_sum)(from, step, l, g, scratch, to, store, many);
            else
                OF_TYPE(filter_tile)(from, step, l, g, scratch, result, as_is ? store->apart : LINES, PLAIN, NULL, many);
            if (store->how == TURNED)
                turn_matrix_f32(result, l->stop - l->first, LINES, used, to, store->apart, AT_ONCE);
            else if (!as_is && !(whole && sums))
                store_tile(result, l->stop - l->first, used, to, store);
        }
}
