"""make deploy: looks first whether the stage's stack takes a deployment, then has sam make it.

What sam or CloudFormation would only say after minutes, or in other words, is said before, in one line.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from localstack import cloudformation
from scripts.building.__main__ import SAM
from scripts.building.target import BuildError, overrides

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_kms import KMSClient

# Lambda API Reference, CreateFunction: 64 characters for a function's name; ours are the stack's and at most this.
LONGEST_STACK_NAME = 64 - len("-authorizer")
AS_IT_SHOULD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", ""})


class NotNow(Exception):
    """Nothing can be deployed; the message says what to do."""


def check_stack(stack: str, cloudformation_client: "CloudFormationClient") -> None:
    """Raises NotNow when CloudFormation would not update the stack, or not make one of this name."""
    if len(stack) > LONGEST_STACK_NAME:
        raise NotNow(
            f"The stack's name {stack} has {len(stack)} characters; with more than {LONGEST_STACK_NAME} its functions' "
            "names are too long for Lambda. Change stack_name in samconfig.toml."
        )
    status = _status(stack, cloudformation_client)
    if status in AS_IT_SHOULD:
        return
    if status.endswith("_IN_PROGRESS"):
        raise NotNow(f"{stack} is just being changed ({status}). Try again when that is done.")
    if status == "UPDATE_ROLLBACK_FAILED":
        raise NotNow(
            f"{stack} could neither be updated nor go back ({status}). Mend what its events name, then: "
            f"aws cloudformation continue-update-rollback --stack-name {stack}"
        )
    raise NotNow(
        f"{stack} was never made as a whole ({status}) and takes no update. Delete what there is, then deploy again "
        f"(docs/operations.md, A deployment that fails): aws cloudformation delete-stack --stack-name {stack}"
    )


def check_data_key(
    stack: str, chosen: Mapping[str, str], cloudformation_client: "CloudFormationClient", kms: "KMSClient"
) -> None:
    """Raises NotNow when CloudFormation would fail at the key, which KMS never changes into a multi-Region one."""
    if chosen.get("MultiRegionKey", "true") == "false" or chosen.get("ExistingDataKeyArn"):
        return
    try:
        found = cloudformation_client.describe_stack_resource(StackName=stack, LogicalResourceId="DataKey")
        key_id = found["StackResourceDetail"].get("PhysicalResourceId", "")
        shared = kms.describe_key(KeyId=key_id)["KeyMetadata"].get("MultiRegion", False)
    except (ClientError, BotoCoreError):
        return  # no stack yet, or nobody may look: CloudFormation will say
    if not shared:
        raise NotNow(f"{stack} has a data key of one region, which KMS cannot change: add MultiRegionKey=false.")


def parameters(project: Path, stage: str, given: Sequence[str]) -> dict[str, str]:
    """What samconfig.toml has for the stage, and what is given, as NAME=VALUE, over it.

    Raises NotNow for one that template.yaml does not have, or a value that it does not allow.
    """
    chosen = overrides(project, stage)
    for each in given:
        name, _, chosen[name] = each.partition("=")
    known = cloudformation.load(project / "template.yaml")["Parameters"]
    for name, value in chosen.items():
        if name not in known:
            raise NotNow(f"template.yaml has no parameter {name}.")
        allowed = [str(each) for each in known[name].get("AllowedValues", [value])]
        if value not in allowed:
            raise NotNow(f"{name} is one of {', '.join(allowed)}, not {value!r}.")
    return chosen


def place(project: Path, stage: str) -> tuple[str, str | None]:
    """The name of the stage's stack, and its region if samconfig.toml has one."""
    config = tomllib.loads((project / "samconfig.toml").read_text(encoding="utf-8"))[stage]
    settings = config["global"]["parameters"] | config.get("deploy", {}).get("parameters", {})
    return settings["stack_name"], settings.get("region")


def _status(stack: str, client: "CloudFormationClient") -> str:
    try:
        return client.describe_stacks(StackName=stack)["Stacks"][0].get("StackStatus", "")
    except ClientError as error:
        if "does not exist" in str(error):
            return ""
        raise NotNow(f"AWS refuses: {error.response.get('Error', {}).get('Message', error)}") from error
    except BotoCoreError as error:
        raise NotNow(f"AWS cannot be asked: {error} (AWS_PROFILE and AWS_REGION say who and where)") from error


def command(chosen: Mapping[str, str], stage: str, more: Sequence[str]) -> list[str]:
    """What has sam deploy; overrides given to sam replace all of samconfig.toml's, so all are given."""
    pairs = [f"{name}={value}" for name, value in chosen.items()]
    return [str(SAM), "-m", "samcli", "deploy", "--config-env", stage, "--parameter-overrides", *pairs, *more]


def main() -> int:
    """Entry point; 1 with the reason when nothing was deployed, else sam's own answer."""
    parser = argparse.ArgumentParser(prog="python -m scripts.deploying", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--parameters", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("more", nargs="*", help="after --: options of sam deploy")
    given = parser.parse_args()
    project = Path.cwd()
    try:
        chosen = parameters(project, given.stage, given.parameters)
        stack, region = place(project, given.stage)
        check_stack(stack, _client(region))
        check_data_key(
            stack, chosen, _client(region), boto3.client("kms", region_name=os.environ.get("AWS_REGION") or region)
        )
    except (NotNow, BuildError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return subprocess.run(command(chosen, given.stage, given.more), check=False).returncode


def _client(region: str | None) -> "CloudFormationClient":
    try:
        return boto3.client("cloudformation", region_name=os.environ.get("AWS_REGION") or region)
    except BotoCoreError as error:
        raise NotNow(f"AWS cannot be asked: {error} (AWS_PROFILE and AWS_REGION say who and where)") from error


if __name__ == "__main__":
    sys.exit(main())
