"""template.yaml and its code, deployed to the emulator by a change set: what `sam deploy` does, without sam."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from botocore.exceptions import ClientError, WaiterError

from localstack import gaps
from localstack.emulator import REGION, LocalStackError
from localstack.package import DEPENDENCIES_LAYER, Package

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

STACK_NAME = "webhooks-local"
BUCKET = "webhooks-local-packages"
Template = dict[str, Any]


class Clients(Protocol):
    """Makes a boto3 client for the emulator."""

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """What came of the template. `resources` maps logical to physical ids, as far as the template itself names them."""

    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    resources: Mapping[str, str]
    api_id: str
    api_stage: str


def deploy(clients: Clients, template: Template, packages: Mapping[str, Package]) -> Deployment:
    """Create the stack, or update it to this. Raises LocalStackError with the emulator's reason."""
    s3 = cast("S3Client", clients.client("s3"))
    _create_bucket(s3)
    template = gaps.without_layer(template, DEPENDENCIES_LAYER)
    template = gaps.without_unknown_resources(template)
    template = gaps.with_plain_concurrency(template)
    template = gaps.with_known_conditions(template)
    template = gaps.with_secret_arns(template)
    template = _with_code(s3, packages, template)
    cfn = cast("CloudFormationClient", clients.client("cloudformation"))
    _apply_change_set(cfn, s3, template)
    deployment = _describe(cfn)
    dynamodb = cast("DynamoDBClient", clients.client("dynamodb"))
    apigateway = cast("APIGatewayClient", clients.client("apigateway"))
    gaps.set_gateway_responses(apigateway, template, deployment.api_id, deployment.api_stage)
    gaps.enable_ttl(dynamodb, template, deployment.resources)
    return deployment


def _create_bucket(s3: "S3Client") -> None:
    region: Any = s3.meta.region_name
    if region == REGION:  # which takes no name of itself
        s3.create_bucket(Bucket=BUCKET)
    else:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})


def _with_code(s3: "S3Client", packages: Mapping[str, Package], template: Template) -> Template:
    """The functions' code, in the emulator's S3."""
    resources = dict(cast("Mapping[str, Template]", template["Resources"]))
    for name, package in packages.items():
        s3.put_object(Bucket=BUCKET, Key=package.key, Body=package.body)
        properties = resources[name]["Properties"] | {"CodeUri": f"s3://{BUCKET}/{package.key}"}
        resources[name] = resources[name] | {"Properties": properties}
    return template | {"Resources": resources}


def _apply_change_set(cfn: "CloudFormationClient", s3: "S3Client", template: Template) -> None:
    s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template).encode())
    exists = _exists(cfn)
    name = f"deploy-{time.time_ns()}"
    try:
        cfn.create_change_set(
            StackName=STACK_NAME,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateURL=f"https://s3.amazonaws.com/{BUCKET}/template.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        cfn.get_waiter("change_set_create_complete").wait(
            StackName=STACK_NAME, ChangeSetName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    except ClientError as error:
        raise LocalStackError(f"The emulator refused template.yaml: {error}") from error
    except WaiterError:
        reason = cfn.describe_change_set(StackName=STACK_NAME, ChangeSetName=name).get("StatusReason", "")
        cfn.delete_change_set(StackName=STACK_NAME, ChangeSetName=name)
        if "didn't contain changes" in reason or "No updates" in reason:
            return
        raise LocalStackError(f"The emulator refused template.yaml: {reason}") from None
    cfn.execute_change_set(StackName=STACK_NAME, ChangeSetName=name)
    waiter = cfn.get_waiter("stack_update_complete" if exists else "stack_create_complete")
    try:
        waiter.wait(StackName=STACK_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    except WaiterError as error:
        raise LocalStackError(f"template.yaml could not be deployed: {_failures(cfn)}") from error


def _exists(cfn: "CloudFormationClient") -> bool:
    try:
        return bool(cfn.describe_stacks(StackName=STACK_NAME)["Stacks"])
    except cfn.exceptions.ClientError:
        return False


def _failures(cfn: "CloudFormationClient") -> str:
    events = cfn.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    failed = [
        f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason')}"
        for event in reversed(events)
        if "FAILED" in event.get("ResourceStatus", "")
    ]
    return "; ".join(failed) or "no reason given"


def _describe(cfn: "CloudFormationClient") -> Deployment:
    stack = cfn.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    found = [
        resource
        for page in cfn.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
        for resource in page["StackResourceSummaries"]
    ]
    by_type = {resource["ResourceType"]: resource.get("PhysicalResourceId", "") for resource in found}
    return Deployment(
        outputs={output.get("OutputKey", ""): output.get("OutputValue", "") for output in stack.get("Outputs", [])},
        parameters={
            parameter.get("ParameterKey", ""): parameter.get("ParameterValue", "")
            for parameter in stack.get("Parameters", [])
        },
        resources={resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "") for resource in found},
        api_id=by_type["AWS::ApiGateway::RestApi"],
        api_stage=by_type["AWS::ApiGateway::Stage"],
    )
