"""Runs the stage `package`: `python -m components.package`."""

import sys

from components import package
from components.core import stage

if __name__ == "__main__":
    sys.exit(stage.main(package.run))
