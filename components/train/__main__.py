"""Runs the stage `train`: `python -m components.train`."""

import sys

from components import train
from components.core import stage

if __name__ == "__main__":
    sys.exit(stage.main(train.run))
