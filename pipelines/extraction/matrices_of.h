/*
 * The texture matrices for one type of levels. Included by matrices.c for each LEVEL, whose CELL counts the cells of a
 * table and whose functions are named OF_TYPE(name).
 */

/*
 * Cell of the table of one direction for each voxel of a block: (i, j) for levels i and j that differ, (i, side + n) for
 * a voxel of level i with n others of its run before it. Both at once, because a voxel is either.
 *
 * `before` holds what `number` holds for the neighbours: how many of their runs come before them; where a neighbour lies
 * outside of the region, anything.
 */
static INLINE void OF_TYPE(cells_of)(const LEVEL *restrict a, const LEVEL *restrict b, const LEVEL *restrict before,
                                     LEVEL *restrict number, CELL *restrict cell, CELL side, CELL width)
{
    for (index_t x = 0; x < BLOCK; x++) {
        const LEVEL i = a[x], j = b[x], next = (LEVEL)(before[x] + 1);
        /* bits instead of choices: only so do compilers use vector registers throughout */
        const MASK alike = (MASK)((i == j ? -1 : 0) & (i != 0 ? -1 : 0));
        number[x] = (LEVEL)(next & alike);
        cell[x] = (CELL)(i * width + (LEVEL)((next & alike) | (j & ~alike)) + (side & (CELL)alike));
    }
}

/*
 * How many voxels of its run along the row come before each voxel of the `count` blocks of a slice; outside of the
 * region, anything. No run is longer than `longest`, which is less than the length of a row in memory.
 *
 * By doubling: what is known of up to d voxels is known of up to 2 d once those with d before them have added what the
 * voxel d before them knows. From the last block on, so that this one does not know more yet. Until nobody has d.
 */
static INLINE void OF_TYPE(number_rows)(const LEVEL *restrict levels, const block_t *restrict blocks, index_t count,
                                        index_t longest, LEVEL *restrict number)
{
    for (const block_t *block = blocks; block < blocks + count; block++) {
        const LEVEL *a = levels + block->at;
        /* the first four at once */
        for (index_t x = 0; x < BLOCK; x++) {
            const MASK one = (MASK)((a[x] == a[x - 1] ? -1 : 0) & (a[x] != 0 ? -1 : 0));
            const MASK two = (MASK)((a[x] == a[x - 2] ? -1 : 0) & one);
            const MASK three = (MASK)((a[x] == a[x - 3] ? -1 : 0) & two);
            const MASK four = (MASK)((a[x] == a[x - 4] ? -1 : 0) & three);
            number[block->at + x] = (LEVEL)-(one + two + three + four);
        }
    }
    MASK some = -1;
    for (index_t d = 4; d < longest && some; d *= 2) {
        MASK wholes[BLOCK] = {0};
        for (const block_t *block = blocks + count; block-- > blocks;) {
            LEVEL *n = number + block->at, known[BLOCK];
            for (index_t x = 0; x < BLOCK; x++) {
                const LEVEL more = n[x - d], whole = (LEVEL)(n[x] == (LEVEL)d ? -1 : 0);
                wholes[x] |= (MASK)whole;
                known[x] = (LEVEL)(n[x] + (more & whole));
            }
            memcpy(n, known, sizeof known);
        }
        some = 0;
        for (index_t x = 0; x < BLOCK; x++)
            some |= wholes[x];
    }
}

/*
 * Count the cells of a slice in four tables, `apart` cells one after the other: neighbours often are the same cell, and
 * an increment of it would have to wait for the one before.
 */
static INLINE void OF_TYPE(count_cells)(const CELL *restrict cell, index_t count, uint32_t *restrict table,
                                        index_t apart)
{
    uint32_t *second = table + apart, *third = second + apart, *fourth = third + apart;
    index_t x = 0;
    for (; x + 3 < count; x += 4) {
        table[cell[x]]++;
        second[cell[x + 1]]++;
        third[cell[x + 2]]++;
        fourth[cell[x + 3]]++;
    }
    for (; x < count; x++)
        table[cell[x]]++;
}

/*
 * Count co-occurrences and runs.
 *
 * blocks, begin  from `cut_to_blocks`.
 * voxels         (levels + 1): voxels of each level.
 * cooccurrences  (13, levels + 1, levels + 1): how often level i precedes level j in a direction, for i, j from 1.
 * positions      (13, levels + 1, longest + 2): how many voxels of level i are number r of their run. The number of
 *                runs of length r is positions(r) - positions(r + 1).
 * numbers        (4, rows, stride) and BLOCK more: how many voxels of its run come before each voxel of this and the
 *                previous slice, in two directions.
 *
 * Every voxel is the first of its run or like the voxel before it, so the first ones need not be counted. What
 * the last direction has tells whether the others can be counted two at once.
 */
