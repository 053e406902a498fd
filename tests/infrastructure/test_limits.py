"""docs/limits.md has every limit, with the number that the template or the code has; the preset for new accounts."""

import re
import tomllib
from dataclasses import fields

import pytest

from tests.infrastructure.template_document import PROJECT, Template
from webhooks.events.validation import MAX_EVENTS
from webhooks.management.limits import LimitName
from webhooks.management.requests import MAX_FILTER_BYTES, MAX_SUBSCRIPTIONS
from webhooks.payload import MAX_EVENT_BYTES
from webhooks.settings import ApiSettings

TEXT = (PROJECT / "docs" / "limits.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
# AWS Lambda Developer Guide, "Lambda quotas": new accounts may have less than 1,000; ten is what they begin with.
NEW_ACCOUNT = 10
LEAST_OF_A_MAPPING = 2  # the same, "Configuring maximum concurrency for Amazon SQS event sources"
IN_THE_CODE = {
    "subscriptions of one webhook": MAX_SUBSCRIPTIONS,
    "KB of filters of one webhook": MAX_FILTER_BYTES // 1024,
    "events in one request or message": MAX_EVENTS,
    "KB of one event": MAX_EVENT_BYTES // 1024,
}


def by_parameter() -> dict[str, int]:
    return {
        row[2].strip("`"): int(row[1]) for row in ROWS if len(row) > 2 and row[2].startswith("`") and row[1].isdigit()
    }


def test_every_limit_of_the_template_is_there_with_its_default(template: Template) -> None:
    limits = {
        name: parameter["Default"]
        for name, parameter in template.parameters.items()
        if re.match(r"Max(?!WaitDays)|HostRequests|.*(RateLimit|BurstLimit|MaximumConcurrency|PerTenant)$", name)
    }
    assert by_parameter() == limits


def test_what_the_code_limits_is_there_with_its_number() -> None:
    stated = {row[0]: row[1] for row in ROWS}
    assert {name: int(stated[name]) for name in IN_THE_CODE} == IN_THE_CODE


def test_every_limit_that_the_api_shows_is_there() -> None:
    shown = {row[3].strip("`") for row in ROWS if len(row) > 3} - {"", "In `GET /limits", "---"}
    assert shown == set(LimitName.__args__)


def test_the_api_s_defaults_are_the_template_s(template: Template) -> None:
    variables = template.variables("ApiFunction")
    for field in fields(ApiSettings):
        parameter = variables.get(field.name.upper())
        if isinstance(parameter, dict) and parameter.get("Ref") in by_parameter():
            assert field.default == template.parameters[parameter["Ref"]]["Default"], field.name


@pytest.fixture
def small() -> dict[str, str]:
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text(encoding="utf-8"))
    return dict(each.split("=", 1) for each in config["small"]["deploy"]["parameters"]["parameter_overrides"].split())


def test_in_a_new_account_queues_leave_something_for_the_api(template: Template, small: dict[str, str]) -> None:
    bounds = [
        int(small[mapping["ScalingConfig"]["MaximumConcurrency"]["Ref"]])
        for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping").items()
        if "ScalingConfig" in mapping and "Condition" not in template.resources[name]
    ]
    assert len(bounds) == 4
    assert min(bounds) >= LEAST_OF_A_MAPPING
    left = NEW_ACCOUNT - sum(bounds)
    assert left >= 2, "a process of the api and one of the authorizer"
    assert int(small["MaxTests"]) < left, (
        "a test delivery waits in a process of the api: another one is free for others"
    )
    assert f"| **bounds of all queues** | **{sum(bounds)}** |" in TEXT


def test_nothing_is_reserved_which_a_new_account_does_not_have(template: Template, small: dict[str, str]) -> None:
    """AWS refuses a reservation that leaves less than it keeps for all others, and provisioned processes alike."""
    assert not any("ReservedConcurrentExecutions" in each for each in template.functions.values())
    assert small.get("ProvisionedConcurrency", "0") == "0"
    assert template.parameters["ProvisionedConcurrency"]["Default"] == 0


def test_no_mapping_of_a_queue_is_without_a_bound(template: Template) -> None:
    for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping").items():
        assert "ScalingConfig" in mapping or mapping["EventSourceArn"] == {"Fn::GetAtt": ["Table", "StreamArn"]}, name
