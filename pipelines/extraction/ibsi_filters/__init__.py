"""The convolutional filters of IBSI's second chapter (arXiv:2006.05470), in float64 and without PyRadiomics."""