HOT int OF_TYPE(sweep)(const LEVEL *restrict levels, index_t slices, index_t rows, index_t stride,
                       const block_t *restrict blocks, const index_t *restrict begin, index_t level_count,
                       index_t longest, const int64_t *restrict voxels, uint32_t *restrict cooccurrences,
                       uint32_t *restrict positions, LEVEL *restrict numbers)
{
    const index_t side = level_count + 1, reach = longest + 2, width = side + reach, plane = rows * stride;
    /* four tables where they fit the cache */
    const index_t cells = side * width, apart = cells > 16384 ? 0 : cells, tables = apart ? 4 : 1;
    uint32_t *table = malloc(sizeof *table * (size_t)(cells * tables));
    CELL *cell = malloc(sizeof *cell * (size_t)(plane + BLOCK));
    int done = table && cell ? 0 : -1;

    /* no voxel has level 0, and none is number 0 of its run */
    for (index_t d = 0; d < DIRECTIONS; d++) {
        memset(cooccurrences + d * side * side, 0, sizeof *cooccurrences * (size_t)side);
        memset(positions + d * side * reach, 0, sizeof *positions * (size_t)reach);
        for (index_t i = 1; i < side; i++)
            positions[(d * side + i) * reach] = 0;
    }
    /* the last direction first */
    for (int d = DIRECTIONS - 1; done == 0 && d >= 0; d--) {
        const int dz = STEP[d][0], dy = STEP[d][1], dx = STEP[d][2];
        coding_t coding;
        memset(table, 0, sizeof *table * (size_t)(cells * tables));
        for (index_t z = 1; z < slices - 1; z++) {
            const LEVEL *a = levels + z * plane;
            const block_t *block = blocks + begin[z], *last = blocks + begin[z + 1];
            LEVEL *number = numbers + (z & 1) * plane;
            const index_t aside = dy * stride + dx, step = dz * plane + aside;
            LEVEL *other = numbers + (~z & 1) * plane;
            const LEVEL *before = (dz || !dy ? other : number) + aside;
            if (!dz && !dy)
                OF_TYPE(number_rows)(a, block, last - block, longest < stride - 2 ? longest : stride - 2, other);
            CELL *to = cell;
            for (; block < last; block++) {
                const index_t at = block->at;
                OF_TYPE(cells_of)(a + at, a + step + at, before + at, number + at, to, (CELL)side, (CELL)width);
                /* what a block reaches beyond its row is written again or ignored */
                to += block->count;
            }
            OF_TYPE(count_cells)(cell, to - cell, table, apart);
        }
        for (index_t k = 0; k < cells && apart; k++)
            table[k] += table[k + cells] + table[k + 2 * cells] + table[k + 3 * cells];
        for (index_t i = 1; i < side; i++) {
            uint32_t *pairs = cooccurrences + (d * side + i) * side, *runs = positions + (d * side + i) * reach;
            const uint32_t *counted = table + i * width;
            uint32_t alike = 0;
            memcpy(pairs, counted, sizeof *pairs * (size_t)side);
            for (index_t r = 2; r < reach; r++)
                alike += runs[r] = counted[side + r - 1];
            pairs[i] = alike;
            runs[1] = (uint32_t)voxels[i] - alike;
        }
        if (sizeof(LEVEL) == sizeof(uint8_t) && d == DIRECTIONS - 1 &&
            choose_coding(cooccurrences + d * side * side, positions + d * side * reach, voxels, level_count, longest,
                          &coding)) {
            done = sweep_together((const uint8_t *)levels, slices, rows, stride, blocks, begin, level_count, longest,
                                  voxels, coding, cooccurrences, positions, (uint8_t *)numbers);
            break;
        }
    }
    free(table), free(cell);
    return done;
}

/* A block of voxels; what comparing them gives, -1 for yes; and that as mere bits, from which gcc makes no choices. */
typedef LEVEL OF_TYPE(levels_t) __attribute__((vector_size(BLOCK * sizeof(LEVEL))));
typedef MASK OF_TYPE(masks_t) __attribute__((vector_size(BLOCK * sizeof(LEVEL))));
typedef uint64_t OF_TYPE(flags_t) __attribute__((vector_size(BLOCK * sizeof(LEVEL))));

