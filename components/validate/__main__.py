"""Runs the stage `validate`: `python -m components.validate`."""

import sys

from components import validate
from components.core import stage

if __name__ == "__main__":
    sys.exit(stage.main(validate.run))
