/* Texture matrices. */
#include "kernels.h"
#include "textures.h"

#include <stdlib.h>
#include <string.h>

/*
 * Volumes of grey levels have a border of level 0 one voxel wide. `stride` is the length of a row in memory, at least
 * two more than its voxels; `first` and `stop` name the part of each row that holds the region (first >= stop: nothing).
 */

/* After the directions: a voxel itself; and what marks the end of a list of representatives. */
enum { OWN = DIRECTIONS, NOBODY = 15 };

/* Columns of the counts of voxels by their dependence: up to 26 neighbours are counted at their number + 1. */
enum { DEPENDENCES = 28 };

/*
 * For each set of preceding neighbours (a bit for each of the thirteen directions) those that have to be asked for
 * their zone: the first of each group that hangs together. Up to four numbers of directions, four bits each, then
 * NOBODY.
 */
void zone_representatives(uint16_t *table)
{
    uint16_t beside[DIRECTIONS];

    for (int d = 0; d < DIRECTIONS; d++) {
        beside[d] = 0;
        for (int e = 0; e < DIRECTIONS; e++) {
            const int z = STEP[d][0] - STEP[e][0], y = STEP[d][1] - STEP[e][1], x = STEP[d][2] - STEP[e][2];
            if (z * z <= 1 && y * y <= 1 && x * x <= 1)
                beside[d] = (uint16_t)(beside[d] | 1 << e);
        }
    }
    for (int set = 0; set < 1 << DIRECTIONS; set++) {
        unsigned found = 0xFFFF, left = (unsigned)set;
        int place = 0;
        for (int d = 0; d < DIRECTIONS; d++) {
            unsigned group = 1u << d, grown = 0;
            if (!(left & group))
                continue;
            found = (found & ~(0xFu << place)) | (unsigned)d << place;
            place += 4;
            while (grown != group) {
                grown = group;
                for (int e = 0; e < DIRECTIONS; e++)
                    if (grown >> e & 1)
                        group |= beside[e] & left;
            }
            left &= ~group;
        }
        table[set] = (uint16_t)found;
    }
}

static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* A parent's number is never greater than its child's. No branch: which is the older cannot be foretold. */
static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    parent[a < b ? b : a] = a < b ? a : b;
}

/*
 * Voxels of a row that are looked at together. `stride` is at least half as much: what a block reaches beyond its row
 * lies in the next two, which are looked at later or are the border.
 */
enum { BLOCK = 32 };

/* Some voxels of a row: where the first of them lies in its slice, and how many there are. */
typedef struct {
    int32_t at, count;
} block_t;

/* How many blocks are looked at before their cells are counted: these stay in the cache nearest to the processor. */
enum { BLOCKS_AT_ONCE = 16 };

/* The end of the next blocks to be looked at. */
static INLINE const block_t *some_blocks(const block_t *from, const block_t *last)
{
    return last - from > BLOCKS_AT_ONCE ? from + BLOCKS_AT_ONCE : last;
}

/*
 * Cut the region's part of each row to blocks, so that one loop, whose end can be foretold, goes through a slice of short
 * rows. Those of slice z are begin[z] to begin[z + 1], for z from 1.
 *
 * blocks  room for all: one for each BLOCK voxels, begun, of a row.
 * begin   (slices)
 */
void cut_to_blocks(index_t slices, index_t rows, index_t stride, const index_t *restrict first,
                   const index_t *restrict stop, int32_t *restrict blocks, index_t *restrict begin)
{
    index_t found = 0;
    for (index_t z = 0; z < slices; z++) {
        begin[z] = found;
        for (index_t y = 1; y < rows - 1 && z > 0 && z < slices - 1; y++)
            for (index_t x = first[z * rows + y], end = stop[z * rows + y]; x < end; x += BLOCK) {
                blocks[2 * found] = (int32_t)(y * stride + x);
                blocks[2 * found++ + 1] = (int32_t)(end - x < BLOCK ? end - x : BLOCK);
            }
    }
}

/* For each set of eight voxels, bit by bit, where they are: the first ones first. */
static void list_places(uint8_t (*places)[8])
{
    uint8_t count[256] = {0};
    memset(places[0], 0, sizeof places[0]);
    for (int last = 0; last < 8; last++)
        for (int set = 1 << last; set < 2 << last; set++) {
            const int others = set - (1 << last);
            memcpy(places[set], places[others], sizeof places[set]);
            places[set][count[others]] = (uint8_t)last;
            count[set] = (uint8_t)(count[others] + 1);
        }
}

/*
 * Append those of the eight voxels from `at` on whose `flags` are set, and which are `there`, to a `list` of `count` with
 * room for eight more; returns its length. No voxel is looked at alone, which would take several times as long.
 */
static INLINE index_t list_eight(const uint8_t *flags, unsigned there, uint32_t at, uint8_t (*places)[8],
                                 uint32_t *restrict list, index_t count)
{
    static const uint8_t bit[8] = {1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7};
    uint64_t eight, bits;
    uint8_t some[8];
    memcpy(&eight, flags, sizeof eight);
    memcpy(&bits, bit, sizeof bits);
    /* the product's first byte is the sum of all */
    const unsigned set = (unsigned)((eight & bits) * UINT64_C(0x0101010101010101) >> 56) & there;
    memcpy(some, places[set], sizeof some);
    for (int k = 0; k < 8; k++)
        list[count + k] = at + some[k];
    return count + __builtin_popcount(set);
}

#include "joint.h"

/* As few bytes as the levels and the lengths of runs allow: a vector register holds twice as many of them. */
#define LEVEL uint8_t
#define MASK int8_t
#define CELL uint16_t
#define OF_TYPE(name) name##_u8
#include "matrices_of.h"
#undef LEVEL
#undef MASK
#undef CELL
#undef OF_TYPE

#define LEVEL uint16_t
#define MASK int16_t
#define CELL uint32_t
#define OF_TYPE(name) name##_u16
#include "matrices_of.h"
