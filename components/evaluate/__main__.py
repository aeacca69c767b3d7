"""Runs the stage `evaluate`: `python -m components.evaluate`."""

import sys

from components import evaluate
from components.core import stage

if __name__ == "__main__":
    sys.exit(stage.main(evaluate.run))
