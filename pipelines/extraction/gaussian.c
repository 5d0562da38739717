/* Recursive Gaussian filter. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

enum { GAUSSIAN_LINES = 32 };

/* The twenty coefficients of one recursive Gaussian, in the order in which they come from Python. */
typedef struct {
    double n[4];  /* causal, on the data */
    double d[4];  /* both, on the result */
    double m[4];  /* anticausal, on the data */
    double bn[4]; /* causal, beyond the first sample */
    double bm[4]; /* anticausal, beyond the last sample */
} gaussian_t;

/*
 * Filter GAUSSIAN_LINES lines of `count` samples, sample i of line x at [i * GAUSSIAN_LINES + x]; count is at least 4.
 *
 *   out = causal + anticausal, with
 *   causal(i) = sum_k n(k) in(i-k) - sum_k d(k) causal(i-1-k),
 *   anticausal(i) = sum_k m(k) in(i+1+k) - sum_k d(k) anticausal(i+1+k), borders continued with the border value
 *
 * Source: Farneback & Westin 2006, "Improving Deriche-style recursive Gaussian filters"; order of operations of
 * itk::RecursiveSeparableImageFilter::FilterDataArray.
 */
HOT static void gaussian_lines(const double *restrict in, double *restrict out, double *restrict back, index_t count,
                           const gaussian_t *g)
{
#define AT(a, i) a[(i) * GAUSSIAN_LINES + x]
    const double n0 = g->n[0], n1 = g->n[1], n2 = g->n[2], n3 = g->n[3];
    const double d1 = g->d[0], d2 = g->d[1], d3 = g->d[2], d4 = g->d[3];
    const double m1 = g->m[0], m2 = g->m[1], m3 = g->m[2], m4 = g->m[3];
    const double *bn = g->bn, *bm = g->bm;
    const index_t last = count - 1;

    for (int x = 0; x < GAUSSIAN_LINES; x++) {
        const double v = AT(in, 0);
        AT(out, 0) = v * n0 + v * n1 + v * n2 + v * n3;
        AT(out, 1) = AT(in, 1) * n0 + v * n1 + v * n2 + v * n3;
        AT(out, 2) = AT(in, 2) * n0 + AT(in, 1) * n1 + v * n2 + v * n3;
        AT(out, 3) = AT(in, 3) * n0 + AT(in, 2) * n1 + AT(in, 1) * n2 + v * n3;
        AT(out, 0) -= v * bn[0] + v * bn[1] + v * bn[2] + v * bn[3];
        AT(out, 1) -= AT(out, 0) * d1 + v * bn[1] + v * bn[2] + v * bn[3];
        AT(out, 2) -= AT(out, 1) * d1 + AT(out, 0) * d2 + v * bn[2] + v * bn[3];
        AT(out, 3) -= AT(out, 2) * d1 + AT(out, 1) * d2 + AT(out, 0) * d3 + v * bn[3];
    }
    for (index_t i = 4; i < count; i++)
        for (int x = 0; x < GAUSSIAN_LINES; x++)
            AT(out, i) = (AT(in, i) * n0 + AT(in, i - 1) * n1 + AT(in, i - 2) * n2 + AT(in, i - 3) * n3) -
                         (AT(out, i - 1) * d1 + AT(out, i - 2) * d2 + AT(out, i - 3) * d3 + AT(out, i - 4) * d4);

    for (int x = 0; x < GAUSSIAN_LINES; x++) {
        const double v = AT(in, last);
        AT(back, last) = v * m1 + v * m2 + v * m3 + v * m4;
        AT(back, last - 1) = AT(in, last) * m1 + v * m2 + v * m3 + v * m4;
        AT(back, last - 2) = AT(in, last - 1) * m1 + AT(in, last) * m2 + v * m3 + v * m4;
        AT(back, last - 3) = AT(in, last - 2) * m1 + AT(in, last - 1) * m2 + AT(in, last) * m3 + v * m4;
        AT(back, last) -= v * bm[0] + v * bm[1] + v * bm[2] + v * bm[3];
        AT(back, last - 1) -= AT(back, last) * d1 + v * bm[1] + v * bm[2] + v * bm[3];
        AT(back, last - 2) -= AT(back, last - 1) * d1 + AT(back, last) * d2 + v * bm[2] + v * bm[3];
        AT(back, last - 3) -= AT(back, last - 2) * d1 + AT(back, last - 1) * d2 + AT(back, last) * d3 + v * bm[3];
        for (int k = 0; k < 4; k++)
            AT(out, last - k) += AT(back, last - k);
    }
    for (index_t i = count - 5; i >= 0; i--)
        for (int x = 0; x < GAUSSIAN_LINES; x++) {
            const double value =
                (AT(in, i + 1) * m1 + AT(in, i + 2) * m2 + AT(in, i + 3) * m3 + AT(in, i + 4) * m4) -
                (AT(back, i + 1) * d1 + AT(back, i + 2) * d2 + AT(back, i + 3) * d3 + AT(back, i + 4) * d4);
            AT(back, i) = value;
            AT(out, i) += value;
        }
#undef AT
}