/* Which voxels of a block have the same level as the `others`. */
static INLINE OF_TYPE(flags_t) OF_TYPE(same)(OF_TYPE(levels_t) block, const LEVEL *others)
{
    OF_TYPE(levels_t) other;
    memcpy(&other, others, sizeof other);
    return (OF_TYPE(flags_t))(block == other);
}

/*
 * Compare a block of neighbouring voxels with their 26 neighbours: those in the same row and those in the rows around
 * it, in the order of STEP the first four before and the others, from the last one on, after it.
 *
 * set     gets a bit for each direction in which the preceding neighbour has the same level, and none outside of the
 *         region; also, always, the bit OWN.
 * alike   how many of all neighbours have the same level.
 * begins  255 where there is none such before, and outside of the region; 0 elsewhere.
 * meets   255 where those before do not hang together; 0 elsewhere, and outside of the region.
 *
 * All of those before touch the one in the middle of the previous slice. Without it, each of the previous row or of the
 * same row has the neighbours of the one before it in the previous slice, so it may be taken for that, and what is left
 * is a ring. In a ring a group begins at every gap on a side that is not followed by one more gap, on the corner and on
 * the next side. Source: Yokoi et al. 1973, "Topological properties in digitized binary pictures" (8-connectivity).
 */
static INLINE void OF_TYPE(compare)(const LEVEL *restrict a, const index_t *around, uint16_t *restrict set,
                                    LEVEL *restrict alike, uint8_t *restrict begins, uint8_t *restrict meets)
{
    const LEVEL *const r0 = a + around[0], *const r1 = a + around[1], *const r2 = a + around[2];
    const LEVEL *const r3 = a + around[3];
    const LEVEL *const s0 = a - around[0], *const s1 = a - around[1], *const s2 = a - around[2];
    const LEVEL *const s3 = a - around[3];
    LEVEL low[BLOCK], high[BLOCK], many[BLOCK];
    OF_TYPE(levels_t) v;
    memcpy(&v, a, sizeof v);
#define FLAGS OF_TYPE(flags_t)
#define COUNTS OF_TYPE(masks_t)
#define SAME(row, to) OF_TYPE(same)(v, (row) + (to))
#define THREE(row) ((COUNTS)SAME(row, -1) + (COUNTS)SAME(row, 0) + (COUNTS)SAME(row, 1))
#define BIT(flags, place) ((flags) & (FLAGS)((COUNTS){0} + (MASK)(1 << (place))))
    const FLAGS inside = (FLAGS)(v != 0);
    const FLAGS b0 = SAME(r0, -1), b1 = SAME(r0, 0), b2 = SAME(r0, 1), b3 = SAME(r1, -1), b4 = SAME(r1, 0);
    const FLAGS b5 = SAME(r1, 1), b6 = SAME(r2, -1), b7 = SAME(r2, 0), b8 = SAME(r2, 1);
    const FLAGS b9 = SAME(r3, -1), b10 = SAME(r3, 0), b11 = SAME(r3, 1), b12 = SAME(a, -1);
    /* in two parts, because a vector register holds twice as many bytes */
    const FLAGS first = inside & (BIT(b0, 0) | BIT(b1, 1) | BIT(b2, 2) | BIT(b3, 3) | BIT(b4, 4) | BIT(b5, 5) |
                                  BIT(b6, 6) | BIT(b7, 7));
    const FLAGS second = inside & (BIT(b8, 0) | BIT(b9, 1) | BIT(b10, 2) | BIT(b11, 3) | BIT(b12, 4));
    /* what stands for two of the ring */
    const FLAGS n0 = b0 | b9, n1 = b1 | b10, n2 = b2 | b11, n3 = b3 | b12;
    const COUNTS groups = (COUNTS)(~n1 & (n2 | b5)) + (COUNTS)(~b5 & (b8 | b7)) + (COUNTS)(~b7 & (b6 | n3)) +
                          (COUNTS)(~n3 & (n0 | n1));
    const FLAGS apart = (FLAGS)(groups < -1) & ~b4 & inside;
    const COUNTS found = (COUNTS)b0 + (COUNTS)b1 + (COUNTS)b2 + (COUNTS)b3 + (COUNTS)b4 + (COUNTS)b5 + (COUNTS)b6 +
                         (COUNTS)b7 + (COUNTS)b8 + (COUNTS)b9 + (COUNTS)b10 + (COUNTS)b11 + (COUNTS)b12 +
                         (COUNTS)SAME(a, 1) + THREE(s0) + THREE(s1) + THREE(s2) + THREE(s3);
    const COUNTS number = -found;
#undef FLAGS
#undef COUNTS
#undef SAME
#undef THREE
#undef BIT
    memcpy(alike, &number, sizeof number);
    memcpy(low, &first, sizeof low);
    memcpy(high, &second, sizeof high);
    memcpy(many, &apart, sizeof many);
    for (index_t x = 0; x < BLOCK; x++) {
        set[x] = (uint16_t)(low[x] | (high[x] | 1 << (OWN - 8)) << 8);
        begins[x] = (low[x] | high[x]) == 0 ? 255 : 0;
        meets[x] = (uint8_t)many[x];
    }
}

