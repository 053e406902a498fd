"""`sam deploy` by sam itself, to the emulator: what it leaves there works, from an event to a receiver."""

import contextlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from localstack import cloudformation, gaps, running
from localstack.deploy import DEPENDENCIES_LAYER
from localstack.emulator import PROJECT, Emulator
from localstack.stack import LOCAL_PARAMETERS
from localstack.token import issuer_of
from scripts.building.__main__ import SAM
from tests.support.receiver import Receiver
from tests.support.sam import CREDENTIALS, Build, built
from tests.support.service import eventually

__all__ = ["built"]
pytestmark = pytest.mark.timeout(300)  # sam build, and sam itself
STACK = "by-sam"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack that sam deployed, as somebody sees it who has its outputs."""

    endpoint: str
    outputs: dict[str, str]

    def call(self, method: str, path: str, body: Document | None = None, **headers: str) -> Document:
        """The emulator's address for the API of the output ApiId."""
        stage = self.outputs["BaseUrl"].rpartition("/")[2]
        url = f"{self.endpoint}/_aws/execute-api/{self.outputs['ApiId']}/{stage}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def sam_deploy(build: Build, emulator: Emulator, folder: Path) -> str:
    """`sam deploy` of a build, with the gaps of the emulator closed in its template. What sam prints."""
    template = cloudformation.load(build.folder / "template.yaml")
    parameters = (
        LOCAL_PARAMETERS | {"RetryBaseSeconds": "1"} | dict(each.split("=") for each in build.target.parameters)
    )
    template = cloudformation.with_parameters(template, parameters)
    template = gaps.without_layer(template, DEPENDENCIES_LAYER)
    template = gaps.with_secret_arns(gaps.with_plain_concurrency(gaps.without_unknown_resources(template)))
    path = build.folder / "for-the-emulator.json"
    path.write_text(json.dumps(template))
    options = [
        "--stack-name",
        STACK,
        "--s3-bucket",
        "packages",
        "--capabilities",
        "CAPABILITY_IAM",
        "--region",
        "us-east-1",
    ]
    command = [str(PROJECT / SAM), "-m", "samcli", "deploy", "--template", str(path), *options]
    done = subprocess.run(
        [*command, "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"],
        cwd=folder,
        env=os.environ | CREDENTIALS | {"AWS_ENDPOINT_URL": emulator.endpoint_url, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def deployed(built: Build, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    running.client(emulator.endpoint_url, "s3").create_bucket(Bucket="packages")
    printed = sam_deploy(built, emulator, tmp_path_factory.mktemp("deploy"))
    assert "Successfully created/updated stack" in printed
    (stack,) = running.client(emulator.endpoint_url, "cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    return Deployed(emulator.endpoint_url, outputs)


def test_what_sam_deploys_takes_an_event_to_a_receiver(deployed: Deployed) -> None:
    """By the outputs alone, as the README shows it."""
    outputs = deployed.outputs
    issuer = issuer_of(outputs, running.client(deployed.endpoint, "secretsmanager"))
    bearer = {"Authorization": f"Bearer {issuer.token('123', workspace_ids=['456'])}"}
    with Receiver() as receiver:
        subscriptions = [{"event_type": "record.*"}]
        webhook = deployed.call(
            "POST",
            "/api/v1/webhooks",
            {"name": "By sam", "url": receiver.url("/hook"), "subscriptions": subscriptions},
            **bearer,
        )
        detail = {"id": "evt_by_sam", "user_id": "123", "data": {"fields": {"amount": 1500}}}
        entry = {
            "EventBusName": outputs["EventBusName"],
            "Source": outputs["EventSource"],
            "DetailType": "record.created",
        }
        events = running.client(deployed.endpoint, "events")
        assert events.put_events(Entries=[entry | {"Detail": json.dumps(detail)}])["FailedEntryCount"] == 0
        (request,) = eventually(lambda: receiver.requests("/hook"))
        headers = {name.lower(): value for name, value in request.headers}
        assert Webhook(webhook["secret"]).verify(request.body, headers)["id"] == "evt_by_sam"

        def delivered() -> bool:
            with contextlib.suppress(urllib.request.HTTPError):
                found = deployed.call("GET", "/api/v1/events/evt_by_sam", body=None, **bearer)
                return [each["status"] for each in found["webhooks"]] == ["delivered"]
            return False

        assert eventually(delivered)


def test_sam_finds_nothing_to_do_in_what_it_deployed(
    built: Build, emulator: Emulator, deployed: Deployed, tmp_path: Path
) -> None:
    before = deployed.outputs
    sam_deploy(built, emulator, tmp_path)
    (stack,) = running.client(emulator.endpoint_url, "cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]} == before
