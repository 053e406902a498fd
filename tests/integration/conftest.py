"""The running stack for this folder's tests."""

from tests.stack import stack

__all__ = ["stack"]
