"""One file for each step; its name is its identifier, and the last name is the form that this release needs."""
