/* What the texture matrices of a lesion and of feature maps have in common. */
#ifndef PULMONODE_TEXTURES_H
#define PULMONODE_TEXTURES_H

/*
 * The thirteen directions to the neighbours at distance 1 that precede a voxel (slice, row, column): the opposites of
 * PyRadiomics' angles, in its order.
 */
enum { DIRECTIONS = 13 };
static const int STEP[DIRECTIONS][3] = {{-1, -1, -1}, {-1, -1, 0}, {-1, -1, 1}, {-1, 0, -1}, {-1, 0, 0},
                                        {-1, 0, 1},   {-1, 1, -1}, {-1, 1, 0},  {-1, 1, 1},  {0, -1, -1},
                                        {0, -1, 0},   {0, -1, 1},  {0, 0, -1}};

/* Features in the order of GLCM_FEATURES in textures.py. */
enum {
    AUTOCORRELATION, CLUSTER_PROMINENCE, CLUSTER_SHADE, CLUSTER_TENDENCY, CONTRAST, CORRELATION, DIFFERENCE_AVERAGE,
    DIFFERENCE_ENTROPY, DIFFERENCE_VARIANCE, ID, IDM, IDMN, IDN, IMC1, IMC2, INVERSE_VARIANCE, JOINT_AVERAGE,
    JOINT_ENERGY, JOINT_ENTROPY, MAXIMUM_PROBABILITY, SUM_ENTROPY, SUM_SQUARES, GLCM_FEATURES
};

/* Features in the order of SIZE_FEATURES in textures.py. */
enum {
    SMALL, LARGE, LEVEL_NONUNIFORMITY, LEVEL_NONUNIFORMITY_NORMALISED, SIZE_NONUNIFORMITY,
    SIZE_NONUNIFORMITY_NORMALISED, PERCENTAGE, LEVEL_VARIANCE, SIZE_VARIANCE, SIZE_ENTROPY, LOW_LEVEL, HIGH_LEVEL,
    SMALL_LOW, SMALL_HIGH, LARGE_LOW, LARGE_HIGH, SIZE_FEATURES
};

#endif
