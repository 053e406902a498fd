"""What is made under its parameter and absent without: alarms, steps of a deployment, WAF, publishers of other
accounts, the archive, a table and key that are there already. Each set of parameters is transformed and checked against
AWS's schemas, and given to `sam validate --lint`."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint

from localstack import cloudformation
from scripts.building.__main__ import SAM
from tests.infrastructure.template_document import PROJECT, Node, transformed
from tests.support.sam import need_sam
from webhooks.aws.kms import ENCRYPTION_CONTEXT

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/mrk-0123"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
STATIC = {
    "StaticEgressSubnets": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "StaticEgressSecurityGroups": "sg-0123456789abcdef0",
    "StaticEgressAddresses": "203.0.113.10,203.0.113.11",
}
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
    "provisioned": {"TableCapacity": "provisioned"},
    "organisation": {"PublisherOrganization": "o-a1b2c3d4e5", "PublisherAccounts": "111122223333,444455556666"},
    "archive": {"ArchiveDays": "30"},
    "steps": {"TrafficShift": "Canary10Percent5Minutes", "AlarmTopicArn": TOPIC, "ProvisionedConcurrency": "2"},
    "strict account": {"ApiGatewayLogsRole": "existing", "PermissionsBoundary": BOUNDARY, "MultiRegionKey": "false"},
    "static egress": STATIC,
    "watched static egress": {**STATIC, "AlarmTopicArn": TOPIC},
}
OPTIONAL: Mapping[str, set[str]] = {
    "waf": {"WebAcl", "WebAclAssociation"},
    "provisioned": {
        f"{part}{kind}{policy}"
        for part in ("Table", "WaitingIndex", "ListingIndex", "OverviewIndex")
        for kind in ("Reads", "Writes")
        for policy in ("", "Policy")
    },
    "organisation": {"PublisherAccountsPolicy", "PublisherOrganizationPolicy"},
    "archive": {"EventArchive"},
    "static egress": {
        "StaticSenderFunction",
        "StaticSenderFunctionAliaslive",
        "StaticSenderFunctionRole",
        "StaticSenderFunctionVersion",
        "StaticSenderLogGroup",
        "StaticSenderMapping",
        "StaticDeliveryQueue",
    },
}
WITHOUT: Mapping[str, set[str]] = {
    "public keys": {"JwtSecret"},
    "adopted table": {"Table", "DataKey", "DataKeyAlias"},
    "strict account": {"ApiGatewayAccount", "ApiGatewayLogsWriter", "FirstOfApiGateway"},
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


def _named(logical_id: str) -> str:
    """Without what SAM gives a version's name by its content."""
    return re.sub(r"(Version)[0-9a-f]{10}$", r"\1", logical_id)


def present(parameters: Mapping[str, str]) -> set[str]:
    """The logical ids that CloudFormation makes with these parameters."""
    template = transformed(parameters)
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    conditions = template["Conditions"]
    return {
        _named(name)
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


@pytest.mark.parametrize("name", WITHOUT)
def test_what_is_there_already_is_not_made_and_nothing_else_changes(name: str, by_default: set[str]) -> None:
    assert present(SETS[name]) == by_default - WITHOUT[name]
    assert by_default >= WITHOUT[name]


def test_alarms_and_the_dashboard_are_made_where_they_have_a_topic_and_steps_where_they_are_asked_for(
    by_default: set[str],
) -> None:
    resources = transformed()["Resources"]
    alarms = {name for name, each in resources.items() if each["Type"].startswith("AWS::CloudWatch::")}
    assert len(alarms) > 40
    assert not alarms & by_default
    watched = present(SETS["watched static egress"])
    assert watched == by_default | OPTIONAL["static egress"] | alarms
    alarms = {name for name in alarms if "Static" not in name}
    assert present(SETS["prod"]) == by_default | alarms
    functions = {name for name, each in resources.items() if each["Type"] == "AWS::Lambda::Function"} & by_default
    groups = {f"{name}DeploymentGroup" for name in functions}
    steps = {"ServerlessDeploymentApplication", "TrafficShiftRole"}
    assert present(SETS["steps"]) == by_default | alarms | groups | steps


def test_whatever_depends_on_a_parameter_is_both_made_and_left_out_by_these_sets() -> None:
    resources = transformed()["Resources"]
    made = [present(each) for each in SETS.values()]
    conditional = {_named(name) for name, each in resources.items() if "Condition" in each}
    assert {name for name in conditional if not any(name in each for each in made)} == set()
    assert {name for name in conditional if all(name in each for each in made)} == set()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SETS)
def test_a_set_of_parameters_is_what_aws_takes(name: str) -> None:
    """AWS's resource schemas and rules, by cfn-lint; `sam validate --lint` does the same after the same transform."""
    template = transformed(SETS[name])
    # E3005: the stage waits for the account's role where one is made; CloudFormation ignores it where not
    ignored = ["W", "I", "E3005"]
    matches = lint(json.dumps(template), regions=["eu-west-1"], config=ManualArgs(ignore_checks=ignored))
    found = [f"{match.rule.id} {match.message}" for match in matches]
    # SAM makes groups of CodeDeploy only for steps, which is when the role of theirs is there
    assert [each for each in found if each != "E3003 'ServiceRoleArn' is a required property"] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SETS)
def test_a_set_of_parameters_is_valid_to_sam(name: str, tmp_path: Path) -> None:
    """`sam validate` takes no parameters, and looks at the defaults."""
    need_sam()
    document = cloudformation.load(PROJECT / "template.yaml")
    (tmp_path / "template.json").write_text(
        json.dumps(cloudformation.with_parameters(document, {"Stage": "dev", **SETS[name]}))
    )
    done = subprocess.run(
        [PROJECT / SAM, "-m", "samcli", "validate", "--lint", "--template", "template.json"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


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
    assert conditions == [{"StringEquals": {f"kms:EncryptionContext:{purpose[0]}": purpose[1]}}] * 3  # api and senders
    assert resources["DataKey"]["Properties"]["MultiRegion"]["Fn::If"] == ["SharesKey", True, {"Ref": "AWS::NoValue"}]
