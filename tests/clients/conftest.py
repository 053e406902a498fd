"""The running stack for this folder's tests."""

from collections.abc import Iterator

import pytest

from localstack.stack import LocalStack
from tests.support.service import Service
from tests.support.stack import stack

__all__ = ["stack"]


@pytest.fixture(scope="session")
def service(stack: LocalStack) -> Iterator[Service]:
    with Service.of(stack) as running:
        yield running
