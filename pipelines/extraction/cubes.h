/* What feature maps of all classes have in common: the cubes around voxels, and entropies of what these hold. */
#ifndef PULMONODE_CUBES_H
#define PULMONODE_CUBES_H

#include "kernels.h"

#include <math.h>

/* Of a cube: voxels from its middle to a face, voxels in all, pairs of neighbours along one direction. */
enum { MAX_RADIUS = 3, MAX_CUBE = 343, MAX_PAIRS = 294 };

/* Where the voxels of the cube of (2 radius + 1)^3 around flat index `centre` lie in a volume (.., rows, columns). */
static INLINE void places_of(index_t centre, int radius, index_t rows, index_t columns, index_t *places)
{
    for (index_t z = -radius; z <= radius; z++)
        for (index_t y = -radius; y <= radius; y++)
            for (index_t x = -radius; x <= radius; x++)
                *places++ = centre + (z * rows + y) * columns + x;
}

/* Write the wanted ones of `count` features of a voxel below each other, `apart` numbers apart. */
static INLINE void keep_wanted(const double *f, int count, const uint8_t *wanted, double *to, index_t apart)
{
    for (int k = 0; k < count; k++)
        if (wanted[k]) {
            *to = f[k];
            to += apart;
        }
}

/* One bit, as a whole number: 588 log2 588 of them fit, and rounding is as small as that of a double of that size. */
#define BITS_UNIT ((int64_t)1 << 50)

/* n log2 n, and what it is more than that of n - 1, for numbers of counts. */
typedef struct {
    int64_t whole[2 * MAX_PAIRS + 1], step[2 * MAX_PAIRS + 1];
} bits_t;

static INLINE void fill_bits(bits_t *bits)
{
    bits->whole[0] = bits->step[0] = 0;
    for (int n = 1; n <= 2 * MAX_PAIRS; n++) {
        bits->whole[n] = (int64_t)rint(n * log2(n) * (double)BITS_UNIT);
        bits->step[n] = bits->whole[n] - bits->whole[n - 1];
    }
}

#endif
