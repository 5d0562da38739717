/*
 * Co-occurrences and runs of two directions at once, for levels of a byte. Included by matrices.c.
 *
 * What takes longest in a sweep is to count. Here each voxel is counted once for two directions, in a table of (level,
 * what there is in the one direction, what there is in the other): the sums of its columns and of its rows are the
 * counts of each. For the table to fit the cache, what there is in a direction is one of a few codes:
 *
 * 0 to 2 near      a neighbour of another level, greater by -near to near; level 0, which is outside, may be one
 * 2 near + 1       any other neighbour
 * -1 to -most      a neighbour of the same level; so many others of its run come before the voxel
 * -most - 1        the same, with more before it
 *
 * Voxels with any other neighbour are counted one by one instead, and so are the last voxels of runs of more than
 * `most` others. Both are rare if `near` and `most` suit the levels; where nothing does, a direction has its own table.
 */

/* Cells of a level: all pairs of codes. So many levels have cells that two bytes can name. */
enum { CODES = 28, CODE_PAIRS = CODES * CODES, MOST_CODED_LEVELS = 80 };

/* Codes are below zero, too: so many cells come before that of level 0 and two codes 0. */
enum { CELLS_BELOW = (CODES + 1) * CODES };
_Static_assert((MOST_CODED_LEVELS + 1) * CODE_PAIRS + CELLS_BELOW <= UINT16_MAX, "two bytes name a cell");

/* Which directions are counted together: all but the last. */
static const int COUNTED_TOGETHER[][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}};

typedef struct {
    uint8_t near, most;
} coding_t;

/*
 * The coding with which the fewest voxels have to be counted one by one, as the counts of one direction have it. False
 * if they are too many, or the tables too large for as many voxels.
 *
 * Neighbours in other directions are further away, and differ more.
 */
static int choose_coding(const uint32_t *restrict cooccurrences, const uint32_t *restrict positions,
                         const int64_t *restrict voxels, index_t level_count, index_t longest, coding_t *coding)
{
    const index_t side = level_count + 1, reach = longest + 2;
    uint64_t distant[MOST_CODED_LEVELS + CODES] = {0}, least = UINT64_MAX, all = 0;

    if (level_count > MOST_CODED_LEVELS)
        return 0;
    for (index_t i = 1; i < side; i++) {
        all += (uint64_t)voxels[i];
        for (index_t j = 1; j < side; j++)
            distant[i < j ? j - i : i - j] += cooccurrences[i * side + j];
    }
    for (index_t k = MOST_CODED_LEVELS; k > 0; k--)
        distant[k - 1] += distant[k];
    for (index_t near = 1; 2 * near + 4 <= CODES; near++) {
        const index_t most = CODES - 3 - 2 * near;
        uint64_t alone = 2 * distant[near + 1];
        for (index_t i = 1; i < side && most + 2 < reach; i++)
            alone += positions[i * reach + most + 2];
        if (alone < least) {
            least = alone;
            *coding = (coding_t){(uint8_t)near, (uint8_t)most};
        }
    }
    return least < all / 32 && all > (uint64_t)(3 * side * CODE_PAIRS);
}

/*
 * Codes of a block in one direction; `alone` is -1 for voxels that have to be counted one by one, and perhaps for some
 * outside.
 *
 * `after` are the neighbours on the other side. `number` and `before` are those of `cells_of` with the opposite sign:
 * the greatest of bytes, and so the code is the greatest of what it may be.
 */
static INLINE void codes_of(const uint8_t *restrict a, const uint8_t *restrict b, const uint8_t *restrict after,
                            const uint8_t *restrict before, coding_t coding, uint8_t *restrict number,
                            uint8_t *restrict code, uint8_t *restrict alone)
{
    const uint8_t near = coding.near, other = (uint8_t)(2 * near + 1), more = (uint8_t)(-coding.most - 1);
    for (index_t x = 0; x < BLOCK; x++) {
        const uint8_t i = a[x], j = b[x], greater = (uint8_t)(j - (uint8_t)(i - near));
        /* bits instead of choices, as there */
        const uint8_t alike = (uint8_t)(i == j ? -1 : 0), least = more & alike;
        const uint8_t next = (uint8_t)((before[x] - 1) & alike), run = next > least ? next : least;
        const uint8_t different = greater < other ? greater : other;
        number[x] = next;
        code[x] = different > run ? different : run;
    }
    for (index_t x = 0; x < BLOCK; x++) {
        const uint8_t distant = (uint8_t)((code[x] == other ? -1 : 0) & (b[x] != 0 ? -1 : 0));
        const uint8_t last = (uint8_t)((code[x] == more ? -1 : 0) & (after[x] != a[x] ? -1 : 0));
        alone[x] = distant | last;
    }
}

