"""The codes of IBSI's convolutional filters (IBSI-2 reference manual, arXiv:2006.05470), by their names in features."""

from typing import Final

from pipelines.domain.coding import Code

FILTER_CODES: Final[dict[str, Code]] = {
    "mean": Code("S60F", "IBSI", "Mean filter"),
    "log": Code("L6PA", "IBSI", "Laplacian-of-Gaussian filter"),
    "laws": Code("JTXT", "IBSI", "Laws kernels"),
    "gabor": Code("Q88H", "IBSI", "Gabor filter"),
    "wavelet": Code("25BO", "IBSI", "Separable wavelet"),
}
"""What stands for each kind of filter."""

FILTERED: Final[dict[str, tuple[str, str, str]]] = {
    "mean": ("mean", "", ""),
    "log": ("log", "", ""),
    "laws": ("laws", "", ""),
    "gabor": ("gabor", "", ""),
    "wavelet-llh": ("wavelet", "1", "LLH"),
    "wavelet-hhh": ("wavelet", "2", "HHH"),
}
"""Kind of filter, level and sub-band by the name of a filter in features; empty where it has none."""
