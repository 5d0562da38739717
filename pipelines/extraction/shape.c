/* Shape. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Count the 256 kinds of cubes of 2 x 2 x 2 voxels, and add up where each kind lies.
 *
 * Bit k of a kind is the corner (slice, row, column): 0 000, 1 001, 2 011, 3 010, 4 100, 5 101, 6 111, 7 110.
 */
void cube_kinds(const uint8_t *mask, index_t slices, index_t rows, index_t columns, int64_t *counts,
                int64_t *positions)
{
    for (index_t z = 0; z < slices - 1; z++)
        for (index_t y = 0; y < rows - 1; y++) {
            const uint8_t *a = mask + (z * rows + y) * columns, *b = a + columns;
            const uint8_t *c = a + rows * columns, *d = c + columns;
            for (index_t x = 0; x < columns - 1; x++) {
                const int kind = a[x] | a[x + 1] << 1 | b[x + 1] << 2 | b[x] << 3 | c[x] << 4 | c[x + 1] << 5 |
                                 d[x + 1] << 6 | d[x] << 7;
                if (kind == 0 || kind == 255)
                    continue;
                counts[kind]++;
                positions[3 * kind] += z;
                positions[3 * kind + 1] += y;
                positions[3 * kind + 2] += x;
            }
        }
}

static double squared_distance(const int64_t *a, const int64_t *b, const double *unit)
{
    const double z = (double)a[0] * unit[0] - (double)b[0] * unit[0];
    const double y = (double)a[1] * unit[1] - (double)b[1] * unit[1];
    const double x = (double)a[2] * unit[2] - (double)b[2] * unit[2];
    return z * z + y * y + x * x;
}

/* Largest squared distance between two of `count` points, given as whole multiples of `unit`. */
double widest(const int64_t *points, index_t count, const double *unit)
{
    double best = 0.0;
    for (index_t i = 0; i < count; i++)
        for (index_t j = 0; j < i; j++) {
            const double distance = squared_distance(points + 3 * i, points + 3 * j, unit);
            if (distance > best)
                best = distance;
        }
    return best;
}

/*
 * Largest squared distance within one plane, over all planes across `axis`.
 *
 * Points are sorted by their coordinate on `axis`, then by the other two in order. Only corners of a plane's convex
 * hull can be farthest apart; they are marked in `corner` (zeroed). Source: Andrew 1979, monotone chain. Returns -1.0
 * without memory.
 */
double widest_in_plane(const int64_t *points, index_t count, int axis, const double *unit, uint8_t *corner)
{
    const int u = axis == 0 ? 1 : 0, v = axis == 2 ? 1 : 2;
    index_t *chain = malloc(sizeof *chain * (size_t)(count + 1));
    int64_t *corners = malloc(sizeof *corners * 3 * (size_t)(count + 1));
    double best = 0.0;

    if (!chain || !corners) {
        free(chain), free(corners);
        return -1.0;
    }
    for (index_t from = 0, to; from < count; from = to) {
        index_t kept = 0;
        for (to = from; to < count && points[3 * to + axis] == points[3 * from + axis];)
            to++;
        for (int side = 0; side < 2; side++) {
            index_t top = 0;
            for (index_t k = from; k < to; k++) {
                const index_t p = side ? to - 1 - (k - from) : k;
                while (top >= 2) {
                    const int64_t *a = points + 3 * chain[top - 2], *b = points + 3 * chain[top - 1];
                    const int64_t *c = points + 3 * p;
                    if ((b[u] - a[u]) * (c[v] - a[v]) - (b[v] - a[v]) * (c[u] - a[u]) > 0)
                        break;
                    top--;
                }
                chain[top++] = p;
            }
            for (index_t k = 0; k < top; k++)
                if (!corner[chain[k]]) {
                    corner[chain[k]] = 1;
                    memcpy(corners + 3 * kept++, points + 3 * chain[k], 3 * sizeof *corners);
                }
        }
        const double distance = widest(corners, kept, unit);
        if (distance > best)
            best = distance;
    }
    free(chain), free(corners);
    return best;
}