/*
 * Filter a volume along `axis` (0 slices, 1 rows, 2 columns) and keep the results `first` to `stop` on that axis only.
 *
 * ITK stores every pass in single precision, so `in` and `out` are float; the recursion runs in double precision.
 */
int recursive_gaussian(const float *restrict in, index_t slices, index_t rows, index_t columns, int axis,
                       index_t first, index_t stop, const double *coefficients, float *restrict out)
{
    const index_t count = axis == 0 ? slices : axis == 1 ? rows : columns;
    const index_t kept = stop - first;
    const size_t block = (size_t)(count * GAUSSIAN_LINES);
    double *work = malloc(sizeof *work * 3 * block);
    double *data = work, *result = work + block, *back = work + 2 * block;
    gaussian_t g;

    if (!work)
        return -1;
    memcpy(&g, coefficients, sizeof g);
    if (axis == 2) {
        const index_t lines = slices * rows;
        for (index_t r = 0; r < lines; r += GAUSSIAN_LINES) {
            const index_t used = lines - r < GAUSSIAN_LINES ? lines - r : GAUSSIAN_LINES;
            for (index_t x = 0; x < GAUSSIAN_LINES; x++) {
                const float *from = in + (r + (x < used ? x : used - 1)) * columns;
                for (index_t i = 0; i < count; i++)
                    data[i * GAUSSIAN_LINES + x] = from[i];
            }
            gaussian_lines(data, result, back, count, &g);
            for (index_t x = 0; x < used; x++) {
                float *to = out + (r + x) * kept;
                for (index_t i = first; i < stop; i++)
                    to[i - first] = (float)result[i * GAUSSIAN_LINES + x];
            }
        }
    } else {
        const index_t outer = axis == 0 ? 1 : slices, inner = axis == 0 ? rows * columns : columns;
        for (index_t o = 0; o < outer; o++)
            for (index_t r = 0; r < inner; r += GAUSSIAN_LINES) {
                const index_t used = inner - r < GAUSSIAN_LINES ? inner - r : GAUSSIAN_LINES;
                for (index_t i = 0; i < count; i++) {
                    const float *from = in + (o * count + i) * inner + r;
                    for (index_t x = 0; x < GAUSSIAN_LINES; x++)
                        data[i * GAUSSIAN_LINES + x] = from[x < used ? x : used - 1];
                }
                gaussian_lines(data, result, back, count, &g);
                for (index_t i = first; i < stop; i++) {
                    float *to = out + (o * kept + i - first) * inner + r;
                    for (index_t x = 0; x < used; x++)
                        to[x] = (float)result[i * GAUSSIAN_LINES + x];
                }
            }
    }
    free(work);
    return 0;
}

/* sum += factor * addend, rounded to single precision (the accumulation of itk::LaplacianRecursiveGaussian). */
void accumulate(float *restrict sum, const float *restrict addend, double factor, index_t count)
{
    for (index_t i = 0; i < count; i++)
        sum[i] = (float)((double)sum[i] + (double)addend[i] * factor);
}
