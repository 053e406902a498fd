"""What is made under its parameter and absent without: WAF, publishers of other accounts, the archive, a table and key
that are there already. Each set of parameters is transformed and checked against AWS's schemas."""

import json
from collections.abc import Mapping

import pytest
from cfnlint.api import ManualArgs, lint

from tests.infrastructure.template_document import Node, transformed
from webhooks.aws.kms import ENCRYPTION_CONTEXT

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/mrk-0123"
SETS: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "prod": {"Stage": "prod", "AlarmTopicArn": TOPIC, "Tracing": "Active"},
    "waf": {"WafRequestLimit": "2000"},
    "public keys": {"JwtAlgorithms": "RS256", "JwtJwksUrl": "https://auth.example.com/jwks.json"},
    "adopted table": {
        "ExistingTable": "restored",
        "ExistingTableStream": "2026-01-31T12:00:00.000",
        "ExistingDataKeyArn": KEY,
    },
    "organisation": {"PublisherOrganization": "o-a1b2c3d4e5", "PublisherAccounts": "111122223333,444455556666"},
    "archive": {"ArchiveDays": "30"},
}
OPTIONAL = {
    "waf": {"WebAcl", "WebAclAssociation"},
    "organisation": {"PublisherAccountsPolicy", "PublisherOrganizationPolicy"},
    "archive": {"EventArchive"},
}


def _holds(condition: Node, values: Mapping[str, str], conditions: Mapping[str, Node]) -> bool:
    ((kind, parts),) = condition.items()
    if kind == "Fn::Not":
        return not _holds(parts[0], values, conditions)
    if kind == "Fn::And":
        return all(_holds(part, values, conditions) for part in parts)
    if kind == "Condition":
        return _holds(conditions[parts], values, conditions)
    assert kind == "Fn::Equals"
    left, right = (str(values[part["Ref"]]) if isinstance(part, dict) else str(part) for part in parts)
    return left == right


def present(parameters: Mapping[str, str]) -> set[str]:
    """The logical ids that CloudFormation makes with these parameters."""
    template = transformed(parameters)
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    conditions = template["Conditions"]
    return {
        name
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or _holds(conditions[resource["Condition"]], values, conditions)
    }


@pytest.fixture(scope="module")
def by_default() -> set[str]:
    return present({})


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_is_asked_for_is_made_and_nothing_else_changes(name: str, by_default: set[str]) -> None:
    assert present(SETS[name]) == by_default | OPTIONAL[name]
    assert not by_default & OPTIONAL[name]


def test_a_table_and_a_key_that_are_there_are_used_and_none_is_made(by_default: set[str]) -> None:
    adopted = present(SETS["adopted table"])
    assert by_default - adopted == {"Table", "DataKey", "DataKeyAlias"}
    assert not adopted - by_default


def test_alarms_and_steps_are_made_in_prod_where_they_are_asked_for(by_default: set[str]) -> None:
    prod = present({**SETS["prod"], "TrafficShift": "Canary10Percent5Minutes"})
    assert {"OldestEventAlarm", "ApiUnavailableFastAlarm", "Dashboard", "TrafficShiftRole"} <= prod - by_default


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SETS)
def test_a_set_of_parameters_is_what_aws_takes(name: str) -> None:
    """AWS's resource schemas and rules, by cfn-lint; `sam validate --lint` does the same after the same transform."""
    template = transformed(SETS[name])
    # E3005: the stage waits for the account's role where one is made; CloudFormation ignores it where not
    ignored = ["W", "I", "E3005"]
    matches = lint(json.dumps(template), regions=["eu-west-1"], config=ManualArgs(ignore_checks=ignored))
    assert not matches, [f"{match.rule.id} {match.message}" for match in matches]


def test_no_other_account_publishes_what_only_the_service_does() -> None:
    """EventBridge User Guide, "Resource-based policies for EventBridge", events:source."""
    resources = transformed()["Resources"]
    for name in OPTIONAL["organisation"]:
        statement = resources[name]["Properties"]["Statement"]
        assert statement["Action"] == "events:PutEvents"
        assert statement["Condition"]["StringEquals"]["events:source"] == {"Ref": "EventSource"}


def test_the_key_opens_nothing_but_what_was_sealed_for_webhooks() -> None:
    (purpose,) = ENCRYPTION_CONTEXT.items()
    conditions: list[Node] = []

    def collect(node: Node) -> None:
        if isinstance(node, dict):
            if "Action" in node and "kms:Decrypt" in node["Action"]:
                conditions.append(node.get("Condition"))
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    resources = transformed()["Resources"]
    collect([each for each in resources.values() if each["Type"] == "AWS::IAM::Role"])
    assert conditions == [{"StringEquals": {f"kms:EncryptionContext:{purpose[0]}": purpose[1]}}] * 2  # api and sender
    assert resources["DataKey"]["Properties"]["MultiRegion"]["Fn::If"] == ["SharesKey", True, {"Ref": "AWS::NoValue"}]
