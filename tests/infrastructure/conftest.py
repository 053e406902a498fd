"""The template, read once."""

import pytest

from localstack.cloudformation import load
from tests.infrastructure.template_document import PROJECT, Template


@pytest.fixture(scope="session")
def template() -> Template:
    return Template(load(PROJECT / "template.yaml"))
