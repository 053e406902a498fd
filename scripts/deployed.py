"""A deployment as operators' commands see it: the local stack that runs, or a stage's stack in AWS."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localstack.running import Running
from scripts.deploying import place

PATIENCE = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})


class NotThere(Exception):
    """There is no such deployment; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One stack: its name, status, parameters and outputs, and boto3's clients for where it is."""

    stack: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    client: Callable[[str], Any]

    @classmethod
    def of_stage(cls, project: Path, stage: str) -> "Deployed":
        """Raises NotThere, or LocalStackError when the local stack does not run."""
        stack, region = place(project, stage)
        if stage == "local":
            return cls.read(stack, Running.read(project / ".local").client)
        session: Any = boto3.Session(region_name=os.environ.get("AWS_REGION") or region)
        return cls.read(stack, lambda service: session.client(service, config=PATIENCE))

    @classmethod
    def read(cls, stack: str, client: Callable[[str], Any]) -> "Deployed":
        """What CloudFormation knows of a stack. Raises NotThere."""
        try:
            found = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                raise NotThere(f"There is no stack {stack} here. Make it: make deploy STAGE=...") from error
            message = error.response.get("Error", {}).get("Message", error)
            raise NotThere(f"AWS refuses: {message} (AWS_PROFILE and AWS_REGION say who and where)") from error
        except BotoCoreError as error:
            raise NotThere(f"AWS cannot be asked: {error} (AWS_PROFILE and AWS_REGION say who and where)") from error
        parameters = {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])}
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
        return cls(stack, found.get("StackStatus", ""), parameters, outputs, client)
