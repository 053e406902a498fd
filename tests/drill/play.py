"""A stack, its table restored, and its region lost: what docs/operations.md has for that, played on local stacks.

The page's own commands are run. What AWS does between regions is done for it: `cross` takes a key's replica and a
backup's copy over, and nothing else.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from localstack import running
from localstack.deploy import STACK_NAME
from localstack.emulator import Emulator
from localstack.stack import LocalStack
from tests.support import operations
from tests.support.receiver import ReceivedRequest, Receiver, answer, retry_after
from tests.support.service import Document, Service, User, event, eventually, ids_at
from webhooks.request.signing import SigningSecrets, signature_headers

HERE, THERE = "us-east-1", "eu-central-1"
OWNER = 4_711
API_KEY = "a header's value, kept encrypted"
JWT_SECRET = "the secret of the platform, which makes the tokens"
TAKING_OVER = 'make deploy STAGE=prod PARAMETERS="ExistingTable='


class Broken(AssertionError):
    """A sentence of docs/operations.md that did not hold."""


@dataclass(slots=True)
class Estate:
    """Of one owner: a webhook, its path at the receiver, and an event, for each thing that is to be seen."""

    webhooks: dict[str, Document] = field(default_factory=dict[str, Document])
    paths: dict[str, str] = field(default_factory=dict[str, str])
    events: dict[str, Document] = field(default_factory=dict[str, Document])

    def delivery(self, owner: User, name: str) -> Document:
        """What became of the event of that name for the webhook of that name."""
        return owner.outcome(self.events[name]["id"], self.webhooks[name]["id"])


@dataclass(slots=True)
class Drill:
    """Says what it does, and raises Broken at the first sentence that does not hold."""

    say: Callable[[str], None]
    home: Path
    receiver: Receiver
    is_short: bool = False  # without what takes more than a minute to wait for
    variables: dict[str, str] = field(default_factory=lambda: {"STACK": STACK_NAME, "JWT_SECRET": JWT_SECRET})
    estate: Estate = field(default_factory=Estate)

    def play(self) -> None:
        """All of it."""
        first, second = self.home / "first", self.home / "second"
        with self._stack(first, HERE, {"MultiRegionKey": "true"}) as service:
            owner = service.user(OWNER)
            self._begin(service, owner)
            self._restore(service, owner)
            backup = self._back_up(service, owner)
            self._go_on(service, owner)
        self.say(f"\n{HERE} is lost. {THERE} has a replica of the key, and a copy of the backup")
        cross(first / "emulator", second / "emulator")
        parameters = self._restore_there(second, backup.replace(HERE, THERE))
        with self._stack(second, THERE, parameters) as service:
            self._note_outputs(service)
            self._run("put-secret-value", service.stack.endpoint_url, THERE)
            self._is_there(service, service.bearer(OWNER))

    # -- one after the other

    def _begin(self, service: Service, owner: User) -> None:
        self.say("A stack with webhooks, a history and a dead letter")
        self._note_outputs(service)
        self._register(owner, "well", headers={"X-Api-Key": API_KEY})
        self._register(owner, "dead", answer(500), max_retries=0)
        self._register(owner, "paused")
        self._register(owner, "resumed")
        for name in ("paused", "resumed"):
            owner.change(self.estate.webhooks[name]["id"], status="paused")
        for name in self.estate.webhooks:
            self._publish(owner, name)
        owner.settled(self.estate.webhooks["well"]["id"], self.estate.events["well"]["id"])
        eventually(lambda: owner.items(f"/webhooks/{self.estate.webhooks['dead']['id']}/dead-letters"))
        for name in ("paused", "resumed"):
            eventually(lambda name=name: self.estate.delivery(owner, name), lambda one: one["reason"] == "paused")
        self._run("replicate-key", service.stack.endpoint_url)

    def _restore(self, service: Service, owner: User) -> None:
        self.say("\nIts table is restored, and the copy takes over")
        self._run("restore-table-to-point-in-time", service.stack.endpoint_url)
        before = service.stack.outputs["TableName"]
        service.stack.redeploy(**self._taking_over(service.stack.endpoint_url, HERE))
        self.check("the stack uses the copy", service.stack.outputs["TableName"] == self.variables["NEW"] != before)
        self._lives(owner)
        self._note_outputs(service)

    def _back_up(self, service: Service, owner: User) -> str:
        self.say("\nA backup is made")
        self._register(owner, "retried soon", answer(500))
        if not self.is_short:
            self._register(owner, "retried later", retry_after(65, status=503), answer(200))
        for name in [each for each in self.estate.webhooks if each.startswith("retried")]:
            self._publish(owner, name)
            owner.settled(self.estate.webhooks[name]["id"], self.estate.events[name]["id"], "retrying")
        self._register(owner, "queued")
        self._run("mapping() {", service.stack.endpoint_url)
        self._publish(owner, "queued")
        found = self.estate.delivery(owner, "queued")
        self.check("with sending off, a delivery stays on its queue", found["status"] == "pending")
        table: Any = service.client("dynamodb")
        made = table.create_backup(TableName=service.stack.outputs["TableName"], BackupName="hourly")
        return made["BackupDetails"]["BackupArn"]

    def _go_on(self, service: Service, owner: User) -> None:
        self.say("\nLife goes on until its region is lost, with its queues")
        service.client("sqs").purge_queue(QueueUrl=service.stack.outputs["DeliveryQueueUrl"])
        self._run("mapping() {", service.stack.endpoint_url, instead=("--no-enabled", "--enabled"))
        owner.change(self.estate.webhooks["resumed"]["id"], status="active")
        owner.settled(self.estate.webhooks["resumed"]["id"], self.estate.events["resumed"]["id"])
        self._register(owner, "late")
        self._run("mapping() {", service.stack.endpoint_url, instead=("mapping sender", "mapping ingest"))
        self._publish(owner, "accepted", "well")

    def _restore_there(self, folder: Path, backup: str) -> dict[str, str]:
        with Emulator(folder, region=THERE) as emulator:
            self.variables["NEW"] = self.variables["TABLE"] + "-there"
            table: Any = running.client(emulator.endpoint_url, "dynamodb", THERE)
            table.restore_table_from_backup(TargetTableName=self.variables["NEW"], BackupArn=backup)
            self._run("aws kms describe-key", emulator.endpoint_url, THERE)
            return self._taking_over(emulator.endpoint_url, THERE)

    def _is_there(self, service: Service, owner: User) -> None:
        """Each row of the page's table."""
        self._lives(owner)
        self.say("Lost, as the page says:")
        self.check("a webhook registered since the backup", not self._is_known(owner, "late"))
        self.check("an event that only the ingest queue had", self._event(owner, "accepted").status_code == 404)
        found = self.estate.delivery(owner, "queued")
        self.check("a delivery that only the delivery queue had stays pending", found["status"] == "pending")
        found = self.estate.delivery(owner, "retried soon")
        self.check("one that was to be retried within a minute stays retrying", found["status"] == "retrying")
        self.say("And what brings it back, or comes by itself:")
        self._accepted(owner, "accepted")
        self.check("the event published again, with its id", self._arrives("well", "accepted"))
        self._publish(owner, "published anew", "queued")
        self.check("the event that stayed pending, with a new id", self._arrives("queued", "published anew"))
        self.receiver.script(self.estate.paths["retried soon"], answer(200))
        webhook = self.estate.webhooks["retried soon"]["id"]
        again = owner.post(f"/webhooks/{webhook}/deliveries/{found['delivery_id']}/retry")
        assert again.status_code == 202, again.text
        self.check("the retry that was lost, asked for", self._arrives("retried soon", "retried soon", 2))
        owner.change(self.estate.webhooks["paused"]["id"], status="active")
        self.check("a delivery that waited in the table", self._arrives("paused", "paused"))
        if not self.is_short:
            self.check("a retry of more than a minute", self._arrives("retried later", "retried later", 2))
        owner.change(self.estate.webhooks["resumed"]["id"], status="active")
        self.check("one that had gone out since the backup comes twice", self._arrives("resumed", "resumed", 2))

    # -- what is looked at

    def _lives(self, owner: User) -> None:
        """Webhooks, secrets and subscriptions, and what is in the history."""
        for name in ("well", "dead", "paused", "resumed"):
            self.check(f"the webhook {name} is there", self._is_known(owner, name))
        well = self.estate.webhooks["well"]
        self.check("history is there", self.estate.delivery(owner, "well")["status"] == "delivered")
        self._publish(owner, "new", "well")
        owner.settled(well["id"], self.estate.events["new"]["id"])
        (*_, request) = self.receiver.requests(self.estate.paths["well"])
        self.check(
            "its subscription brings a new event", request.header("webhook-id") == self.estate.events["new"]["id"]
        )
        self.check("signed with the secret that it had", _signed(request, well["secret"]))
        self.check("with the header that is kept encrypted", request.header("X-Api-Key") == API_KEY)
        letters = owner.items(f"/webhooks/{self.estate.webhooks['dead']['id']}/dead-letters")
        self.check(
            "the dead letter is there", self.estate.events["dead"]["id"] in {each["event_id"] for each in letters}
        )

    def _is_known(self, owner: User, name: str) -> bool:
        return owner.get(f"/webhooks/{self.estate.webhooks[name]['id']}").status_code == 200

    def _event(self, owner: User, name: str) -> httpx.Response:
        return owner.get(f"/events/{self.estate.events[name]['id']}")

    def _arrives(self, webhook: str, name: str, times: int = 1) -> bool:
        """Or an assertion fails: the event comes to the webhook's path, so often in all."""
        wanted, path = self.estate.events[name]["id"], self.estate.paths[webhook]
        return bool(eventually(lambda: ids_at(self.receiver, path).count(wanted) >= times, timeout=240))

    # -- what is done

    @contextmanager
    def _stack(self, folder: Path, region: str, parameters: Mapping[str, str]) -> Iterator[Service]:
        given = {"RetryBaseSeconds": "30"} | dict(parameters)
        with (
            LocalStack(state_dir=folder, region=region, parameters=given) as stack,
            httpx.Client(base_url=stack.base_url, timeout=40) as http,
        ):
            yield Service(stack, self.receiver, http)

    def _note_outputs(self, service: Service) -> None:
        outputs = service.stack.outputs
        self.variables |= {"TABLE": outputs["TableName"], "DATA_KEY_ARN": outputs["DataKeyArn"]}
        self.variables["JWT_SECRET_ARN"] = outputs["JwtSecretArn"]

    def _register(self, owner: User, name: str, *behaviours: Any, **more: Any) -> None:
        path = "/" + name.replace(" ", "-")
        self.receiver.script(path, *behaviours or [answer(200)])
        self.estate.paths[name] = path
        subscriptions = [{"event_type": "*", "filters": {"fields": {"for": name}}}]
        self.estate.webhooks[name] = owner.register(self.receiver.url(path), subscriptions=subscriptions, **more)

    def _publish(self, owner: User, name: str, webhook: str = "") -> None:
        """An event for one webhook: of the same name, if no other is given."""
        self.estate.events[name] = event(user_id=OWNER, data={"fields": {"for": webhook or name}})
        self._accepted(owner, name)

    def _accepted(self, owner: User, name: str) -> None:
        answered = owner.post("/events", self.estate.events[name])
        assert answered.status_code == 202, answered.text

    def check(self, what: str, good: object) -> None:
        """Raises Broken."""
        if not good:
            raise Broken(what)
        self.say(f"  ok  {what}")

    def _taking_over(self, endpoint_url: str, region: str) -> dict[str, str]:
        """The page's commands for it; the parameters that they give to make."""
        (made,) = self._run(TAKING_OVER, endpoint_url, region).made
        (given,) = [each.removeprefix("PARAMETERS=") for each in made if each.startswith("PARAMETERS=")]
        return dict(each.split("=", 1) for each in given.split())

    def _run(
        self, containing: str, endpoint_url: str, region: str = HERE, instead: tuple[str, str] = ("", "")
    ) -> operations.Ran:
        commands = operations.block(containing).replace(*instead)
        for line in commands.splitlines():
            self.say(f"  $ {line}")
        ran = operations.run(commands, endpoint_url, self.variables, region)
        self.variables |= ran.variables
        return ran


def cross(here: Path, there: Path) -> None:
    """From one emulator's state to another's: replicas of keys in the other region, and copies of backups."""
    there.mkdir(parents=True)
    keys, table = (json.loads((here / f"{name}.json").read_text()) for name in ("kms", "dynamodb"))
    kept = keys["payload"]["keys"]["data"]
    keys["payload"]["keys"]["data"] = {name: key for name, key in kept.items() if f"\0{THERE}\0" in name}
    keys["payload"] = {"keys": keys["payload"]["keys"]}
    table["payload"] = {"backups": json.loads(json.dumps(table["payload"]["backups"]).replace(HERE, THERE))}
    (there / "kms.json").write_text(json.dumps(keys))
    (there / "dynamodb.json").write_text(json.dumps(table))


def _signed(request: ReceivedRequest, secret: str) -> bool:
    """Whether both signatures of a delivery are this secret's."""
    wanted = signature_headers(
        SigningSecrets(secret),
        prefix="X-PyAirtable",
        event_id=request.header("webhook-id") or "",
        timestamp=int(request.header("webhook-timestamp") or 0),
        body=request.body,
    )
    return all(request.header(name) == value for name, value in wanted.items())
