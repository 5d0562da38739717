"""What the node says of itself: its conformance statement and its codes, from the tables that it works with."""