/* Twice the place of a voxel and 1 for the second direction, of the bit of a set that begins with the voxel `at`. */
static INLINE uint32_t voxel_of(uint32_t at, int bit)
{
    return 2 * (at + (uint32_t)(bit / 8 + bit % 8 / 2 * 8)) + (uint32_t)(bit & 1);
}

/*
 * List the voxels of the `count` blocks of a slice that `alone` marks: bit 0 for the first, bit 1 for the second
 * direction. Every fourth of a block has its two bits in a byte of a set; `within` are the bits of a block of so many.
 */
static INLINE index_t list_alone(const uint8_t *restrict alone, const block_t *restrict blocks, index_t count,
                                 const uint64_t *restrict within, uint64_t *restrict sets, uint32_t *restrict listed)
{
    index_t known = 0, found = 0;
    for (index_t k = 0; k < count; k++) {
        const uint8_t *of = alone + blocks[k].at;
        uint64_t first, second, third, fourth;
        memcpy(&first, of, sizeof first);
        memcpy(&second, of + 8, sizeof second);
        memcpy(&third, of + 16, sizeof third);
        memcpy(&fourth, of + 24, sizeof fourth);
        const uint64_t set = (first | second << 2 | third << 4 | fourth << 6) & within[blocks[k].count];
        sets[2 * known] = set;
        sets[2 * known + 1] = (uint64_t)blocks[k].at;
        known += set != 0;
    }
    for (index_t k = 0; k < known; k++) {
        uint64_t left = sets[2 * k];
        const uint32_t at = (uint32_t)sets[2 * k + 1];
        /* two without a branch: there seldom are more, and whether there is a second one cannot be foretold */
        listed[found++] = voxel_of(at, __builtin_ctzll(left));
        left &= left - 1;
        listed[found] = voxel_of(at, __builtin_ctzll(left | (left == 0)));
        found += left != 0;
        for (left &= left - 1; left; left &= left - 1)
            listed[found++] = voxel_of(at, __builtin_ctzll(left));
    }
    return found;
}

/*
 * Take the counts of level i in one direction from the sums of a table, at whose code 0 `counted` points, and from what
 * was counted one by one (cells as those of `cells_of`).
 */
static INLINE void take_counts(const uint32_t *restrict counted, const uint32_t *restrict one_by_one, coding_t coding,
                               index_t i, index_t side, index_t reach, uint32_t voxels, uint32_t *restrict pairs,
                               uint32_t *restrict runs)
{
    const index_t near = coding.near, most = coding.most;
    uint32_t alike = counted[-most - 1], longer = 0;
    memcpy(pairs, one_by_one, sizeof *pairs * (size_t)side);
    for (index_t j = i > near ? i - near : 0; j < side && j <= i + near; j++)
        pairs[j] += counted[j - i + near];
    /* only the last voxels of long runs were counted, but those before them are voxels, too */
    for (index_t r = reach - 1; r > most + 1; r--)
        runs[r] = longer += one_by_one[side + r - 1];
    for (index_t r = 2; r <= most + 1 && r < reach; r++)
        alike += runs[r] = counted[1 - r];
    pairs[i] = alike;
    runs[1] = voxels - alike;
}

/* Of the slice that has the most. */
static index_t most_blocks(const index_t *begin, index_t slices)
{
    index_t most = 0;
    for (index_t z = 1; z < slices - 1; z++)
        most = begin[z + 1] - begin[z] > most ? begin[z + 1] - begin[z] : most;
    return most;
}

