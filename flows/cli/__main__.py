"""Runs the command line: `python -m flows.cli`."""

import sys

from flows import cli

if __name__ == "__main__":
    sys.exit(cli.main())
