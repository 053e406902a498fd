"""The running stack for this folder's tests, and the command as a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localstack.stack import LocalStack
from tests.cli.command import Pyhooks
from tests.support.service import Service
from tests.support.stack import stack

__all__ = ["stack"]


@pytest.fixture(scope="session")
def service(stack: LocalStack) -> Iterator[Service]:
    with Service.of(stack) as running:
        yield running


@pytest.fixture
def pyhooks(tmp_path: Path) -> Iterator[Pyhooks]:
    """With a folder for its profiles, and no keyring."""
    with Pyhooks(tmp_path / "config") as command:
        yield command
