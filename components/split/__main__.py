"""Runs the stage `split`: `python -m components.split`."""

import sys

from components import split
from components.core import stage

if __name__ == "__main__":
    sys.exit(stage.main(split.run))
