"""The running stack for this folder's tests."""

from tests.support.stack import stack

__all__ = ["stack"]
