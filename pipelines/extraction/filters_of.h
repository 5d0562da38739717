/*
 * The recursive Gaussian for one size of vector registers. Included by gaussian.c for each VECTOR, the numbers of double
 * precision in one; TARGET is the attribute of functions that may use such registers, and OF_TARGET(name) their names.
 */
#if VECTOR > 1
#define VECTORS(type) type __attribute__((vector_size(sizeof(type) * VECTOR)))
typedef VECTORS(double) OF_TARGET(vector_t);
typedef VECTORS(float) OF_TARGET(single_t);
#undef VECTORS
#define TO(type, v) __builtin_convertvector(v, type)
#define LANE(v, x) ((v)[x])
#else
typedef double OF_TARGET(vector_t);
typedef float OF_TARGET(single_t);
#define TO(type, v) ((type)(v))
#define LANE(v, x) (v)
#endif
/* vectors of lines that are filtered side by side, at most: what they need fits into 32 large registers */
#define MOST (VECTOR == 8 ? 3 : 4)
/* rows that are turned together */
#define AT_ONCE (VECTOR >= 4 ? EIGHT : 4)
#define vector_t OF_TARGET(vector_t)
#define single_t OF_TARGET(single_t)

#define REAL double
#define OF_TYPE(name) OF_TARGET(name##_f64)
#define TURN_MATRIX turn_matrix_f64
#include "gaussian_of.h"
#undef REAL
#undef OF_TYPE
#undef TURN_MATRIX

#define REAL float
#define OF_TYPE(name) OF_TARGET(name##_f32)
#define TURN_MATRIX turn_matrix_f32
#include "gaussian_of.h"
#undef REAL
#undef OF_TYPE
#undef TURN_MATRIX

#undef MOST
#undef AT_ONCE
#undef TO
#undef LANE
#undef vector_t
#undef single_t
#undef VECTOR
#undef TARGET
#undef OF_TARGET
