"""functions/api with its folder on the path, as Lambda has it: its modules import each other by their bare names."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "functions" / "api"))

from functions.api import api, composition

__all__ = ["api", "composition"]
