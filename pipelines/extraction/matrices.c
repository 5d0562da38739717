/* Texture matrices. */
#include "kernels.h"
#include "textures.h"

#include <stdlib.h>
#include <string.h>

/*
 * Volumes of grey levels have a border of level 0 one voxel wide. `stride` is the length of a row in memory, at least
 * two more than its voxels; `first` and `stop` name the part of each row that holds the region (first >= stop: nothing).
 */

/*
 * Count the pairs of levels in one row: twice as fast with two tables, because neighbours often are the same pair and
 * the second increment would have to wait for the first.
 */
static void count_pairs(const uint16_t *a, const uint16_t *b, index_t from, index_t to, index_t side, uint32_t *even,
                        uint32_t *odd)
{
    index_t x = from;
    for (; x + 1 < to; x += 2) {
        even[a[x] * side + b[x]]++;
        odd[a[x + 1] * side + b[x + 1]]++;
    }
    if (x < to)
        even[a[x] * side + b[x]]++;
}

/*
 * Count co-occurrences, runs and dependences.
 *
 * cooccurrences  (13, levels + 1, levels + 1), zeroed: how often level i precedes level j in a direction. Row and
 *                column 0 take what lies outside the region and are not used.
 * positions      (13, levels + 1, longest + 2), zeroed: how many voxels of level i are number r of their run. The
 *                number of runs of length r is positions(r) - positions(r + 1). Row 0 is not used.
 * dependences    as large as the volume, zeroed: number of the 26 neighbours with the level of the voxel.
 * numbers        (2, rows, stride): number within its run of each voxel of this and the previous slice.
 */
HOT int sweep(const uint16_t *restrict levels, index_t slices, index_t rows, index_t stride,
              const index_t *restrict first, const index_t *restrict stop, index_t level_count, index_t longest,
              uint32_t *restrict cooccurrences, uint32_t *restrict positions, uint8_t *restrict dependences,
              uint16_t *restrict numbers)
{
    const index_t side = level_count + 1, reach = longest + 2, cells = side * side, plane = rows * stride;
    uint32_t *odd = malloc(sizeof *odd * (size_t)cells);

    if (!odd)
        return -1;
    for (int d = 0; d < DIRECTIONS; d++) {
        const int dz = STEP[d][0], dy = STEP[d][1], dx = STEP[d][2];
        uint32_t *even = cooccurrences + d * cells, *runs = positions + d * side * reach;
        memset(odd, 0, sizeof *odd * (size_t)cells);
        memset(numbers, 0, sizeof *numbers * (size_t)(2 * plane));
        for (index_t z = 1; z < slices - 1; z++)
            for (index_t y = 1; y < rows - 1; y++) {
                const index_t l = first[z * rows + y], h = stop[z * rows + y];
                const index_t at = (z * rows + y) * stride, to = ((z + dz) * rows + y + dy) * stride + dx;
                const uint16_t *a = levels + at, *b = levels + to;
                uint8_t *same_a = dependences + at, *same_b = dependences + to;
                uint16_t *number = numbers + (z & 1) * plane + y * stride;
                const uint16_t *before = numbers + ((z + dz) & 1) * plane + (y + dy) * stride + dx;
                if (l >= h) {
                    memset(number, 0, sizeof *number * (size_t)stride);
                    continue;
                }
                memset(number, 0, sizeof *number * (size_t)l);
                memset(number + h, 0, sizeof *number * (size_t)(stride - h));
                count_pairs(a, b, l, h, side, even, odd);
                if (dz == 0 && dy == 0) {
                    /* the previous voxel of the run is in this very row: no vector instructions here */
                    for (index_t x = l; x < h; x++) {
                        const uint8_t same = (uint8_t)((a[x] == b[x]) & (a[x] != 0));
                        same_a[x] = (uint8_t)(same_a[x] + same);
                        same_b[x] = (uint8_t)(same_b[x] + same);
                        number[x] = same ? (uint16_t)(number[x - 1] + 1) : 1;
                    }
                } else {
                    for (index_t x = l; x < h; x++)
                        same_a[x] = (uint8_t)(same_a[x] + (a[x] == b[x]));
                    for (index_t x = l; x < h; x++)
                        same_b[x] = (uint8_t)(same_b[x] + (a[x] == b[x]));
                    for (index_t x = l; x < h; x++) {
                        const uint16_t next = (uint16_t)(before[x] + 1);
                        number[x] = a[x] == b[x] ? next : 1;
                    }
                }
                for (index_t x = l; x < h; x++)
                    runs[a[x] * reach + number[x]]++;
            }
        for (index_t k = 0; k < cells; k++)
            even[k] += odd[k];
    }
    free(odd);
    return 0;
}

static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/*
 * Find the zones of equal level (26 neighbours) and count the voxels of each level by their dependence.
 *
 * parent, sizes  as large as the volume; sizes zeroed, and zero again afterwards.
 * counts         (levels + 1, 28), zeroed: voxels of level i with j - 1 dependent neighbours, at column j.
 * zone_levels, zone_sizes  room for one zone per voxel of the region.
 *
 * Returns the number of zones. Source: union-find with path halving over the preceding neighbours (He et al. 2017,
 * "The connected-component labeling problem"); a neighbour that is joined to another one already is not asked.
 */
index_t zones(const uint16_t *restrict levels, index_t slices, index_t rows, index_t stride, const index_t *first,
              const index_t *stop, const uint8_t *dependences, uint32_t *restrict parent, uint32_t *restrict sizes,
              int64_t *restrict counts, uint32_t *restrict zone_levels, uint32_t *restrict zone_sizes)
{
    const index_t plane = rows * stride;
    index_t found = 0;

    for (index_t z = 1; z < slices - 1; z++)
        for (index_t y = 1; y < rows - 1; y++) {
            const index_t row = (z * rows + y) * stride;
            for (index_t x = first[z * rows + y]; x < stop[z * rows + y]; x++) {
                const index_t i = row + x;
                const uint32_t p = (uint32_t)i;
                const uint16_t level = levels[i];
                parent[i] = p;
                if (!level)
                    continue;
                if (levels[i - 1] == level)
                    parent[i] = root_of(parent, p - 1);
                /* the three neighbours of a row touch one another through the middle one */
                for (int k = 0; k < 4; k++) {
                    const index_t q = k == 0 ? i - stride : i - plane + (k - 2) * stride;
                    if (levels[q] == level)
                        join(parent, p, (uint32_t)q);
                    else {
                        if (levels[q - 1] == level)
                            join(parent, p, (uint32_t)(q - 1));
                        if (levels[q + 1] == level)
                            join(parent, p, (uint32_t)(q + 1));
                    }
                }
            }
        }
    for (index_t r = 0; r < slices * rows; r++)
        for (index_t x = first[r]; x < stop[r]; x++) {
            const index_t i = r * stride + x;
            if (!levels[i])
                continue;
            sizes[root_of(parent, (uint32_t)i)]++;
            counts[levels[i] * 28 + dependences[i] + 1]++;
        }
    for (index_t r = 0; r < slices * rows; r++)
        for (index_t x = first[r]; x < stop[r]; x++) {
            const index_t i = r * stride + x;
            if (levels[i] && sizes[i]) {
                zone_levels[found] = levels[i];
                zone_sizes[found++] = sizes[i];
                sizes[i] = 0;
            }
        }
    return found;
}
