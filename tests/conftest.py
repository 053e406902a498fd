"""What every test may rely on: no test reaches a real AWS account. And the figures that some of them find."""

import os
from collections.abc import Callable

import hypothesis
import pytest

for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
    del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
)

# How long an example takes says more of the machine's load than of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

Figure = Callable[[str], None]
FIGURE = "figure"


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Says what a test measured; all of it stands at the end of the run."""
    return lambda line: request.node.user_properties.append((FIGURE, line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [each for each in terminalreporter.getreports("") if getattr(each, "when", None) == "teardown"]
    lines = [line for report in reports for name, line in report.user_properties if name == FIGURE]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)
