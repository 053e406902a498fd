"""What each function asks AWS for, against what its role may do: nothing is refused, and nothing granted in vain.

The stack enforces IAM and notes each call. The fixture does everything that functions do, save what takes a thousand
webhooks or an accident: RARE says what those are.
"""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from localstack.authorised_calls import Call
from localstack.stack import LocalStack
from tests.conftest import Figure
from tests.infrastructure.template_document import Template, listed, read_template
from tests.security.estate import make
from tests.support.receiver import answer
from tests.support.service import Service, User, event, eventually, new_id

Grant = tuple[str, str, str]  # function, action, resource's logical id

# Lambda's pollers act by the function's role; the emulator's ask nobody. SAM's SQSPollerPolicy has the same list.
BY_POLLERS = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}
RARE: dict[Grant, str] = {
    ("IngestFunction", "sqs:SendMessage", "IngestQueue"): "an event that reaches more than 500 webhooks goes on later",
    ("IngestFunction", "dynamodb:PartiQLDelete", "Table"): "an event id comes again after the first one has expired",
    ("SenderFunction", "sqs:SendMessage", "DeliveryQueue"): "AWS failed before an attempt was begun: a copy comes soon",
    ("ReplayFunction", "dynamodb:PartiQLInsert", "Table"): "a message was redriven before its delivery had a record",
    ("ReplayFunction", "sqs:SendMessage", "JobsQueue"): "a replay job goes on in another invocation",
    ("ReplayFunction", "dynamodb:Scan", "Table"): "an erasure reads the table two minutes after it was asked for",
    ("ReplayFunction", "dynamodb:PartiQLDelete", "Table"): "the same",
    ("ApiFunction", "dynamodb:PartiQLInsert", "Table"): "a delivery is sent again before it had a record",
    ("RollupFunction", "sqs:SendMessage", "StreamFailuresQueue"): "Lambda itself sends what rollup could not take",
}


@pytest.fixture(scope="module")
def template() -> Template:
    return read_template()


@pytest.fixture(scope="module")
def asked(service: Service) -> set[Grant]:
    """Everything that functions do, done."""
    owner = service.bearer()
    estate = make(service, owner)
    _use_a_key(service)
    _manage(owner, estate.ids["webhook_id"], estate.ids["subscription_id"])
    _send_again(owner, estate.ids)
    _park_and_release(service, owner)
    _disable(service, owner)
    _open_circuit(service, owner)
    _recover(service, owner)
    _send_from_static_addresses(service, owner)
    service.client("sqs").send_message(QueueUrl=service.stack.outputs["IngestQueueUrl"], MessageBody="no event")
    _begin_anew(service, owner)
    assert owner.delete(f"/webhooks/{estate.ids['failing_webhook_id']}").status_code == 204
    admin = service.bearer(scope="admin metrics:read")
    assert admin.read("/webhooks")["items"]
    service.http.get("/metrics", headers=admin.headers)
    _read_all(owner, estate.ids)
    _erase(service)
    for message in service.messages(service.stack.outputs["IngestDeadLetterQueueUrl"]):
        assert "no event" in message["Body"]
        break
    last = {("RollupFunction", "dynamodb:PutItem", "Table"), ("IngestFunction", "dynamodb:UpdateItem", "Table")}
    return eventually(lambda: {_grant(service.stack, call) for call in service.stack.calls()}, last.issubset)


def _use_a_key(service: Service) -> None:
    owner = service.bearer(scope="webhooks api-keys")
    key = owner.post("/api-keys", {"name": "n", "scopes": ["webhooks"]}).json()
    machine = User(service.http, owner.user_id, {"Authorization": f"Bearer {key['key']}"})
    assert machine.read("/webhooks")["items"] == []
    assert owner.items("/api-keys")
    assert owner.delete(f"/api-keys/{key['id']}").status_code == 204


def _manage(owner: User, webhook_id: str, subscription_id: str) -> None:
    path = f"/webhooks/{webhook_id}/subscriptions/{subscription_id}"
    assert owner.http.get("/ready").status_code == 200
    owner.change(webhook_id, rate_limit_rps=50)
    assert owner.put(path, {"is_active": False}).status_code == 200
    assert owner.put(path, {"is_active": True}).status_code == 200
    assert owner.post(f"/webhooks/{webhook_id}/test", {}).status_code == 200
    assert owner.post(f"/webhooks/{webhook_id}/regenerate-secret", {}).status_code == 200


