/* Shape. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Voxels of a row that are looked at together. */
enum { AT_ONCE = sizeof(uint64_t) };

/* The voxels of a row from `at` on, and those one column on. */
typedef struct {
    uint64_t here, next;
} pair_t;

static INLINE pair_t pair_of(const uint8_t *at)
{
    pair_t pair;
    memcpy(&pair.here, at, AT_ONCE);
    memcpy(&pair.next, at + 1, AT_ONCE);
    return pair;
}

/* Count a cube and add up where it lies, unless its corners are all alike. */
static INLINE void count_cube(int kind, index_t z, index_t y, index_t x, int64_t *restrict counts,
                              int64_t *restrict positions)
{
    if (kind == 0 || kind == 255)
        return;
    counts[kind]++;
    positions[3 * kind] += z;
    positions[3 * kind + 1] += y;
    positions[3 * kind + 2] += x;
}

/*
 * Count the 256 kinds of cubes of 2 x 2 x 2 voxels, and add up where each kind lies; not of those that are all alike.
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
            index_t x = 0;
            for (; x + AT_ONCE < columns; x += AT_ONCE) {
                const pair_t i = pair_of(a + x), j = pair_of(b + x), k = pair_of(c + x), l = pair_of(d + x);
                /* each byte is 0 or 1, and so none of its bits leaves it */
                const uint64_t first = i.here | i.next << 1 | j.next << 2 | j.here << 3;
                const uint64_t kinds = first | k.here << 4 | k.next << 5 | l.next << 6 | l.here << 7;
                uint8_t kind[AT_ONCE];
                if (kinds == 0 || kinds == UINT64_MAX)
                    continue;
                memcpy(kind, &kinds, sizeof kind);
                for (index_t n = 0; n < AT_ONCE; n++)
                    count_cube(kind[n], z, y, x + n, counts, positions);
            }
            for (; x < columns - 1; x++)
                count_cube(a[x] | a[x + 1] << 1 | b[x + 1] << 2 | b[x] << 3 | c[x] << 4 | c[x + 1] << 5 |
                               d[x + 1] << 6 | d[x] << 7,
                           z, y, x, counts, positions);
        }
}

/*
 * Sums over the voxels of a mask, 0 or 1: of 1, of each index, and of the products of two of them.
 *
 * sums  count, z, y, x, zz, zy, zx, yy, yx, xx.
 */
