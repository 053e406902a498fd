"""Every way in which the pinned emulator differs from AWS, and what the local stack does about it.

Known and left alone, because nothing of ours needs them there: a method ANY answers 403 (the template names its verbs);
StartMessageMoveTask is missing; batching windows, the dead-letter queues and retries of EventBridge targets and SQS
metrics but one are ignored; a visibility timeout above 12 hours is accepted. tests/infrastructure pins
the AWS rules that follow from these. What only the emulator's own process can mend is in gaps_inside.py.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_dynamodb import DynamoDBClient

Template = dict[str, Any]

# The emulator rejects a whole template for one type it does not know.
UNKNOWN_TYPES = frozenset(
    {
        "AWS::CloudWatch::AnomalyDetector",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::Events::Archive",
        "AWS::Events::EventBusPolicy",
        "AWS::Logs::QueryDefinition",
        "AWS::WAFv2::WebACLAssociation",
    }
)


def environment(port: int) -> dict[str, str]:
    """What keeps the emulator on loopback and away from Docker. Functions inherit this environment."""
    return {
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",  # opens a port on all addresses
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nowhere",
        "LAMBDA_EXECUTOR": "local",
        # Queue URLs hold this port and are part of the saved state, so it stays the same on whichever port the emulator
        # listens; the functions find it by AWS_ENDPOINT_URL.
        "GATEWAY_PORT": "4566",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


def functions_environment(python: str, layer: Path | None) -> dict[str, str]:
    """What tells the emulator's process which Python runs the functions, on which packages; gaps_inside.py reads it."""
    return {"FUNCTIONS_PYTHON": python, "FUNCTIONS_PACKAGES": str(layer)} if layer is not None else {}