/* Compare up to a block of voxels, and look at no voxel but these and those around them. */
static INLINE void OF_TYPE(compare_few)(const LEVEL *restrict a, const index_t *around, index_t count,
                                        uint16_t *restrict set, LEVEL *restrict alike, uint8_t *restrict begins,
                                        uint8_t *restrict meets)
{
    enum { LENGTH = BLOCK + 2 };
    const index_t around_copy[] = {-4 * LENGTH, -3 * LENGTH, -2 * LENGTH, -LENGTH};
    const size_t size = sizeof *a * (size_t)(count + 2);
    LEVEL copy[9][LENGTH] = {{0}};
    memcpy(copy[4], a - 1, size);
    for (int r = 0; r < 4; r++) {
        memcpy(copy[r], a + around[r] - 1, size);
        memcpy(copy[8 - r], a - around[r] - 1, size);
    }
    OF_TYPE(compare)(copy[4] + 1, around_copy, set, alike, begins, meets);
}

/* Cell of the counts of (level, dependence) for each of `count` neighbouring voxels, and for up to BLOCK - 1 more. */
static INLINE void OF_TYPE(dependence_cells)(const LEVEL *restrict a, const LEVEL *restrict alike, index_t count,
                                             CELL *restrict cell)
{
    for (index_t from = 0; from < count; from += BLOCK)
        for (index_t x = from; x < from + BLOCK; x++)
            cell[x] = (CELL)(a[x] * DEPENDENCES + alike[x] + 1);
}

/*
 * Find the zones of equal level (26 neighbours) and count the voxels of each level by their dependence.
 *
 * representatives  from `zone_representatives`.
 * counts           (levels + 1, DEPENDENCES), zeroed: voxels of level i with j - 1 dependent neighbours, at column j.
 * labels           (2, rows, stride): of this and the previous slice.
 * parent           one for each voxel from `first` to `stop`; zone_levels and zone_sizes, too.
 *
 * Returns the number of zones, in the order of their first voxels, or -1 without memory. Source: labels in one pass and
 * union-find over them (He et al. 2017, "The connected-component labeling problem"). A voxel asks the first of the
 * neighbours that are like it, which got its label longest ago: a processor waits for what it has just written. Where
 * zones meet, others have to be asked, which come from a table as in their decision trees; those voxels are listed, and
 * the zones joined once the slice has its labels. Voxels outside are zones of level 0 until the end.
 *
 * Texture is noise, and what a voxel has to ask cannot be foreseen: no branch for one that begins a zone, which has its
 * label before and asks itself.
 */
