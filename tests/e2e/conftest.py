"""The running stack for this folder's tests, and a receiver that it may deliver to."""

from collections.abc import Generator, Iterator

import pytest

from localstack.stack import LocalStack
from scripts.doctor import EMPTY
from tests.support.service import Service, User
from tests.support.stack import stack

__all__ = ["stack"]


@pytest.fixture(scope="session")
def service(stack: LocalStack) -> Iterator[Service]:
    """Shared by all: take users, paths and webhooks of your own."""
    with Service.of(stack) as running:
        yield running


@pytest.fixture
def user(service: Service) -> User:
    """A user whom nobody else is."""
    return service.user()


@pytest.fixture(scope="session")
def platform(service: Service) -> User:
    """The platform itself: publishes for everybody."""
    return service.bearer(scope="webhooks events:write:any")


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that leaves a message where operators want none fails itself, and not a later one that looks there."""
    yield
    running = request.node.funcargs.get("service")
    if isinstance(running, Service):
        left = {name: running.left(running.stack.outputs[f"{name}Url"]) for name in EMPTY}
        assert not any(left.values()), {name: messages[:3] for name, messages in left.items()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test comes with what the functions logged while it ran."""
    report = yield
    running = getattr(item, "funcargs", {}).get("service")
    if report.failed and isinstance(running, Service):
        lines = [
            f"{invocation.function}: {line}"
            for invocation in running.stack.invocations()
            if invocation.at >= call.start
            for line in invocation.lines
        ]
        report.sections.append(("What the functions logged", "\n".join(lines[-60:])))
    return report
