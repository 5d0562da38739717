"""Entry point of `pulmonode` and of `python -m node`."""

import sys

from node.cli import cli


def main() -> None:
    """Run the command line."""
    # exit codes: 0 done, 1 could not, 2 asked or configured wrongly
    sys.exit(cli(prog_name="pulmonode"))


if __name__ == "__main__":
    main()