def _send_again(owner: User, ids: Any) -> None:
    path = f"/webhooks/{ids['failing_webhook_id']}"
    letter = owner.items(f"{path}/dead-letters")[0]["id"]
    assert owner.post(f"{path}/dead-letters/{letter}/replay").status_code in {202, 409}
    assert owner.post(f"{path}/deliveries/{ids['failed_delivery_id']}/retry").status_code in {202, 409}


def _park_and_release(service: Service, owner: User) -> None:
    workspace = new_id()
    member = service.bearer(workspace_ids=[workspace])
    webhook = member.register(service.receiver.url(service.path()), workspace_id=workspace)
    member.change(webhook["id"], status="paused")
    waiting = event(user_id=member.user_id, workspace_id=workspace)
    service.put_events([waiting])
    member.settled(webhook["id"], waiting["id"], "pending", "retrying")
    member.change(webhook["id"], status="active")

    def released() -> bool:
        service.run_release()
        return member.items(f"/webhooks/{webhook['id']}/deliveries")[0]["status"] == "delivered"

    eventually(released, every=1)


def _disable(service: Service, owner: User) -> None:
    webhook = owner.register(service.receiver.url(service.path(answer(410))), "table.created")
    service.put_events([event("table.created", user_id=owner.user_id)])
    eventually(lambda: owner.read(f"/webhooks/{webhook['id']}"), lambda found: found["status"] == "failed")


def _open_circuit(service: Service, owner: User) -> None:
    webhook = owner.register(service.receiver.url(service.path(answer(500))), "table.deleted", max_retries=0)
    for _ in range(2):  # in each window, ten attempts at least decide
        service.put_events([event("table.deleted", user_id=owner.user_id) for _ in range(12)])
    eventually(lambda: owner.read(f"/webhooks/{webhook['id']}/health"), lambda found: found["circuit"] != "closed")


def _recover(service: Service, owner: User) -> None:
    """What was missed while a webhook was inactive, and what was given up."""
    failing = service.path(answer(500))
    webhook = owner.register(service.receiver.url(failing), "workspace.*", max_retries=0)
    path = f"/webhooks/{webhook['id']}"
    given_up, missed = (event("workspace.updated", user_id=owner.user_id) for _ in range(2))
    service.put_events([given_up])
    owner.settled(webhook["id"], given_up["id"], "failed")
    owner.change(webhook["id"], status="inactive")
    service.put_events([missed])
    eventually(lambda: owner.outcome(missed["id"], webhook["id"])["status"] == "not_queued")
    service.put_events([missed])  # a duplicate, which is counted
    owner.change(webhook["id"], status="active")
    for selection in ({"reason": "missed"}, {"from": "2024-01-01T00:00:00Z"}):
        job = owner.post(f"{path}/recover", selection).json()
        eventually(lambda: owner.read(f"/replays/{job['id']}"), lambda f: f["status"] not in {"pending", "running"})  # noqa: B023


def _send_from_static_addresses(service: Service, owner: User) -> None:
    """By each function that sends to delivery queues."""
    failing = service.path(answer(500))
    webhook = owner.register(service.receiver.url(failing), "user.joined", max_retries=0, static_egress=True)
    path = f"/webhooks/{webhook['id']}"
    assert owner.post(f"{path}/test", {}).status_code == 200
    published = event("user.joined", user_id=owner.user_id)
    service.put_events([published])
    owner.settled(webhook["id"], published["id"], "failed")
    letter = eventually(lambda: owner.items(f"{path}/dead-letters"))[0]["id"]
    assert owner.post(f"{path}/deliveries/{letter}/retry").status_code in {202, 409}
    eventually(lambda: owner.delivery(webhook["id"], letter)["attempt_count"] == 2)

    def recovered() -> int:
        job = owner.post(f"{path}/recover", {"from": "2024-01-01T00:00:00Z"}).json()
        ended = eventually(
            lambda: owner.read(f"/replays/{job['id']}"), lambda f: f["status"] not in {"pending", "running"}
        )
        return int(ended["replayed"])

    eventually(recovered, every=1)  # nothing until it is a dead letter again
    owner.change(webhook["id"], status="paused")
    waiting = event("user.joined", user_id=owner.user_id)
    service.put_events([waiting])
    owner.settled(webhook["id"], waiting["id"], "pending", "retrying")
    owner.change(webhook["id"], status="active")

    def released() -> bool:
        service.run_release()
        return owner.outcome(waiting["id"], webhook["id"])["status"] == "failed"

    eventually(released, every=1)


