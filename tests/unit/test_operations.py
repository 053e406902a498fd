"""The commands of docs/: each call of the AWS CLI is one that AWS has, with parameters that it takes.

`make drill` runs those on restoring and on losing a region.
"""

import functools
import re

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from tests.support import pages
from tests.support.operations import PAGE, blocks

OF_THE_CLI = {"query", "output"}
# In blocks and in the text: up to the end of the line, of a substitution, or of the code that the text shows.
CALL = re.compile(r"\baws ([a-z]+) ([a-z-]+)((?:[^\n`|;]|\\\n)*)")


def calls() -> list[tuple[str, str, str]]:
    text = "\n".join([PAGE.read_text(encoding="utf-8"), *(each.text for each in pages.blocks())]).replace("\\\n", " ")
    return sorted({(service, operation, rest) for service, operation, rest in CALL.findall(text)})


@functools.cache
def service_of(name: str) -> tuple[dict[str, set[str]], set[str]]:
    """Operations with their parameters, and what can be waited for, as the CLI spells them."""
    session = botocore.session.get_session()
    model = session.get_service_model("stepfunctions" if name == "sfn" else name)
    operations = {
        dashed(operation): {dashed(each) for each in shape.members} if shape else set[str]()
        for operation in model.operation_names
        for shape in [model.operation_model(operation).input_shape]
    }
    try:
        waiters = {dashed(each) for each in session.get_waiter_model(name).waiter_names}
    except (UnknownServiceError, ValueError):
        waiters = set[str]()
    return operations, waiters


def dashed(name: str) -> str:
    return xform_name(name, "-")


@pytest.mark.parametrize(("service", "operation", "rest"), calls(), ids=lambda each: each[:40])
def test_a_call_is_one_that_aws_has(service: str, operation: str, rest: str) -> None:
    operations, waiters = service_of(service)
    given = set(re.findall(r"(?<!\S)--([a-z-]+)", rest))
    if operation == "wait":
        assert rest.split()[0] in waiters
        return
    assert operation in operations
    unknown = {each for each in given - OF_THE_CLI if each.removeprefix("no-") not in operations[operation]}
    assert not unknown, f"aws {service} {operation} has no {unknown}"


def test_no_call_is_missed() -> None:
    assert len(calls()) > 30
    assert len(blocks()) > 15
    assert sum(block.count("aws ") for block in blocks()) <= len(CALL.findall(PAGE.read_text().replace("\\\n", " ")))
