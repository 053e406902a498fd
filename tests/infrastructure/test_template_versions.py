"""What runs is a published version behind an alias: code, layer and settings change as one, and go back as one."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.infrastructure.template_document import Node, Template, transformed

# A function's properties that are no part of what Lambda keeps in a version.
NOT_IN_A_VERSION = {
    "Policies", "Events", "VersionDescription", "DeploymentPreference", "ProvisionedConcurrencyConfig", "Layers",
    "PermissionsBoundary",
}  # fmt: skip
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
BY_STEPS = {"TrafficShift": "Canary10Percent5Minutes", "AlarmTopicArn": TOPIC}


@pytest.fixture(scope="module")
def resources() -> Mapping[str, Any]:
    """What CloudFormation gets when all parameters have their defaults."""
    return transformed()["Resources"]


def of_type(resources: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {name: each for name, each in resources.items() if each["Type"] == kind}


def references(node: Node, conditions: Mapping[str, Any]) -> Iterator[str]:
    """Everything that a value is made of: parameters and resources, those of conditions too."""
    if isinstance(node, list):
        for each in node:
            yield from references(each, conditions)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "Ref":
            yield value
        elif key == "Fn::GetAtt":
            yield value[0]
        elif key == "Fn::Sub" and isinstance(value, str):
            yield from (name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", value))
        elif key == "Fn::If":
            yield from references([conditions[value[0]], *value[1:]], conditions)
        else:
            yield from references(value, conditions)


def test_each_function_has_an_alias_on_a_version_of_its_own(template: Template, resources: Mapping[str, Any]) -> None:
    aliases = {name: each["Properties"] for name, each in of_type(resources, "AWS::Lambda::Alias").items()}
    assert set(aliases) == {f"{name}Aliaslive" for name in template.functions}
    for name in template.functions:
        version, attribute = aliases[f"{name}Aliaslive"]["FunctionVersion"]["Fn::GetAtt"]
        assert aliases[f"{name}Aliaslive"]["Name"] == "live"
        assert resources[version]["Properties"]["FunctionName"] == {"Ref": name}
        assert resources[version]["DeletionPolicy"] == "Retain"  # to go back to
        assert attribute == "Version"


def test_whatever_invokes_a_function_invokes_the_alias(resources: Mapping[str, Any]) -> None:
    """Lambda Developer Guide, "Lambda function aliases": a permission on the function alone is none on its alias."""
    mappings = of_type(resources, "AWS::Lambda::EventSourceMapping")
    permissions = of_type(resources, "AWS::Lambda::Permission")
    for name, each in (mappings | permissions).items():
        assert each["Properties"]["FunctionName"]["Ref"].endswith("FunctionAliaslive"), name
    (schedule,) = [each for each in of_type(resources, "AWS::Events::Rule").values() if "Schedule" in str(each)]
    assert schedule["Properties"]["Targets"][0]["Arn"] == {"Ref": "ReleaseFunctionAliaslive"}
    (retries,) = of_type(resources, "AWS::Lambda::EventInvokeConfig").values()
    assert retries["Properties"]["Qualifier"] == "live"
    named = re.findall(r":function:\$\{AWS::StackName\}-[a-z]+(:\w+)?", json.dumps(resources))
    assert set(named) == {":live"}
    assert len(named) == 18  # fifteen routes, the authorizer, and the senders that the api may invoke


def test_a_version_is_published_whenever_what_a_function_is_given_changes(template: Template) -> None:
    """CloudFormation replaces a version when its description changes; in the template a parameter is the same text
    whatever its value. AWS::Lambda::Version, "Description": update requires replacement."""
    settings = template.properties("SettingsVersion")["Content"]
    conditions = template.document["Conditions"]
    counted = {name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", settings["Fn::Sub"][0])}
    for name, function in template.functions.items():
        version_of = {key: value for key, value in function.items() if key not in NOT_IN_A_VERSION}
        version_of["Environment"] = {"Variables": template.variables(name)}
        given = {each for each in references(version_of, conditions) if not each.startswith("AWS::")}
        assert given - counted == {"SettingsVersion"}, name
        assert function["VersionDescription"] == {"Fn::Sub": "settings ${SettingsVersion.VersionNumber}"}, name
        # Lambda publishes nothing of a function that is as it was, and CloudFormation fails then
        assert template.variables(name)["SETTINGS_VERSION"] == {"Fn::Sub": "${SettingsVersion.VersionNumber}"}, name


def versions(resources: Mapping[str, Any]) -> set[str]:
    return set(of_type(resources, "AWS::Lambda::Version"))


def test_a_parameters_value_alone_makes_sam_publish_nothing(resources: Mapping[str, Any]) -> None:
    """Which is why SettingsVersion is there."""
    assert versions(transformed({"RevokedTokens": "somebody"})["Resources"]) == versions(resources)


@pytest.mark.parametrize("changed", ["DependenciesLayer", "SenderFunction"])
def test_new_code_and_a_new_layer_are_new_versions(changed: str, resources: Mapping[str, Any]) -> None:
    after = versions(transformed(code={changed: "s3://packages/another"})["Resources"])
    concerned = "" if changed == "DependenciesLayer" else changed
    assert versions(resources) - after == {name for name in versions(resources) if name.startswith(concerned)}
    assert len(after) == len(versions(resources))


def test_code_takes_over_at_once_unless_steps_are_asked_for(template: Template, resources: Mapping[str, Any]) -> None:
    assert not [name for name, each in resources.items() if each["Type"].startswith("AWS::CodeDeploy::")]
    stepwise = transformed(BY_STEPS)["Resources"]
    groups = of_type(stepwise, "AWS::CodeDeploy::DeploymentGroup")
    assert set(groups) == {f"{name}DeploymentGroup" for name in template.functions}
    for name in template.functions:
        update = stepwise[f"{name}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert update["DeploymentGroupName"] == {"Ref": f"{name}DeploymentGroup"}
        assert "UpdatePolicy" not in resources[f"{name}Aliaslive"]


def test_our_own_alarms_take_new_code_back(template: Template) -> None:
    """CodeDeploy API Reference, AlarmConfiguration: up to ten alarms."""
    for group in of_type(transformed(BY_STEPS)["Resources"], "AWS::CodeDeploy::DeploymentGroup").values():
        properties = group["Properties"]
        assert properties["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": BY_STEPS["TrafficShift"]}
        assert "DEPLOYMENT_STOP_ON_ALARM" in properties["AutoRollbackConfiguration"]["Events"]
        assert properties["ServiceRoleArn"]["Fn::If"][1] == {"Fn::GetAtt": ["TrafficShiftRole", "Arn"]}
        condition, alarms, _ = properties["AlarmConfiguration"]["Fn::If"]
        names = {each["Name"]["Ref"] for each in alarms["Alarms"]}
        assert condition == "HasAlarms"
        assert names <= set(template.of_type("AWS::CloudWatch::Alarm"))
        assert {"ApiErrorsAlarm", "SenderErrorsAlarm", "UnreadableAlarm"} <= names
        assert len(names) <= 10
    rule = template.document["Rules"]["TakenBackByAlarms"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "TrafficShift"}, "AllAtOnce"]}]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]}


def test_every_way_to_shift_traffic_is_one_of_codedeploys(template: Template) -> None:
    """CodeDeploy User Guide, "Working with deployment configurations": predefined ones for Lambda."""
    allowed = template.parameters["TrafficShift"]["AllowedValues"]
    steps = {name: each["BySteps"] for name, each in template.document["Mappings"]["TrafficShifts"].items()}
    assert list(steps) == allowed
    assert [name for name in allowed if steps[name] == "false"] == ["AllAtOnce"]
    predefined = r"AllAtOnce|Canary10Percent(5|10|15|30)Minutes|Linear10PercentEvery(1Minute|(2|3|10)Minutes)"
    assert all(re.fullmatch(predefined, each) for each in allowed)


def test_processes_are_kept_started_where_somebody_waits(resources: Mapping[str, Any]) -> None:
    kept = {name for name, each in of_type(resources, "AWS::Lambda::Alias").items() if "Provisioned" in str(each)}
    assert kept == {"ApiFunctionAliaslive", "AuthorizerFunctionAliaslive"}
    for name in kept:
        config = resources[name]["Properties"]["ProvisionedConcurrencyConfig"]["Fn::If"]
        assert config[0] == "KeepsProcesses"
        assert config[2] == {"Ref": "AWS::NoValue"}
