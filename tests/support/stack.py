"""The fixture `stack`: one deployed local stack for a whole test run, which a folder has from its own conftest.py.

Tests share it: make users, workspaces and webhooks of your own, and leave other tests' alone.
"""

from collections.abc import Iterator

import pytest

from localstack.stack import LocalStack


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """The service with a retry base of a second and each function held to its role's policies."""
    with LocalStack(parameters={"RetryBaseSeconds": "1"}, enforce_iam=True) as running:
        yield running
