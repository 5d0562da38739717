/* Grey levels and order statistics of intensities. */
#include "kernels.h"

#include <stdlib.h>

/*
 * Grey level (from 1) of every value: the number of edges that are not greater, as numpy.digitize counts them.
 *
 * Every value lies between the first and the last of the ascending `edges`, which are about `width` apart.
 */
void grey_levels(const double *restrict values, index_t count, const double *restrict edges, index_t edge_count,
                 double width, uint16_t *restrict levels)
{
    const index_t top = edge_count - 2;
    for (index_t i = 0; i < count; i++) {
        const double value = values[i];
        index_t k = (index_t)((value - edges[0]) / width);
        k = k < 0 ? 0 : k > top ? top : k;
        while (k > 0 && value < edges[k])
            k--;
        while (k < top && value >= edges[k + 1])
            k++;
        levels[i] = (uint16_t)(k + 1);
    }
}

/* The value at `rank` of the ascending order; reorders `values`. Source: Hoare 1961, algorithm 65. */
static double select_rank(double *values, index_t count, index_t rank)
{
    index_t low = 0, high = count - 1;
    while (low < high) {
        const double pivot = values[low + (high - low) / 2];
        index_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i <= j) {
                const double swapped = values[i];
                values[i++] = values[j];
                values[j--] = swapped;
            }
        }
        if (rank <= j)
            high = j;
        else if (rank >= i)
            low = i;
        else
            break;
    }
    return values[rank];
}

enum { BUCKETS = 4096 };

/* Bucket of a value between `least` and the largest: monotonous, whatever the rounding. */
static index_t bucket_of(double value, double least, double scale)
{
    const index_t bucket = (index_t)((value - least) * scale);
    return bucket < 0 ? 0 : bucket > BUCKETS - 1 ? BUCKETS - 1 : bucket;
}

/*
 * The values at ascending `ranks` of the ascending order of `values`, which lie between `least` and `most`.
 *
 * One pass counts how many values fall into each of 4096 equal buckets, another collects the buckets that hold a rank.
 */
int order_statistics(const double *restrict values, index_t count, double least, double most,
                     const index_t *restrict ranks, index_t rank_count, double *restrict found)
{
    const double scale = most > least ? BUCKETS / (most - least) : 0.0;
    index_t *below = calloc(2 * BUCKETS + 1, sizeof *below), *fill = below + BUCKETS + 1;
    double *collected = NULL;
    index_t kept = 0;

    if (!below)
        return -1;
    for (index_t i = 0; i < count; i++)
        below[bucket_of(values[i], least, scale) + 1]++;
    for (index_t b = 0; b < BUCKETS; b++)
        below[b + 1] += below[b];
    for (index_t b = 0, r = 0; b < BUCKETS; b++) {
        fill[b] = -1;
        if (r < rank_count && ranks[r] < below[b + 1]) {
            fill[b] = kept;
            kept += below[b + 1] - below[b];
            while (r < rank_count && ranks[r] < below[b + 1])
                r++;
        }
    }
    collected = malloc(sizeof *collected * (size_t)(kept + 1));
    if (!collected) {
        free(below);
        return -1;
    }
    for (index_t i = 0; i < count; i++) {
        const index_t b = bucket_of(values[i], least, scale);
        if (fill[b] >= 0)
            collected[fill[b]++] = values[i];
    }
    for (index_t r = 0, b = 0; r < rank_count; r++) {
        while (ranks[r] >= below[b + 1])
            b++;
        const index_t size = below[b + 1] - below[b];
        found[r] = select_rank(collected + fill[b] - size, size, ranks[r] - below[b]);
    }
    free(below), free(collected);
    return 0;
}