HOT void position_sums(const uint8_t *restrict mask, index_t slices, index_t rows, index_t columns, int64_t *sums)
{
    memset(sums, 0, sizeof *sums * 10);
    for (index_t z = 0; z < slices; z++)
        for (index_t y = 0; y < rows; y++) {
            const uint8_t *row = mask + (z * rows + y) * columns;
            int64_t n = 0, x = 0, xx = 0;
            for (index_t k = 0; k < columns; k++) {
                const int64_t index = -(int64_t)row[k] & k;
                n += row[k];
                x += index;
                xx += index * index;
            }
            const int64_t of_row[10] = {n, z * n, y * n, x, z * z * n, z * y * n, z * x, y * y * n, y * x, xx};
            for (int k = 0; k < 10; k++)
                sums[k] += of_row[k];
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

/* The first index at which two rows differ; `count` when they are alike. */
static INLINE index_t first_difference(const uint8_t *a, const uint8_t *b, index_t count)
{
    index_t i = 0;
    while (i + 8 <= count && memcmp(a + i, b + i, 8) == 0)
        i += 8;
    while (i < count && a[i] == b[i])
        i++;
    return i;
}

/* The last index at which two rows differ, which do. */
static INLINE index_t last_difference(const uint8_t *a, const uint8_t *b, index_t count)
{
    index_t i = count;
    while (i >= 8 && memcmp(a + i - 8, b + i - 8, 8) == 0)
        i -= 8;
    while (a[i - 1] == b[i - 1])
        i--;
    return i - 1;
}

/* Where vertices of the mesh lie: in a row, between it and the next of its slice, between it and the next slice. */
enum { IN_ROW, BELOW_ROW, BEHIND_ROW, PLACES };

/*
 * First and last vertex of the mesh along each row, all in halves of a voxel; -1 where there is none.
 *
 * A vertex lies half way between two neighbours of which one is of the lesion: one of its coordinates is odd.
 *
 * mask  0 or 1, with a border of zeros.
 * ends  (PLACES, slices, rows, 2)
 */
void row_ends(const uint8_t *mask, index_t slices, index_t rows, index_t columns, int32_t *ends)
{
    const index_t plane = rows * columns;

    for (index_t z = 0; z < slices; z++)
        for (index_t y = 0; y < rows; y++)
            for (int place = 0; place < PLACES; place++) {
                const uint8_t *a = mask + z * plane + y * columns;
                const uint8_t *b = a + (place == IN_ROW ? 1 : place == BELOW_ROW ? columns : plane);
                const int even = place == IN_ROW, there = place == BELOW_ROW ? y + 1 < rows : even || z + 1 < slices;
                const index_t count = there ? columns - even : 0, first = first_difference(a, b, count);
                int32_t *found = ends + 2 * ((place * slices + z) * rows + y);
                found[0] = first == count ? -1 : (int32_t)(2 * first + even);
                found[1] = first == count ? -1 : (int32_t)(2 * last_difference(a, b, count) + even);
            }
}

/* Columns that are looked at together. */
enum { ABREAST = 64 };

/*
 * First and last vertex of the mesh along each column of each slice: what `row_ends` finds in a mask whose rows and
 * columns are exchanged, without that.
 *
 * ends  (PLACES, slices, columns, 2)
 */
HOT void column_ends(const uint8_t *mask, index_t slices, index_t rows, index_t columns, int32_t *ends)
{
    const index_t plane = rows * columns;

    for (int place = 0; place < PLACES; place++)
        for (index_t z = 0; z < slices; z++)
            for (index_t from = 0; from < columns; from += ABREAST) {
                /* a column's IN_ROW is between its voxels, and its BELOW_ROW between it and the next column */
                const int even = place == IN_ROW, there = place != BEHIND_ROW || z + 1 < slices;
                const index_t step = even ? columns : place == BELOW_ROW ? 1 : plane;
                const index_t all = columns - from < ABREAST ? columns - from : ABREAST;
                const index_t abreast = all - (place == BELOW_ROW && from + all == columns);
                int32_t first[ABREAST], last[ABREAST], *found = ends + 2 * ((place * slices + z) * columns + from);
                for (int k = 0; k < ABREAST; k++) {
                    first[k] = INT32_MAX;
                    last[k] = -1;
                }
                for (index_t y = 0; y < rows - even && there; y++) {
                    const uint8_t *a = mask + z * plane + y * columns + from, *b = a + step;
                    const int32_t at = (int32_t)(2 * y + even);
                    if (memcmp(a, b, (size_t)abreast) == 0)
                        continue;
                    for (index_t k = 0; k < abreast; k++) {
                        const int32_t early = a[k] == b[k] ? INT32_MAX : at, late = a[k] == b[k] ? -1 : at;
                        first[k] = early < first[k] ? early : first[k];
                        last[k] = late > last[k] ? late : last[k];
                    }
                }
                for (index_t k = 0; k < all; k++) {
                    found[2 * k] = last[k] < 0 ? -1 : first[k];
                    found[2 * k + 1] = last[k];
                }
            }
}

/* A vertex in a plane: its line, and its place on it. */
typedef struct {
    index_t line, at;
} corner_t;

/* Of points in the order of their lines, keep the corners of one side of the hull. Source: Andrew 1979. */
static index_t keep_corners(corner_t *points, index_t count)
{
    index_t top = 0;
    for (index_t k = 0; k < count; k++) {
        const corner_t c = points[k];
        while (top >= 2) {
            const corner_t a = points[top - 2], b = points[top - 1];
            if ((b.line - a.line) * (c.at - a.at) - (b.at - a.at) * (c.line - a.line) > 0)
                break;
            top--;
        }
        points[top++] = c;
    }
    return top;
}

/*
 * Largest squared distance between two vertices of the mesh in one plane across `axis`, 0 or 1, over all planes.
 *
 * ends     what `row_ends` finds.
 * corners  room for two vertices on each line of each plane, which lie half a voxel apart: gets the corners of the
 *          planes' hulls, `*kept` of them. Only they can be farthest apart.
 *
 * One side of a hull is made of first ends of rows, and the last of the last row; the other the other way round.
 * Returns -1.0 without memory.
 */
double widest_in_planes(const int32_t *ends, index_t slices, index_t rows, int axis, const double *unit,
                        int64_t *corners, int64_t *kept)
{
    const index_t size[2] = {slices, rows};
    const int across = 1 - axis;
    corner_t *firsts = malloc(sizeof *firsts * (size_t)(4 * size[across])), *lasts = firsts + 2 * size[across];
    double best = 0.0;

    *kept = 0;
    if (!firsts)
        return -1.0;
    for (index_t plane = 0; plane < 2 * size[axis] - 1; plane++) {
        int64_t *hull = corners + 3 * *kept;
        index_t count = 0, in_hull = 0;
        for (index_t line = 0; line < 2 * size[across] - 1; line += 1 + (plane & 1)) {
            const index_t z = axis == 0 ? plane : line, y = axis == 0 ? line : plane;
            const int place = z & 1 ? BEHIND_ROW : y & 1 ? BELOW_ROW : IN_ROW;
            const int32_t *found = ends + 2 * ((place * slices + z / 2) * rows + y / 2);
            if (found[0] < 0)
                continue;
            firsts[count] = (corner_t){line, found[0]};
            lasts[count++] = (corner_t){line, found[1]};
        }
        if (count == 0)
            continue;
        const corner_t first = firsts[0], last = lasts[count - 1];
        for (index_t k = 0; k < count / 2; k++) {
            const corner_t swapped = lasts[k];
            lasts[k] = lasts[count - 1 - k];
            lasts[count - 1 - k] = swapped;
        }
        for (int side = 0; side < 2; side++) {
            corner_t *points = side ? lasts : firsts;
            const corner_t end = side ? first : last, before = points[count - 1];
            index_t all = count;
            if (end.at != before.at)
                points[all++] = end;
            /* the last corner of a side is the first of the other */
            const index_t top = keep_corners(points, all) - 1;
            for (index_t k = 0; k < top; k++) {
                int64_t *corner = hull + 3 * in_hull++;
                corner[axis] = plane;
                corner[across] = points[k].line;
                corner[2] = points[k].at;
            }
        }
        if (in_hull == 0) {
            int64_t *corner = hull + 3 * in_hull++;
            corner[axis] = plane;
            corner[across] = first.line;
            corner[2] = first.at;
        }
        *kept += in_hull;
        const double distance = widest(hull, in_hull, unit);
        if (distance < 0.0) {
            best = distance;
            break;
        }
        if (distance > best)
            best = distance;
    }
    free(firsts);
    return best;
}
