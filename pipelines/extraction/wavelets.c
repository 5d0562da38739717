/* Stationary wavelet transform. */
#include "kernels.h"

enum { TAPS = 6 };

/*
 * One band of a volume (outer, count, inner) along its middle axis; it is TAPS - 1 shorter.
 *
 *   band(i) = sum_j taps(j) in(i + TAPS - 1 - j), added up from j = 0 and in the type of the image as PyWavelets does
 *
 * The order matters: in flat regions the high-pass bands are rounding noise around the edge 0 of a grey level. With
 * `to_the_end` the last band value belongs to the last sample of the period, for which PyWavelets adds up the three
 * samples that it takes from the beginning of the period in the opposite order.
 */
#define WAVELET_BAND(NAME, REAL)                                                                                     \
    HOT void NAME(const REAL *restrict in, index_t outer, index_t count, index_t inner, const REAL *taps,            \
                  int to_the_end, REAL *restrict band)                                                               \
    {                                                                                                                \
        const index_t kept = count - TAPS + 1;                                                                       \
        for (index_t o = 0; o < outer; o++) {                                                                        \
            const REAL *from = in + o * count * inner;                                                               \
            REAL *to = band + o * kept * inner;                                                                      \
            /* one loop over both remaining axes: element i of the band begins at element i of the image */          \
            for (index_t i = 0; i < kept * inner; i++) {                                                             \
                REAL sum = 0;                                                                                        \
                for (int j = 0; j < TAPS; j++)                                                                       \
                    sum += taps[j] * from[i + (TAPS - 1 - j) * inner];                                               \
                to[i] = sum;                                                                                         \
            }                                                                                                        \
            for (index_t i = (kept - 1) * inner; to_the_end && i < kept * inner; i++) {                              \
                REAL sum = 0;                                                                                        \
                for (int j = TAPS / 2 - 1; j >= 0; j--)                                                              \
                    sum += taps[j] * from[i + (TAPS - 1 - j) * inner];                                               \
                for (int j = TAPS / 2; j < TAPS; j++)                                                                \
                    sum += taps[j] * from[i + (TAPS - 1 - j) * inner];                                               \
                to[i] = sum;                                                                                         \
            }                                                                                                        \
        }                                                                                                            \
    }

WAVELET_BAND(wavelet_band_f64, double)
WAVELET_BAND(wavelet_band_f32, float)
