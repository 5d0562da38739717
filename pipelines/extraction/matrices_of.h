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
                       const index_t *restrict first, const index_t *restrict stop, index_t level_count,
                       index_t longest, const int64_t *restrict voxels, uint32_t *restrict cooccurrences,
                       uint32_t *restrict positions, LEVEL *restrict numbers)
{
    const index_t side = level_count + 1, reach = longest + 2, width = side + reach, plane = rows * stride;
    /* four tables where they fit the cache */
    const index_t cells = side * width, apart = cells > 16384 ? 0 : cells, tables = apart ? 4 : 1;
    uint32_t *table = malloc(sizeof *table * (size_t)(cells * tables));
    CELL *cell = malloc(sizeof *cell * (size_t)(plane + BLOCK));
    block_t *blocks = malloc(sizeof *blocks * (size_t)(slices * rows * (stride / BLOCK + 1)));
    index_t *begin = malloc(sizeof *begin * (size_t)slices);
    int done = table && cell && blocks && begin ? 0 : -1;

    if (done == 0)
        cut_to_blocks(slices, rows, stride, first, stop, blocks, begin);
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
    free(table), free(cell), free(blocks), free(begin);
    return done;
}

/*
 * Compare `count` neighbouring voxels with their 26 neighbours: those in the same row and those in the rows around it,
 * in the order of STEP the first four before and the others, from the last one on, after it.
 *
 * `set` gets a bit for each direction in which the preceding neighbour has the same level, and none outside of the
 * region; `alike` how many of all neighbours have.
 */