/* What `sweep` counts, in all but the last direction. */
HOT static int sweep_together(const uint8_t *restrict levels, index_t slices, index_t rows, index_t stride,
                              const block_t *restrict blocks, const index_t *restrict begin, index_t level_count,
                              index_t longest, const int64_t *restrict voxels, coding_t coding,
                              uint32_t *restrict cooccurrences, uint32_t *restrict positions,
                              uint8_t *restrict numbers)
{
    const index_t side = level_count + 1, reach = longest + 2, width = side + reach, plane = rows * stride;
    const index_t cells = CELLS_BELOW + side * CODE_PAIRS, singles = side * width, most = coding.most;
    /* two tables in turn, see `count_cells`, where they are small: few levels often make the same cell */
    const index_t apart = level_count > 16 ? 0 : cells, all = apart + cells;
    uint32_t *memory = malloc(sizeof *memory * (size_t)all);
    uint32_t *one_by_one = malloc(sizeof *one_by_one * (size_t)(2 * singles));
    uint8_t *alone = malloc((size_t)(plane + BLOCK));
    uint64_t *sets = malloc(sizeof *sets * (size_t)(2 * most_blocks(begin, slices) + 1));
    uint32_t *listed = malloc(sizeof *listed * (size_t)(2 * plane + 1));
    uint64_t within[BLOCK + 1] = {0};

    if (!memory || !one_by_one || !alone || !sets || !listed) {
        free(memory), free(one_by_one), free(alone), free(sets), free(listed);
        return -1;
    }
    for (int x = 0; x < BLOCK; x++)
        within[x + 1] = within[x] | (uint64_t)3 << (x % 8 * 8 + x / 8 * 2);
    for (size_t p = 0; p < sizeof COUNTED_TOGETHER / sizeof *COUNTED_TOGETHER; p++) {
        const int *d = COUNTED_TOGETHER[p];
        uint32_t *const table = memory, *const second = table + apart;
        index_t aside[2], step[2];
        for (int e = 0; e < 2; e++) {
            aside[e] = STEP[d[e]][1] * stride + STEP[d[e]][2];
            step[e] = STEP[d[e]][0] * plane + aside[e];
        }
        memset(memory, 0, sizeof *memory * (size_t)all);
        memset(one_by_one, 0, sizeof *one_by_one * (size_t)(2 * singles));
        for (index_t z = 1; z < slices - 1; z++) {
            const uint8_t *a = levels + z * plane;
            const block_t *block = blocks + begin[z], *last = blocks + begin[z + 1];
            const uint8_t *after[2];
            uint8_t *number[2], *before[2];
            for (int e = 0; e < 2; e++) {
                /* the slice after the last one is as empty as the first, but a block may reach beyond it */
                after[e] = STEP[d[e]][0] && z == slices - 2 ? levels - aside[e] : a - step[e];
                number[e] = numbers + (2 * e + (z & 1)) * plane;
                before[e] = (STEP[d[e]][0] ? numbers + (2 * e + (~z & 1)) * plane : number[e]) + aside[e];
            }
            while (block < last) {
                uint16_t cell[BLOCKS_AT_ONCE * BLOCK], *to = cell, *c = cell;
                for (const block_t *end = some_blocks(block, last); block < end; block++) {
                    const index_t at = block->at;
                    uint8_t code[2][BLOCK], one[2][BLOCK];
                    for (int e = 0; e < 2; e++)
                        codes_of(a + at, a + step[e] + at, after[e] + at, before[e] + at, coding, number[e] + at, code[e],
                                 one[e]);
                    for (index_t x = 0; x < BLOCK; x++) {
                        to[x] = (uint16_t)(CELLS_BELOW + a[at + x] * CODE_PAIRS + (int8_t)code[0][x] * CODES +
                                           (int8_t)code[1][x]);
                        alone[at + x] = (uint8_t)((one[0][x] & 1) | (one[1][x] & 2));
                    }
                    to += block->count;
                }
                for (; c + 1 < to; c += 2) {
                    table[c[0]]++;
                    second[c[1]]++;
                }
                if (c < to)
                    table[*c]++;
            }
            const index_t found = list_alone(alone, blocks + begin[z], last - (blocks + begin[z]), within, sets, listed);
            for (index_t k = 0; k < found; k++) {
                const index_t at = listed[k] >> 1, e = listed[k] & 1, i = a[at], j = a[at + step[e]];
                /* no branch here: which of the two it is cannot be foretold. Outside, the number may be anything */
                const index_t alike = -(index_t)(i == j), n = (uint8_t)-number[e][at] & -(index_t)(i != 0);
                one_by_one[e * singles + i * width + ((side + n) & alike) + (j & ~alike)]++;
            }
        }
        for (index_t k = 0; k < apart; k++)
            memory[k] += memory[k + apart];
        for (index_t i = 1; i < side; i++) {
            uint32_t counted[2][CODES] = {{0}};
            const uint32_t *of = table + CELLS_BELOW + i * CODE_PAIRS - (most + 1) * (CODES + 1);
            for (index_t q = 0; q < CODES; q++, of += CODES)
                for (index_t r = 0; r < CODES; r++) {
                    counted[0][q] += of[r];
                    counted[1][r] += of[r];
                }
            for (int e = 0; e < 2; e++)
                take_counts(counted[e] + most + 1, one_by_one + e * singles + i * width, coding, i, side, reach,
                            (uint32_t)voxels[i], cooccurrences + (d[e] * side + i) * side,
                            positions + (d[e] * side + i) * reach);
        }
    }
    free(memory), free(one_by_one), free(alone), free(sets), free(listed);
    return 0;
}
