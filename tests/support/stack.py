"""The fixture `stack`: one deployed local stack for a whole test run, which a folder has from its own conftest.py.

Tests share it: make users, workspaces and webhooks of your own, and leave other tests' alone.
"""

from collections.abc import Iterator

import pytest

from localstack.stack import LocalStack

ADDRESSES = "203.0.113.10,203.0.113.11"
PARAMETERS = {
    "RetryBaseSeconds": "1",
    # a network that is not there: what matters is the second sender
    "StaticEgressSubnets": "subnet-0123456789abcdef0",
    "StaticEgressSecurityGroups": "sg-0123456789abcdef0",
    "StaticEgressAddresses": ADDRESSES,
}


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """The service with a retry base of a second, both senders, and each function held to its role's policies."""
    with LocalStack(parameters=PARAMETERS, enforce_iam=True) as running:
        yield running
