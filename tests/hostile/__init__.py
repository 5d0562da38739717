"""What no scanner sends: the receiving process against everything that may come out of a wire."""
