"""From one delivery's id, every step it took, in what the functions logged."""

import json

from localstack.trace import steps
from tests.support.receiver import answer
from tests.support.service import Service, User, event, eventually


def test_one_id_leads_to_every_step(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path(answer(503), answer())))
    published = event()
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"])

    def told() -> list[str]:
        return list(steps(service.stack.invocations(), delivery["id"]))

    def says_all(lines: list[str]) -> bool:
        wanted = ("batch ingested: event", "attempt failed attempt=1 status_code=503", "again_in:", "delivered")
        return all(any(each in line for line in lines) for each in wanted)

    lines = eventually(told, says_all)
    assert [line.split()[1] for line in lines] == ["ingest", "sender", "sender", "sender"]


def test_the_lines_of_batches_are_metrics_and_hold_no_payload(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path()))
    published = event(data={"fields": {"secret": "purple-elephant"}})
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"])
    log = eventually(lambda: [line for line in service.stack.logs() if delivery["id"] in line])
    (metrics,) = json.loads(log[0])["_aws"]["CloudWatchMetrics"]
    assert {"Name": "delivered", "Unit": "Count"} in metrics["Metrics"]
    assert not any("purple-elephant" in line or webhook["secret"] in line for line in service.stack.logs())
