"""The template, read once."""

import pytest

from tests.infrastructure.template_document import Template, read_template


@pytest.fixture(scope="session")
def template() -> Template:
    return read_template()