def _begin_anew(service: Service, owner: User) -> None:
    """A process that did not make the data key opens it."""
    for pid in service.stack.workers("ApiFunction"):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: owner.http.get("/health").status_code == 200)
    owner.register("https://example.com/")


def _erase(service: Service) -> None:
    """An event, and then the tenant whose it was: as far as that goes at once."""
    owner, admin = service.bearer(), service.bearer(scope="admin")
    webhook = owner.register(service.receiver.url(service.path()), "record.created")
    published = event(user_id=owner.user_id)
    assert owner.post("/events", published).status_code == 202
    owner.settled(webhook["id"], published["id"])
    assert owner.delete(f"/events/{published['id']}").status_code == 204
    tenant = f"/tenants/user:{owner.user_id}"
    assert admin.delete(tenant).status_code == 202
    eventually(lambda: admin.read(f"{tenant}/erasure"), lambda found: found["webhooks"] == 1)
    assert admin.items("/erasures")


def _read_all(owner: User, ids: Any) -> None:
    for path in ("", "/health", "/metrics", "/deliveries", "/dead-letters"):
        owner.get(f"/webhooks/{ids['webhook_id']}{path}")
    owner.items("/dead-letters")


def _grant(stack: LocalStack, call: Call) -> Grant:
    """Physical ids are names, ARNs, or the URLs of queues: their last part tells a resource; a secret's has more."""
    names = {_last(physical): logical for logical, physical in stack.resources.items()}
    names["*"] = "*"
    resource, _, index = call.resource.partition("/index/")
    last = _last(resource)
    logical = names.get(last) or names[last.rpartition("-")[0]]
    function = names[call.role].removesuffix("Role")
    if function == "StaticSenderFunction":  # it may the same (tests/infrastructure/test_template_permissions.py)
        function, logical = "SenderFunction", logical.replace("StaticDeliveryQueue", "DeliveryQueue")
    return function, call.action, f"{logical}/{index}" if index else logical


def _last(name: str) -> str:
    """Of a function's alias, its name with the function's."""
    return name.partition(":function:")[2] or name.split("/")[-1].split(":")[-1]


def granted(template: Template) -> Iterator[Grant]:
    for function in template.functions.keys() - {"StaticSenderFunction"}:
        for statement in template.statements(function):
            for action in statement["Action"]:
                for resource in listed(statement["Resource"]):
                    yield function, action, _named(resource)


def _named(resource: Any) -> str:
    if resource == "*":
        return "*"
    if "Ref" in resource:
        return resource["Ref"]
    if "Fn::GetAtt" in resource:
        return resource["Fn::GetAtt"][0]
    text = resource["Fn::Sub"]
    if text.startswith("${Table.Arn}/index/"):
        return "Table/" + text.removeprefix("${Table.Arn}/index/")
    if text.endswith("-sender:live"):
        return "SenderFunctionAliaslive"
    if text.endswith("-staticsender:live"):
        return "StaticSenderFunctionAliaslive"
    return "Table" if text.startswith("${Table.Arn}/") else text


def test_what_functions_ask_for_is_what_they_may(template: Template, asked: set[Grant], figure: Figure) -> None:
    may = set(granted(template))
    asked = {_as_granted(grant, may) for grant in asked}
    assert sorted(asked - may) == [], "asked for, and not granted"
    vain = {grant for grant in may - asked if grant[1] not in BY_POLLERS and grant not in RARE and not _is_moot(grant)}
    assert sorted(vain) == [], "granted, and never asked for"
    functions = {function for function, _, _ in asked}
    figure(
        f"permissions: {len(asked)} kinds of call by {len(functions)} functions, 0 not granted; "
        f"{len(may)} grants, 0 in vain, {len(RARE)} for rare cases"
    )


def _as_granted(grant: Grant, may: set[Grant]) -> Grant:
    """An index that is granted with all others."""
    function, action, resource = grant
    wide = (function, action, "Table/*")
    return wide if resource.startswith("Table/") and wide in may else grant


def _is_moot(grant: Grant) -> bool:
    """A statement names table and indexes together, and nothing but a query can be asked of an index."""
    _, action, resource = grant
    return resource.startswith("Table/") and action != "dynamodb:Query"


def test_what_is_rare_is_granted_at_all(template: Template) -> None:
    assert set(RARE) <= set(granted(template))


def test_nothing_was_refused(service: Service, asked: set[Grant]) -> None:
    assert not [line for line in service.stack.logs() if "AccessDenied" in line or "not authorized to" in line]
