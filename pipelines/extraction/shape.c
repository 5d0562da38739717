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

/* A vertex of the mesh, in mm. */
typedef struct {
    double at[3];
    double from_middle;
} vertex_t;

static int farther_out(const void *a, const void *b)
{
    const double x = ((const vertex_t *)a)->from_middle, y = ((const vertex_t *)b)->from_middle;
    return (x < y) - (x > y);
}

static double squared_distance(const double *a, const double *b)
{
    const double z = a[0] - b[0], y = a[1] - b[1], x = a[2] - b[2];
    return z * z + y * y + x * x;
}

/* Far more than rounding takes from a distance. */
#define SLACK 1.000001

/* So few points are compared sooner than sorted. */
enum { FEW_POINTS = 64 };

/*
 * Largest squared distance between two of `count` points, given as whole multiples of `unit`; -1.0 without memory.
 *
 * Two points are no farther apart than both are from any third, here the middle of all: most pairs need no look.
 */
double widest(const int64_t *points, index_t count, const double *unit)
{
    vertex_t *vertices = malloc(sizeof *vertices * (size_t)(count + 1));
    double best = 0.0, middle[3] = {0.0};

    if (!vertices)
        return -1.0;
    for (index_t i = 0; i < count; i++)
        for (int axis = 0; axis < 3; axis++) {
            vertices[i].at[axis] = (double)points[3 * i + axis] * unit[axis];
            middle[axis] += vertices[i].at[axis] / (double)count;
        }
    for (index_t i = 0; i < count; i++)
        vertices[i].from_middle = count > FEW_POINTS ? sqrt(squared_distance(vertices[i].at, middle)) : INFINITY;
    if (count > FEW_POINTS)
        qsort(vertices, (size_t)count, sizeof *vertices, farther_out);
    for (index_t i = 1; i < count; i++) {
        const double reach = vertices[i].from_middle;
        for (index_t j = 0; j < i; j++) {
            const double most = (vertices[j].from_middle + reach) * SLACK;
            if (most * most < best)
                break;
            const double distance = squared_distance(vertices[i].at, vertices[j].at);
            if (distance > best)
                best = distance;
        }
    }
    free(vertices);
    return best;
}

/* The voxels of a mask (slices, rows, columns) seen along one axis: planes, lines in them, samples on those. */
typedef struct {
    const uint8_t *mask;
    index_t size[3], step[3]; /* of planes, lines, samples */
} view_t;

/*
 * First and last vertex of the mesh on one line of one plane, all in halves of a voxel; 0 when there is none.
 *
 * A vertex lies half way between two neighbours of which one is of the lesion: one of its coordinates is odd.
 */
static int ends_of_line(const view_t *v, index_t plane, index_t line, index_t ends[2])
{
    const uint8_t *a = v->mask + (plane / 2) * v->step[0] + (line / 2) * v->step[1];
    const int even = !(plane & 1) && !(line & 1);
    const uint8_t *b = a + (plane & 1) * v->step[0] + (line & 1) * v->step[1] + even * v->step[2];
    const index_t count = v->size[2] - even, step = v->step[2];
    index_t first = 0, last = count - 1;

    if ((plane & 1) && (line & 1))
        return 0;
    while (first < count && a[first * step] == b[first * step])
        first++;
    if (first == count)
        return 0;
    while (a[last * step] == b[last * step])
        last--;
    ends[0] = 2 * first + even;
    ends[1] = 2 * last + even;
    return 1;
}

/*
 * Largest squared distance between two vertices of the mesh in one plane across `axis`, over all planes.
 *
 * mask     0 or 1, with a border of zeros.
 * corners  room for two vertices on each line of each plane, which lie half a voxel apart: gets the corners of the
 *          planes' hulls, `*kept` of them. Only they can be farthest apart.
 *
 * The ends of lines are enough, because what lies between them is no corner. Source: Andrew 1979, monotone chain.
 * Returns -1.0 without memory.
 */
double widest_in_planes(const uint8_t *mask, index_t slices, index_t rows, index_t columns, int axis,
                        const double *unit, int64_t *corners, int64_t *kept)
{
    const index_t size[3] = {slices, rows, columns}, step[3] = {rows * columns, columns, 1};
    const int u = axis == 0 ? 1 : 0, w = axis == 2 ? 1 : 2;
    const view_t view = {mask, {size[axis], size[u], size[w]}, {step[axis], step[u], step[w]}};
    const index_t room = 4 * size[u];
    int64_t *points = malloc(sizeof *points * (size_t)(6 * room)), *hull = points + 3 * room;
    index_t *chain = malloc(sizeof *chain * (size_t)(room + 1));
    double best = 0.0;

    *kept = 0;
    if (!points || !chain) {
        free(points), free(chain);
        return -1.0;
    }
    for (index_t plane = 0; plane < 2 * size[axis] - 1; plane++) {
        index_t count = 0, in_hull = 0, ends[2];
        for (index_t line = 0; line < 2 * size[u] - 1; line++) {
            if (!ends_of_line(&view, plane, line, ends))
                continue;
            for (int end = 0; end < (ends[0] < ends[1] ? 2 : 1); end++) {
                int64_t *point = points + 3 * count++;
                point[axis] = plane;
                point[u] = line;
                point[w] = ends[end];
            }
        }
        for (int side = 0; side < 2; side++) {
            index_t top = 0;
            for (index_t k = 0; k < count; k++) {
                const index_t p = side ? count - 1 - k : k;
                while (top >= 2) {
                    const int64_t *a = points + 3 * chain[top - 2], *b = points + 3 * chain[top - 1];
                    const int64_t *c = points + 3 * p;
                    if ((b[u] - a[u]) * (c[w] - a[w]) - (b[w] - a[w]) * (c[u] - a[u]) > 0)
                        break;
                    top--;
                }
                chain[top++] = p;
            }
            /* the last corner of a side is the first of the other */
            for (index_t k = 0; k < (count > 1 ? top - 1 : count * !side); k++)
                memcpy(hull + 3 * in_hull++, points + 3 * chain[k], 3 * sizeof *hull);
        }
        const double distance = widest(hull, in_hull, unit);
        memcpy(corners + 3 * *kept, hull, sizeof *hull * (size_t)(3 * in_hull));
        *kept += in_hull;
        if (distance < 0.0) {
            best = distance;
            break;
        }
        if (distance > best)
            best = distance;
    }
    free(points), free(chain);
    return best;
}
