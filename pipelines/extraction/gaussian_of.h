/*
 * The recursive Gaussian for one type of image. Included by gaussian.c for each REAL; functions are named OF_TYPE(name).
 */

/*
 * Filter LINES lines of `count` samples (at least 4), sample i of line x at in[i * step + x], to out[(i - first) * apart
 * + x] for i from `first` to `stop`.
 *
 *   result = causal + anticausal, with
 *   causal(i) = sum_k n(k) in(i-k) - sum_k d(k) causal(i-1-k),
 *   anticausal(i) = sum_k m(k) in(i+1+k) - sum_k d(k) anticausal(i+1+k), borders continued with the border value
 *
 * The lines behind these are fetched meanwhile: samples of a line may lie pages apart, and nothing else foretells them.
 * `causal` has room for max(stop, 4) * LINES numbers. Source: Farneback & Westin 2006, "Improving Deriche-style
 * recursive Gaussian filters"; order of operations of itk::RecursiveSeparableImageFilter::FilterDataArray.
 */
static INLINE void OF_TYPE(filter_lines)(const REAL *restrict in, index_t step, index_t count, const gaussian_t *g,
                                         index_t first, index_t stop, double *restrict causal, float *restrict out,
                                         index_t apart, const store_t *store)
{
#define IN(i) ((double)in[(i) * step + x])
#define OUT(i) causal[(i) * LINES + x]
#define DATA(k) data[k][x]
#define BACK(k) back[k][x]
    const double n0 = g->n[0], n1 = g->n[1], n2 = g->n[2], n3 = g->n[3];
    const double d1 = g->d[0], d2 = g->d[1], d3 = g->d[2], d4 = g->d[3];
    const double m1 = g->m[0], m2 = g->m[1], m3 = g->m[2], m4 = g->m[3];
    const double *bn = g->bn, *bm = g->bm;
    const index_t last = count - 1;
    double data[4][LINES], back[4][LINES];

    for (int x = 0; x < LINES; x++) {
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
    for (int x = 0; x < LINES; x++) {
        DATA(1) = IN(1);
        DATA(2) = IN(2);
        DATA(3) = IN(3);
    }
    /* sample i lies in data[i % 4], in place of the one that is no longer needed: each is converted once */
#define STEP_ON(NEW, ONE, TWO, THREE)                                                                                \
    for (int x = 0; x < LINES; x++) {                                                                                \
        const double value = IN(i);                                                                                  \
        OUT(i) = (value * n0 + DATA(ONE) * n1 + DATA(TWO) * n2 + DATA(THREE) * n3) -                                 \
                 (OUT(i - 1) * d1 + OUT(i - 2) * d2 + OUT(i - 3) * d3 + OUT(i - 4) * d4);                            \
        DATA(NEW) = value;                                                                                           \
    }                                                                                                                \
    if (step != LINES) {                                                                                             \
        fetch(in + i * step, LINES * sizeof *in, LINES * sizeof *in);                                                \
        if (i >= first)                                                                                              \
            fetch(out + (i - first) * apart, LINES * sizeof *out, LINES * sizeof *out);                              \
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

    for (int x = 0; x < LINES; x++) {
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
            store_lines(&causal[(last - k) * LINES], back[k], out + (last - k - first) * apart, store);
    for (int x = 0; x < LINES; x++) {
        DATA(0) = IN(last);
        DATA(1) = IN(last - 1);
        DATA(2) = IN(last - 2);
    }
    /* sample last - k lies in data[k % 4] and its anticausal part in back[k % 4] */
#define STEP_BACK(NEW, ONE, TWO, THREE)                                                                              \
    for (int x = 0; x < LINES; x++) {                                                                                \
        const double value = IN(i + 1), fourth = DATA(NEW);                                                          \
        BACK(NEW) = (value * m1 + DATA(TWO) * m2 + DATA(THREE) * m3 + fourth * m4) -                                 \
                    (BACK(ONE) * d1 + BACK(TWO) * d2 + BACK(THREE) * d3 + BACK(NEW) * d4);                           \
        DATA(ONE) = value;                                                                                           \
    }                                                                                                                \
    if (i < stop)                                                                                                    \
        store_lines(causal + i * LINES, back[NEW], out + (i - first) * apart, store);                                \
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

/* Copy `used` lines of `count` samples, `next` apart and their samples `along` apart, to a tile of LINES lines. */
static INLINE void OF_TYPE(fill_tile)(const REAL *restrict in, index_t next, index_t along, index_t count,
                                      index_t used, REAL *restrict tile)
{
    for (index_t x = 0; x < LINES; x += 4) {
        const REAL *a = in + lesser(x, used - 1) * next, *b = in + lesser(x + 1, used - 1) * next;
        const REAL *c = in + lesser(x + 2, used - 1) * next, *d = in + lesser(x + 3, used - 1) * next;
        REAL *to = tile + x;
        index_t i = 0;
        /* for a REAL that is float */
        for (; sizeof(REAL) == sizeof(float) && along == 1 && i + 3 < count; i += 4, to += 4 * LINES)
            transpose((const float *const[4]){(const void *)(a + i), (const void *)(b + i), (const void *)(c + i),
                                              (const void *)(d + i)},
                      (float *const[4]){(void *)to, (void *)(to + LINES), (void *)(to + 2 * LINES),
                                        (void *)(to + 3 * LINES)});
        for (; i < count; i++, to += LINES) {
            to[0] = a[i * along];
            to[1] = b[i * along];
            to[2] = c[i * along];
            to[3] = d[i * along];
        }
    }
}

/* Store what the lines of a tile have become; see `fill_tile`. */
static INLINE void OF_TYPE(empty_tile)(const float *restrict tile, index_t next, index_t along, index_t count,
                                       index_t used, float *restrict out, const store_t *store)
{
    const index_t whole = along == 1 && !store->add ? used & ~(index_t)3 : 0, fours = count & ~(index_t)3;
    for (index_t x = 0; x < whole; x += 4) {
        float *a = out + x * next, *b = a + next, *c = b + next, *d = c + next;
        for (index_t i = 0; i < fours; i += 4) {
            const float *from = tile + i * LINES + x;
            transpose((const float *const[4]){from, from + LINES, from + 2 * LINES, from + 3 * LINES},
                      (float *const[4]){a + i, b + i, c + i, d + i});
        }
    }
    for (index_t x = 0; x < used; x++)
        for (index_t i = x < whole ? fours : 0; i < count; i++) {
            float *to = out + x * next + i * along;
            *to = store->add ? (float)((double)*to + (double)tile[i * LINES + x] * store->factor)
                             : tile[i * LINES + x];
        }
}

/*
 * Filter all lines of a volume.
 *
 * ITK stores every pass in single precision, so `out` is float; the recursion runs in double precision.
 */
HOTTER static int OF_TYPE(filter)(const REAL *restrict in, const lines_t *l, const gaussian_t *g, float *restrict out,
                               const store_t *store)
{
    const store_t plain = {0, 1.0};
    const index_t count = l->axis == 0 ? l->slices : l->axis == 1 ? l->rows : l->columns, kept = l->stop - l->first;
    const index_t outer = l->axis == 1 ? l->slices : 1;
    const index_t inner = l->axis == 0 ? l->rows * l->columns : l->axis == 1 ? l->columns : l->slices * l->rows;
    double *causal = malloc(sizeof *causal * (size_t)((count + 4) * LINES));
    REAL *tile = malloc(sizeof *tile * (size_t)(count * LINES));
    float *result = malloc(sizeof *result * (size_t)((kept + 1) * LINES));

    if (!causal || !tile || !result) {
        free(causal), free(tile), free(result);
        return -1;
    }
    for (index_t o = 0; o < outer; o++)
        for (index_t next = 0; next < inner; next += LINES) {
            /* the last lines once more together with some before them, if that changes nothing */
            const index_t again = l->axis < 2 && inner > LINES && !store->add;
            const index_t r = again ? lesser(next, inner - LINES) : next, used = lesser(inner - r, LINES);
            const REAL *from = in + o * count * inner + r;
            float *to = out + o * kept * inner + r;
            if (l->axis < 2 && used == LINES) {
                OF_TYPE(filter_lines)(from, inner, count, g, l->first, l->stop, causal, to, inner, store);
                continue;
            }
            /* lines side by side, whatever they are in the volume */
            if (l->axis == 2)
                OF_TYPE(fill_tile)(in + r * count, count, 1, count, used, tile);
            else
                OF_TYPE(fill_tile)(from, 1, inner, count, used, tile);
            OF_TYPE(filter_lines)(tile, LINES, count, g, l->first, l->stop, causal, result, LINES, &plain);
            if (l->axis == 2)
                OF_TYPE(empty_tile)(result, kept, 1, kept, used, out + r * kept, store);
            else
                OF_TYPE(empty_tile)(result, 1, inner, kept, used, to, store);
        }
    free(causal), free(tile), free(result);
    return 0;
}

/* Filter a volume along `axis` and keep the results `first` to `stop` on that axis only. */
int OF_TYPE(recursive_gaussian)(const REAL *in, index_t slices, index_t rows, index_t columns, int axis,
                                index_t first, index_t stop, const double *coefficients, float *out)
{
    const lines_t lines = {slices, rows, columns, axis, first, stop};
    gaussian_t g;

    memcpy(&g, coefficients, sizeof g);
    return OF_TYPE(filter)(in, &lines, &g, out, &(store_t){0, 1.0});
}

/*
 * The Laplacian of Gaussian within `box` (first and stop along slices, rows and columns).
 *
 *   sum over the axes of factor(axis) * (second derivative along it, then the Gaussian along the two others)
 *
 * coefficients  (3, 2, 20): for each axis those of the Gaussian and of its second derivative.
 * out           zeroed, as large as the box.
 *
 * Columns come before rows before slices, both in the sum and among the Gaussians, each stored in single precision.
 * Passes within slices take a few slices at a time, so that what one pass writes is still in the cache for the next.
 * Source: itk::LaplacianRecursiveGaussianImageFilter::GenerateData.
 */
int OF_TYPE(laplacian)(const REAL *in, index_t slices, index_t rows, index_t columns, const index_t *box,
                       const double *coefficients, const double *factors, float *out)
{
    const index_t kept[3] = {box[1] - box[0], box[3] - box[2], box[5] - box[4]};
    const index_t plane = kept[1] * kept[2], group = SLICES_AT_ONCE;
    /* along slices the first pass needs them all, along columns and rows the last one */
    const index_t largest = kept[0] * rows * columns, slab = group * (kept[2] * rows + kept[1] * columns);
    float *curved = malloc(sizeof *curved * (size_t)(largest + slab));
    float *smooth = malloc(sizeof *smooth * (size_t)(slices * plane + group * rows * kept[2]));
    gaussian_t g[3][2];
    int failed = curved && smooth ? 0 : -1;

    memcpy(g, coefficients, sizeof g);
    for (int axis = 2; axis >= 1 && !failed; axis--) {
        const int other = 3 - axis;
        for (index_t z = 0; z < slices && !failed; z += group) {
            lines_t l = {lesser(slices - z, group), rows, columns, axis, box[2 * axis], box[2 * axis + 1]};
            failed |= OF_TYPE(filter)(in + z * rows * columns, &l, &g[axis][1], curved, &(store_t){0, 1.0});
            *(axis == 2 ? &l.columns : &l.rows) = kept[axis];
            l.axis = other, l.first = box[2 * other], l.stop = box[2 * other + 1];
            failed |= filter_f32(curved, &l, &g[other][0], smooth + z * plane, &(store_t){0, 1.0});
        }
        const lines_t last = {slices, kept[1], kept[2], 0, box[0], box[1]};
        failed |= failed ? 0 : filter_f32(smooth, &last, &g[0][0], out, &(store_t){1, factors[axis]});
    }
    const lines_t all = {slices, rows, columns, 0, box[0], box[1]};
    failed |= failed ? 0 : OF_TYPE(filter)(in, &all, &g[0][1], curved, &(store_t){0, 1.0});
    for (index_t z = 0; z < kept[0] && !failed; z += group) {
        lines_t l = {lesser(kept[0] - z, group), rows, columns, 2, box[4], box[5]};
        failed |= filter_f32(curved + z * rows * columns, &l, &g[2][0], smooth, &(store_t){0, 1.0});
        l.columns = kept[2];
        l.axis = 1, l.first = box[2], l.stop = box[3];
        failed |= filter_f32(smooth, &l, &g[1][0], out + z * plane, &(store_t){1, factors[0]});
    }
    free(curved), free(smooth);
    return failed;
}
