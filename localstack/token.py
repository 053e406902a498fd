"""JSON Web Tokens that the service accepts: `make token USER_ID=123`, and with STAGE=dev for a deployed stage.

The deployed stack says where its secret is; reading it takes AWS credentials that may.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from localstack.emulator import PROJECT, LocalStackError
from localstack.running import Running
from webhooks.access.tokens import mint

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# What a user of the platform has, and what the platform itself has.
DEFAULT_SCOPE = "webhooks events:write api-keys"


@dataclass(frozen=True, slots=True)
class Issuer:
    """What a deployment accepts tokens by."""

    secret: str
    issuer: str
    audience: str

    def token(
        self, user_id: str, *, scope: str = DEFAULT_SCOPE, workspace_ids: Sequence[str] = (), seconds: int = 3600
    ) -> str:
        """A token for this user, good from now on for so many seconds."""
        return mint(
            self.secret, user_id, scope.split(), workspace_ids, seconds, issuer=self.issuer, audience=self.audience
        )


def issuer_of(outputs: Mapping[str, str], secrets: "SecretsManagerClient") -> Issuer:
    """The issuer that a stack's outputs describe. Raises LocalStackError when the stack checks by public keys."""
    if "JwtSecretArn" not in outputs:
        raise LocalStackError(
            "This stack checks tokens by the public keys at JwtJwksUrl: only their issuer can make one."
        )
    secret = secrets.get_secret_value(SecretId=outputs["JwtSecretArn"])["SecretString"]
    return Issuer(secret, outputs["JwtIssuer"], outputs["JwtAudience"])


def deployed_issuer(stage: str, samconfig: Path = PROJECT / "samconfig.toml") -> Issuer:
    """The issuer of the stage's stack in AWS; samconfig.toml has the stack's name and region."""
    configuration = tomllib.loads(samconfig.read_text(encoding="utf-8"))
    if stage not in configuration:
        raise LocalStackError(f"samconfig.toml has no stage {stage}.")
    parameters = configuration[stage].get("global", {}).get("parameters", {}) | configuration[stage].get(
        "deploy", {}
    ).get("parameters", {})
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or parameters.get("region"))
    stacks = session.client("cloudformation").describe_stacks(StackName=parameters["stack_name"])["Stacks"]
    outputs = {output.get("OutputKey", ""): output.get("OutputValue", "") for output in stacks[0].get("Outputs", [])}
    return issuer_of(outputs, session.client("secretsmanager"))


def local_issuer(state_dir: Path) -> Issuer:
    """The issuer of the local stack that runs now. Raises LocalStackError when none does."""
    running = Running.read(state_dir)
    return issuer_of(running.outputs, running.client("secretsmanager"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: the token, alone, on standard output."""
    parser = argparse.ArgumentParser(prog="make token", description=__doc__)
    parser.add_argument("--stage", default="local")
    parser.add_argument("--user-id", default="")
    parser.add_argument("--scope", default=DEFAULT_SCOPE)
    parser.add_argument("--workspace-ids", default="")
    parser.add_argument("--hours", type=float, default=1)
    given = parser.parse_args(arguments)
    try:
        if not given.user_id:
            raise LocalStackError("Whose token? make token USER_ID=123")
        issuer = local_issuer(PROJECT / ".local") if given.stage == "local" else deployed_issuer(given.stage)
        workspaces = [part.strip() for part in given.workspace_ids.split(",") if part.strip()]
        print(issuer.token(given.user_id, scope=given.scope, workspace_ids=workspaces, seconds=int(given.hours * 3600)))
    except (LocalStackError, BotoCoreError, ClientError, OSError) as error:
        print(error, file=sys.stderr)
        if isinstance(error, NoRegionError):
            print("Set AWS_REGION, or a region in samconfig.toml or your AWS profile.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
