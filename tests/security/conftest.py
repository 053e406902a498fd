"""The running stack for this folder's tests, held to its policies, and a receiver that it may deliver to."""

from collections.abc import Iterator

import pytest

from localstack.stack import LocalStack
from tests.support.service import Service
from tests.support.stack import stack

__all__ = ["stack"]


@pytest.fixture(scope="session")
def service(stack: LocalStack) -> Iterator[Service]:
    """Shared by all: take users, paths and webhooks of your own."""
    with Service.of(stack) as running:
        yield running
