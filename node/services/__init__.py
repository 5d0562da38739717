"""One use case each, written against the ports."""
