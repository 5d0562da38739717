"""One adapter for each port; none imports another."""