def without_unknown_resources(template: Template) -> Template:
    """The template less the resources whose type, or for alarms metric math, the emulator does not know, and less the
    outputs that name them."""
    resources = cast("Mapping[str, Template]", template["Resources"])
    dropped = {
        name
        for name, resource in resources.items()
        if resource["Type"] in UNKNOWN_TYPES
        or (resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"])
    }
    outputs = cast("Mapping[str, Template]", template.get("Outputs", {}))
    return template | {
        "Resources": {name: resource for name, resource in resources.items() if name not in dropped},
        "Outputs": {name: output for name, output in outputs.items() if not dropped & set(_names(output))},
    }


def with_known_conditions(template: Template) -> Template:
    """The template less the conditions of policies that the emulator evaluates and cannot meet: it has no TLS, which
    queues ask for, and does not know a request's encryption context, which the data key asks for."""
    known = _without_unknown_conditions(template)
    resources = {
        name: resource
        for name, resource in known["Resources"].items()
        if resource["Type"] != "AWS::SQS::QueuePolicy" or resource["Properties"]["PolicyDocument"]["Statement"]
    }
    return known | {"Resources": resources}


def _without_unknown_conditions(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_unknown_conditions(each) for each in cast("list[Any]", node) if not _asks_for(each, "aws:Sec")]
    if not isinstance(node, dict):
        return node
    of_node = cast("Template", node)
    dropped = {"Condition"} if _asks_for(of_node, "kms:EncryptionContext:") else set[str]()
    return {name: _without_unknown_conditions(value) for name, value in of_node.items() if name not in dropped}


def _asks_for(statement: object, key: str) -> bool:
    """Whether a policy's statement has a condition on a key that begins so."""
    condition = cast("Template", statement).get("Condition") if isinstance(statement, dict) else None
    if not isinstance(condition, dict):  # a resource's names one
        return False
    return any(name.startswith(key) for operands in cast("Template", condition).values() for name in operands)


def without_layer(template: Template, logical_id: str) -> Template:
    """The template less one layer: the emulator would unpack it anew for each worker (5 s and more). They find it
    unpacked, by functions_environment."""
    resources = {name: resource for name, resource in template["Resources"].items() if name != logical_id}
    outputs = {
        name: output for name, output in template.get("Outputs", {}).items() if logical_id not in set(_names(output))
    }
    return _without_item(template | {"Resources": resources, "Outputs": outputs}, {"Ref": logical_id})


def with_secret_arns(template: Template) -> Template:
    """A reference to a secret is its ARN; in the emulator it is the name, which no policy's resource matches."""
    resources = cast("Mapping[str, Template]", template["Resources"])
    secrets = {name for name, resource in resources.items() if resource["Type"] == "AWS::SecretsManager::Secret"}

    def arns(node: Any) -> Any:
        if isinstance(node, list):
            return [arns(item) for item in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        mapping = cast("Template", node)
        if mapping.keys() == {"Ref"} and mapping["Ref"] in secrets:
            return {"Fn::GetAtt": [mapping["Ref"], "Id"]}
        return {key: arns(value) for key, value in mapping.items()}

    return cast("Template", arns(template))


def with_plain_concurrency(template: Template) -> Template:
    """A mapping's MaximumConcurrency that refers to a parameter becomes that parameter's default as a number: the
    emulator compares it as the string that a parameter is, and polls no queue at all then."""
    parameters = cast("Mapping[str, Template]", template.get("Parameters", {}))
    resources = dict(cast("Mapping[str, Template]", template["Resources"]))
    for name, resource in resources.items():
        scaling = resource.get("Properties", {}).get("ScalingConfig", {})
        reference = scaling.get("MaximumConcurrency")
        if resource["Type"] == "AWS::Lambda::EventSourceMapping" and isinstance(reference, dict):
            parameter = cast("dict[str, str]", reference)["Ref"]
            plain = {"MaximumConcurrency": int(parameters[parameter]["Default"])}
            resources[name] = resource | {"Properties": resource["Properties"] | {"ScalingConfig": plain}}
    return template | {"Resources": resources}


def enable_ttl(dynamodb: "DynamoDBClient", template: Template, physical_ids: Mapping[str, str]) -> None:
    """TTL in a template is ignored: set it by the API call, on the tables that the stack made."""
    for logical_id, resource in cast("Mapping[str, Template]", template["Resources"]).items():
        ttl = resource.get("Properties", {}).get("TimeToLiveSpecification")
        table = physical_ids.get(logical_id)
        if resource["Type"] != "AWS::DynamoDB::Table" or not ttl or not ttl.get("Enabled") or table is None:
            continue
        current = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if current.get("TimeToLiveStatus") != "ENABLED":
            attribute = cast("str", ttl["AttributeName"])
            dynamodb.update_time_to_live(
                TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute}
            )


def set_gateway_responses(apigateway: "APIGatewayClient", template: Template, api_id: str, stage: str) -> None:
    """The gateway's own errors, which the emulator does not read from the API's OpenAPI body."""
    body = template["Resources"]["Api"]["Properties"]["DefinitionBody"]
    wanted = cast("Mapping[str, Template]", body.get("x-amazon-apigateway-gateway-responses", {}))
    found = apigateway.get_gateway_responses(restApiId=api_id)["items"]
    current = {each.get("responseType"): each for each in found if not each.get("defaultResponse")}
    changed = False
    for kind, response in wanted.items():
        settings: dict[str, Any] = {"restApiId": api_id, "responseType": kind, **response}
        if "statusCode" in settings:
            settings["statusCode"] = str(settings["statusCode"])
        if any(current.get(kind, {}).get(name) != value for name, value in settings.items() if name != "restApiId"):
            apigateway.put_gateway_response(**settings)
            changed = True
    if changed:  # they hold from the next deployment on
        apigateway.create_deployment(restApiId=api_id, stageName=stage)


def forget_stream_positions(state_dir: Path) -> None:
    """Stream records are not saved, but the positions in them are: after a restart a mapping would wait for records
    that never come. Without a position it starts over with what the stream holds then."""
    path = state_dir / "lambda.json"
    if not path.exists():
        return
    state = json.loads(path.read_text())
    if state.get("payload", {}).get("dynamodb_stream_positions"):
        state["payload"]["dynamodb_stream_positions"] = {}
        path.write_text(json.dumps(state))


def _without_item(node: Any, dropped: Template) -> Any:
    if isinstance(node, list):
        return [_without_item(item, dropped) for item in cast("list[Any]", node) if item != dropped]
    if isinstance(node, dict):
        return {key: _without_item(value, dropped) for key, value in cast("Template", node).items()}
    return node


def _names(node: Any) -> list[str]:
    """The logical ids that an output refers to by Ref or GetAtt, and every word of its Fn::Sub."""
    if isinstance(node, list):
        return [name for item in cast("list[Any]", node) for name in _names(item)]
    if not isinstance(node, dict):
        return []
    names: list[str] = []
    for key, value in cast("Template", node).items():
        if key == "Ref":
            names.append(value)
        elif key == "Fn::GetAtt":
            names.append(value[0])
        elif key == "Fn::Sub" and isinstance(value, str):
            names.extend(part.split("}")[0].split(".")[0] for part in value.split("${")[1:])
        else:
            names.extend(_names(value))
    return names
