"""The self-check against the IODs: what the modules of PS3.3 demand of each kind of object stands in the bytes."""
