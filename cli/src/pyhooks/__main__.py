"""`python -m pyhooks`."""

from pyhooks.main import run

run()
