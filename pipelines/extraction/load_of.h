/* Loading of voxels as REAL. Included for each REAL; functions are named OF_TYPE(name). */

/* `count` voxels of a volume from number `at` on, as REAL, which holds what its type holds. */
static INLINE void OF_TYPE(load)(const void *volume, int type, index_t at, index_t count, REAL *restrict to)
{
    switch (type) {
    case INT16:
        for (index_t i = 0; i < count; i++)
            to[i] = ((const int16_t *)volume)[at + i];
        break;
    case UINT16:
        for (index_t i = 0; i < count; i++)
            to[i] = ((const uint16_t *)volume)[at + i];
        break;
    case INT32:
        for (index_t i = 0; i < count; i++)
            to[i] = (REAL)((const int32_t *)volume)[at + i];
        break;
    default:
        memcpy(to, (const REAL *)volume + at, sizeof *to * (size_t)count);
    }
}
