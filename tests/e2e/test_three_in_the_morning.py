"""What docs/operations.md says to type when something is wrong, taken from the page and typed."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from localstack.deploy import STACK_NAME
from tests.support import operations
from tests.support.receiver import answer
from tests.support.service import Document, Service, User, event, eventually, ids_at

PREPARED = "api() {"  # the block that the others of its section rely on


class Night:
    """An operator's shell."""

    def __init__(self, service: Service) -> None:
        operations.need_cli()
        if shutil.which("jq") is None:
            pytest.skip("jq is not there (Debian: apt install jq)")
        self.service = service
        self._made: dict[str, str] = {}
        (asked,) = self._run(operations.block(PREPARED), PRINTS="token").made
        self._made = dict(each.split("=", 1) for each in asked if "=" in each)
        assert asked[:2] == ("-s", "token")
        self.token = service.stack.token(self._made["USER_ID"], scope=self._made["SCOPE"])

    def types(self, containing: str, *instead: tuple[str, str], lines: slice = slice(None)) -> operations.Ran:
        """Some lines of a block, after those that make the token, with this text of it replaced."""
        commands = "".join(operations.block(containing).splitlines(keepends=True)[lines])
        for old, new in instead:
            assert old in commands
            commands = commands.replace(old, new)
        return self._run(operations.block(PREPARED) + commands, PRINTS=self.token)

    def _run(self, commands: str, **variables: str) -> operations.Ran:
        given = {"STACK": STACK_NAME, "BASE_URL": self.service.stack.base_url, **variables}
        return operations.run(commands, self.service.stack.endpoint_url, given)


@pytest.fixture(scope="module")
def night(service: Service) -> Night:
    return Night(service)


def published(user: User) -> Document:
    """An event that was taken."""
    document = event()
    taken = user.post("/events", document)
    assert taken.status_code == 202, taken.text
    return document


def waits(user: User, webhook: Document, document: Document, reason: str) -> None:
    """Until the event's delivery waits for this reason."""
    eventually(lambda: user.outcome(document["id"], webhook["id"]), lambda found: found.get("reason") == reason)


def test_one_webhook_is_left_alone_and_goes_on(night: Night, service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path()))
    night.types("PUT /webhooks/wh_...", ("wh_...", webhook["id"]), lines=slice(0, 1))
    document = published(user)
    waits(user, webhook, document, "paused")
    night.types("PUT /webhooks/wh_...", ("wh_...", webhook["id"]), lines=slice(1, 2))
    user.settled(webhook["id"], document["id"], timeout=180)  # release runs each minute


def test_nothing_is_sent_at_all_and_then_all_of_it(night: Night, service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path))
    night.types("mapping() {")
    try:
        document = published(user)
        assert user.outcome(document["id"], webhook["id"])["status"] == "pending"
        assert ids_at(service.receiver, path) == []
    finally:
        night.types("mapping() {", ("--no-enabled", "--enabled"))
    user.settled(webhook["id"], document["id"])


def test_one_tenant_is_slowed_down_and_no_other(night: Night, service: Service, user: User) -> None:
    webhooks = [user.register(service.receiver.url(service.path())) for _ in range(3)]
    other = service.user()
    others = other.register(service.receiver.url(service.path()))
    night.types("/webhooks?user_id=123", ("user_id=123", f"user_id={user.user_id}"))
    assert [user.read(f"/webhooks/{each['id']}")["rate_limit_rps"] for each in webhooks] == [1, 1, 1]
    assert other.read(f"/webhooks/{others['id']}")["rate_limit_rps"] is None


def test_what_died_of_one_cause_is_replayed_across_webhooks(night: Night, service: Service, user: User) -> None:
    failing = answer(500, body=user.user_id.to_bytes(8, "big").hex().encode())  # a cause that no other test has
    paths = [service.path(failing, answer(200)) for _ in range(2)]
    webhooks = [user.register(service.receiver.url(path), max_retries=0) for path in paths]
    document = published(user)
    for webhook in webhooks:
        eventually(lambda webhook=webhook: user.items(f"/webhooks/{webhook['id']}/dead-letters"))
    (cause,) = {each["cause"] for each in user.read("/dead-letters/groups")["items"]}
    night.types("POST /dead-letters/bulk-replay", ("received_too_often", cause))
    for webhook, path in zip(webhooks, paths, strict=True):
        user.settled(webhook["id"], document["id"])
        assert ids_at(service.receiver, path) == [document["id"]] * 2


@contextmanager
def upgraded(service: Service) -> Iterator[tuple[Any, str, str]]:
    """The sender has a newer version behind its alias; (Lambda's client, its name, the version before)."""
    functions, name = service.client("lambda"), service.stack.outputs["SenderFunctionName"]
    before = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    functions.update_function_configuration(FunctionName=name, Description="a newer one")
    after = functions.publish_version(FunctionName=name)["Version"]
    assert before != after
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=after)
    try:
        yield functions, name, before
    finally:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=before)


def test_a_function_goes_back_to_the_version_before(night: Night, service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path()))
    with upgraded(service) as (functions, name, before):
        ran = night.types("list-versions-by-function", ("--function-version 41", f"--function-version {before}"))
        assert before in re.findall(r"^(\S+)\t", ran.printed, re.MULTILINE)
        assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == before
        user.settled(webhook["id"], published(user)["id"])


def test_what_lies_in_a_queue_that_should_be_empty_can_be_looked_at(night: Night, service: Service) -> None:
    """The emulator moves no messages back."""
    sqs, outputs = service.client("sqs"), service.stack.outputs
    body = f"no event {time.time_ns()}"
    sqs.send_message(QueueUrl=outputs["IngestQueueUrl"], MessageBody=body)
    eventually(lambda: body in night.types("# look, without taking away", lines=slice(0, 6)).printed, every=1)
    assert body in [each["Body"] for each in service.messages(outputs["IngestDeadLetterQueueUrl"], timeout=5)]


def test_putting_back_asks_for_the_command_that_does_it(night: Night) -> None:
    """tests/e2e/test_operators.py has what it does."""
    made = night.types("make put-back").made[1:]
    asked = [
        subprocess.run(["make", "-n", *each], cwd=operations.PROJECT, capture_output=True, text=True, check=True).stdout
        for each in made
    ]
    assert [re.findall(r"-m (scripts\.put_back.*)", each) for each in asked] == [
        ['scripts.put_back --stage "prod" '],
        ['scripts.put_back --stage "prod" --send'],
    ]