HOT index_t OF_TYPE(zones)(const LEVEL *restrict levels, index_t slices, index_t rows, index_t stride,
                           const index_t *restrict first, const index_t *restrict stop,
                           index_t level_count, const uint16_t *restrict representatives,
                           int64_t *restrict counts, uint32_t *restrict labels, uint32_t *restrict parent,
                           uint32_t *restrict zone_levels, uint32_t *restrict zone_sizes)
{
    const index_t plane = rows * stride, room = plane + BLOCK;
    const index_t cells = (level_count + 1) * DEPENDENCES;
    uint16_t *set = malloc(sizeof *set * (size_t)room);
    LEVEL *alike = malloc(sizeof *alike * (size_t)room);
    uint8_t *begins = malloc((size_t)room), *meets = malloc((size_t)room);
    CELL *cell = malloc(sizeof *cell * (size_t)room);
    uint32_t *beginning = malloc(sizeof *beginning * (size_t)room);
    uint32_t *meeting = malloc(sizeof *meeting * (size_t)room);
    uint32_t(*pair)[2] = malloc(sizeof *pair * (size_t)(3 * room));
    /* four tables take turns, see `count_cells` */
    uint32_t *tables = calloc((size_t)(4 * cells), sizeof *tables);
    const index_t around[] = {-plane - stride, -plane, -plane + stride, -stride};
    index_t found = 0, step[DIRECTIONS];
    uint8_t places[256][8];
    size_t known = 0, ready = 0;

    if (!set || !alike || !begins || !meets || !cell || !beginning || !meeting || !pair || !tables) {
        free(set), free(alike), free(begins), free(meets), free(cell), free(beginning), free(meeting), free(pair);
        free(tables);
        return -1;
    }
    list_places(places);
    for (int d = 0; d < DIRECTIONS; d++)
        step[d] = (STEP[d][0] * rows + STEP[d][1]) * stride + STEP[d][2];
    for (index_t z = 1; z < slices - 1; z++) {
        const LEVEL *a = levels + z * plane;
        const index_t *l = first + z * rows, *h = stop + z * rows;
        uint32_t *here = labels + (z & 1) * plane;
        /* the voxel below the end of a later block may lie beyond the volume */
        const index_t last = z < slices - 2 ? plane : plane - stride - 1 - BLOCK;
        const uint32_t *asked_at[OWN + 1];
        index_t compared = 0, count = 0, beginnings = 0, meetings = 0, pairs = 0;
        /* the previous slice lies before or after this one */
        for (int d = 0; d < DIRECTIONS; d++)
            asked_at[d] = here + step[d] + (STEP[d][0] && !(z & 1) ? 2 * plane : 0);
        asked_at[OWN] = here;
        for (index_t y = 1; y < rows - 1; y++) {
            const index_t at = y * stride + l[y], end = y * stride + h[y];
            if (at >= end)
                continue;
            /* what a block reaches beyond its row counts for the next one */
            for (index_t x = at > compared ? at : compared; x < end; x = compared) {
                compared = x <= last ? x + BLOCK : end;
                if (x <= last)
                    OF_TYPE(compare)(a + x, around, set + x, alike + x, begins + x, meets + x);
                else
                    OF_TYPE(compare_few)(a + x, around, end - x, set + x, alike + x, begins + x, meets + x);
            }
            for (index_t x = at; x < end; x += 8) {
                const unsigned there = end - x < 8 ? (1u << (end - x)) - 1 : 255;
                beginnings = list_eight(begins + x, there, (uint32_t)x, places, beginning, beginnings);
                meetings = list_eight(meets + x, there, (uint32_t)x, places, meeting, meetings);
            }
            OF_TYPE(dependence_cells)(a + at, alike + at, end - at, cell + count);
            count += end - at;
        }
        OF_TYPE(count_cells)(cell, count, tables, cells);
        for (index_t k = 0; k < beginnings; k++, known++) {
            here[beginning[k]] = (uint32_t)known;
            zone_levels[known] = a[beginning[k]];
        }
        for (; ready < known; ready++) {
            parent[ready] = (uint32_t)ready;
            zone_sizes[ready] = 0;
        }
        for (index_t y = 1; y < rows - 1; y++)
#pragma GCC unroll 2
            for (index_t x = y * stride + l[y]; x < y * stride + h[y]; x++) {
                const uint32_t label = asked_at[__builtin_ctzll(set[x])][x];
                here[x] = label;
                zone_sizes[label]++;
            }
        /* most have met before and are children or grandchildren of the same */
        for (index_t k = 0; k < meetings; k++) {
            const index_t x = meeting[k];
            unsigned others = representatives[set[x] ^ 1 << OWN] >> 4;
            for (; others != 0xFFF; others = others >> 4 | 0xF00) {
                pair[pairs][0] = parent[parent[here[x]]];
                pair[pairs][1] = parent[parent[asked_at[others & NOBODY][x]]];
                pairs += pair[pairs][0] != pair[pairs][1];
            }
        }
        for (index_t k = 0; k < pairs; k++)
            join(parent, pair[k][0], pair[k][1]);
    }
    /* not of level 0, which is outside */
    for (index_t k = DEPENDENCES; k < cells; k++)
        counts[k] = (int64_t)tables[k] + tables[k + cells] + tables[k + 2 * cells] + tables[k + 3 * cells];
    /* no branches: which zones have joined others cannot be foretold */
    for (size_t k = known; k-- > 0;)
        zone_sizes[parent[k]] += zone_sizes[k] & (parent[k] == k ? 0 : UINT32_MAX);
    for (size_t k = 0; k < known; k++) {
        zone_levels[found] = zone_levels[k];
        zone_sizes[found] = zone_sizes[k];
        found += (parent[k] == k) & (zone_levels[k] != 0);
    }
    free(set), free(alike), free(begins), free(meets), free(cell), free(beginning), free(meeting), free(pair);
    free(tables);
    return found;
}
