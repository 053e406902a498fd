"""What `make deploy` says before sam begins."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from localstack.emulator import PROJECT
from scripts.building.target import BuildError
from scripts.deploying import LONGEST_STACK_NAME, NotNow, check_data_key, check_stack, command, parameters, place


class Stacks:
    """CloudFormation with one stack, or with an error in its place."""

    def __init__(self, status: str | Exception) -> None:
        self._status = status

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        if isinstance(self._status, Exception):
            raise self._status
        return {"Stacks": [{"StackName": StackName, "StackStatus": self._status}]}


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_is_whole_is_updated(status: str) -> None:
    check_stack("webhooks", Stacks(status))  # type: ignore[arg-type]


def test_a_stack_that_is_not_there_is_made() -> None:
    missing = refused("ValidationError", "Stack with id webhooks does not exist")
    check_stack("webhooks", Stacks(missing))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ROLLBACK_COMPLETE", r"never made.*\n?.*aws cloudformation delete-stack --stack-name webhooks"),
        ("ROLLBACK_FAILED", "delete-stack"),
        ("CREATE_FAILED", "delete-stack"),
        ("DELETE_FAILED", "delete-stack"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name webhooks"),
        ("UPDATE_IN_PROGRESS", "just being changed"),
        (refused("ExpiredToken", "The security token is expired"), "AWS refuses: The security token is expired"),
        (NoCredentialsError(), "AWS cannot be asked: Unable to locate credentials"),
    ],
)
def test_a_stack_that_takes_no_update_says_what_to_do(status: str | Exception, words: str) -> None:
    with pytest.raises(NotNow, match=words) as told:
        check_stack("webhooks", Stacks(status))  # type: ignore[arg-type]
    assert "\n" not in str(told.value)


def test_a_name_that_makes_function_names_too_long_is_refused() -> None:
    check_stack("w" * LONGEST_STACK_NAME, Stacks("CREATE_COMPLETE"))  # type: ignore[arg-type]
    with pytest.raises(NotNow, match="too long"):
        check_stack("w" * (LONGEST_STACK_NAME + 1), Stacks("CREATE_COMPLETE"))  # type: ignore[arg-type]


class Kms:
    """CloudFormation and KMS with the stack's key."""

    def __init__(self, *, multi_region: bool) -> None:
        self._multi_region = multi_region

    def describe_stack_resource(self, **_: str) -> dict[str, Any]:
        return {"StackResourceDetail": {"PhysicalResourceId": "key-1"}}

    def describe_key(self, *, KeyId: str) -> dict[str, Any]:
        return {"KeyMetadata": {"KeyId": KeyId, "MultiRegion": self._multi_region}}


def test_a_key_of_one_region_is_not_asked_to_become_another() -> None:
    old: Any = Kms(multi_region=False)
    with pytest.raises(NotNow, match="MultiRegionKey=false"):
        check_data_key("webhooks", {}, old, old)
    check_data_key("webhooks", {"MultiRegionKey": "false"}, old, old)
    check_data_key("webhooks", {"ExistingDataKeyArn": "arn"}, old, old)
    new: Any = Kms(multi_region=True)
    check_data_key("webhooks", {}, new, new)


def test_given_parameters_are_added_to_those_of_the_stage() -> None:
    chosen = parameters(PROJECT, "prod", ["LogLevel=DEBUG", "OwnHosts=a.example,b.example"])
    assert chosen["Stage"] == "prod"
    assert (chosen["LogLevel"], chosen["OwnHosts"]) == ("DEBUG", "a.example,b.example")
    given = command(chosen, "prod", ["--no-confirm-changeset"])
    assert {"Stage=prod", "LogLevel=DEBUG", "LogRetentionDays=90", "Tracing=Active"} <= set(given)
    assert given[-1] == "--no-confirm-changeset"


@pytest.mark.parametrize(
    ("stage", "given", "words"),
    [
        ("prod", "LogLevels=DEBUG", "no parameter LogLevels"),
        ("prod", "LogLevel=LOUD", "one of DEBUG, INFO, WARNING, ERROR, not 'LOUD'"),
        ("qa", "LogLevel=DEBUG", "no 'qa'"),
    ],
)
def test_what_the_template_would_refuse_is_refused_at_once(stage: str, given: str, words: str) -> None:
    with pytest.raises((NotNow, BuildError), match=words):
        parameters(PROJECT, stage, [given])


def test_a_stage_has_its_own_stack() -> None:
    assert place(PROJECT, "prod") == ("pyairtable-webhooks", None)
    assert place(PROJECT, "dev") == ("pyairtable-webhooks-dev", None)


def test_without_credentials_the_command_ends_in_one_line(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    bare |= {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.deploying", "--stage", "prod", "--parameters", "--"],
        cwd=PROJECT,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "AWS cannot be asked: You must specify a region" in done.stderr
    assert done.stderr.count("\n") == 1