static INLINE void OF_TYPE(compare)(const LEVEL *restrict a, const index_t *around, index_t count,
                                    uint16_t *restrict set, LEVEL *restrict alike)
{
    const LEVEL *const r0 = a + around[0], *const r1 = a + around[1], *const r2 = a + around[2];
    const LEVEL *const r3 = a + around[3];
    const LEVEL *const s0 = a - around[0], *const s1 = a - around[1], *const s2 = a - around[2];
    const LEVEL *const s3 = a - around[3];
    /* -1 for yes: what comparisons of vectors give */
#define SAME(row, to) (MASK)((row)[x + (to)] == v ? -1 : 0)
#define BIT(row, to, place) (LEVEL)(SAME(row, to) & (1 << (place)))
#define THREE_BITS(row, place) (BIT(row, -1, place) | BIT(row, 0, (place) + 1) | BIT(row, 1, (place) + 2))
#define THREE(row) (MASK)(SAME(row, -1) + SAME(row, 0) + SAME(row, 1))
    for (index_t x = 0; x < count; x++) {
        const LEVEL v = a[x], inside = (LEVEL)(v == 0 ? 0 : -1);
        /* in two parts, because a vector register holds twice as many bytes */
        const LEVEL low = (LEVEL)(THREE_BITS(r0, 0) | THREE_BITS(r1, 3) | BIT(r2, -1, 6) | BIT(r2, 0, 7));
        const LEVEL high = (LEVEL)(BIT(r2, 1, 0) | THREE_BITS(r3, 1) | BIT(a, -1, 4));
        set[x] = (uint16_t)((low & inside) | (high & inside) << 8);
        alike[x] = (LEVEL)-(THREE(r0) + THREE(r1) + THREE(r2) + THREE(r3) + SAME(a, -1) + SAME(a, 1) + THREE(s0) +
                            THREE(s1) + THREE(s2) + THREE(s3));
    }
#undef SAME
#undef BIT
#undef THREE_BITS
#undef THREE
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
 * Label the voxels of a slice, whose `set` is known, new zones from `known` on; returns how many, in `meeting`, have
 * to ask more than one neighbour. `zone_levels` gets the first voxel of each new zone.
 *
 * Texture is noise, and what a voxel has to ask cannot be foreseen: no branch for one that begins a zone or at which
 * some meet. Who asks nobody reads its own place in vain.
 */
static INLINE index_t OF_TYPE(label_slice)(const uint16_t *restrict set, index_t rows, index_t stride,
                                           const index_t *restrict first, const index_t *restrict stop,
                                           const uint16_t *restrict representatives, const uint32_t *const *asked_at,
                                           uint32_t *here, size_t *restrict known, uint32_t *restrict zone_levels,
                                           uint32_t *restrict zone_sizes, uint32_t *restrict meeting)
{
    /* an empty list, and the least list of one: compared with a register, a count is an instruction with a carry */
    const size_t nobody = representatives[0], one = representatives[1];
    size_t next = *known;
    index_t meetings = 0;

    for (index_t y = 1; y < rows - 1; y++)
        for (index_t x = y * stride + first[y]; x < y * stride + stop[y]; x++) {
            const size_t asked = representatives[set[x]];
            const uint32_t told = asked_at[asked & NOBODY][x], label = asked >= nobody ? (uint32_t)next : told;
            here[x] = label;
            zone_sizes[label]++;
            zone_levels[next] = (uint32_t)x;
            next += 1 - (size_t)(asked < nobody);
            meeting[meetings] = (uint32_t)x;
            meetings += asked < one;
        }
    *known = next;
    return meetings;
}

/*
 * Find the zones of equal level (26 neighbours) and count the voxels of each level by their dependence.
 *
 * representatives  from `zone_representatives`.
 * counts           (levels + 1, DEPENDENCES), zeroed: voxels of level i with j - 1 dependent neighbours, at column j.
 * labels           (2, rows, stride): of this and the previous slice.
 * parent           one more than there are voxels from `first` to `stop`; zone_levels and zone_sizes, too.
 *
 * Returns the number of zones, in the order of their first voxels, or -1 without memory. Source: labels in one pass and
 * union-find over them (He et al. 2017, "The connected-component labeling problem"); which neighbours have to be asked
 * comes from a table, as in their decision trees. Nine of ten voxels ask one neighbour at most; those at which zones
 * meet are listed, and the zones joined once the slice has its labels. Voxels outside are zones of level 0 until the
 * end.
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
    CELL *cell = malloc(sizeof *cell * (size_t)room);
    uint32_t *meeting = malloc(sizeof *meeting * (size_t)room);
    uint32_t(*pair)[2] = malloc(sizeof *pair * (size_t)(3 * room));
    /* four tables take turns, see `count_cells` */
    uint32_t *tables = calloc((size_t)(4 * cells), sizeof *tables);
    const index_t around[] = {-plane - stride, -plane, -plane + stride, -stride};
    index_t found = 0, step[DIRECTIONS];
    size_t known = 0, ready = 0;

    if (!set || !alike || !cell || !meeting || !pair || !tables) {
        free(set), free(alike), free(cell), free(meeting), free(pair), free(tables);
        return -1;
    }
    for (int d = 0; d < DIRECTIONS; d++)
        step[d] = (STEP[d][0] * rows + STEP[d][1]) * stride + STEP[d][2];
    for (index_t z = 1; z < slices - 1; z++) {
        const LEVEL *a = levels + z * plane;
        const index_t *l = first + z * rows, *h = stop + z * rows;
        uint32_t *here = labels + (z & 1) * plane;
        /* the voxel below the end of a later block may lie beyond the volume */
        const index_t last = z < slices - 2 ? plane : plane - stride - 1 - BLOCK;
        const uint32_t *asked_at[NOBODY + 1];
        index_t compared = 0, count = 0, meetings, pairs = 0;
        /* the previous slice lies before or after this one */
        for (int d = 0; d < DIRECTIONS; d++)
            asked_at[d] = here + step[d] + (STEP[d][0] && !(z & 1) ? 2 * plane : 0);
        asked_at[NOBODY] = here;
        for (index_t y = 1; y < rows - 1; y++) {
            const index_t at = y * stride + l[y], end = y * stride + h[y];
            if (at >= end)
                continue;
            /* what a block reaches beyond its row counts for the next one */
            for (index_t x = at > compared ? at : compared; x < end; x = compared) {
                compared = x <= last ? x + BLOCK : end;
                if (x <= last)
                    OF_TYPE(compare)(a + x, around, BLOCK, set + x, alike + x);
                else
                    OF_TYPE(compare)(a + x, around, end - x, set + x, alike + x);
            }
            OF_TYPE(dependence_cells)(a + at, alike + at, end - at, cell + count);
            count += end - at;
        }
        OF_TYPE(count_cells)(cell, count, tables, cells);
        /* as many zones as may begin in a slice, each still apart and empty */
        for (; ready < known + (size_t)count; ready++) {
            parent[ready] = (uint32_t)ready;
            zone_sizes[ready] = 0;
        }
        size_t begun = known;
        meetings = OF_TYPE(label_slice)(set, rows, stride, l, h, representatives, asked_at, here, &known, zone_levels,
                                        zone_sizes, meeting);
        for (; begun < known; begun++)
            zone_levels[begun] = a[zone_levels[begun]];
        /* most have met before and are children or grandchildren of the same */
        for (index_t k = 0; k < meetings; k++) {
            const index_t x = meeting[k];
            for (unsigned others = representatives[set[x]] >> 4; others != 0xFFF; others = others >> 4 | 0xF00) {
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
    for (size_t k = known; k-- > 0;)
        if (parent[k] != k)
            zone_sizes[parent[k]] += zone_sizes[k];
    for (size_t k = 0; k < known; k++)
        if (parent[k] == k && zone_levels[k]) {
            zone_levels[found] = zone_levels[k];
            zone_sizes[found++] = zone_sizes[k];
        }
    free(set), free(alike), free(cell), free(meeting), free(pair), free(tables);
    return found;
}
