"""Features as the Image Biomarker Standardisation Initiative (IBSI) defines them, from NumPy and SciPy alone."""
