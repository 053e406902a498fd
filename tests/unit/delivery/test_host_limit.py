"""A host gets so many requests and no more, whoever they are for, and nobody keeps the others from it."""

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.conftest import Figure
from tests.fakes.receivers import Answer
from tests.fakes.world import TABLE, World, event, events
from tests.simulation.scale.brief import BriefLog
from tests.simulation.scale.fleet import MINUTE, SECOND, Fleet
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.delivery.host_limit import WINDOW_MS, HostLimit, HostPolicy, HostTurns, shares
from webhooks.egress.hosts import host_of
from webhooks.store import schema
from webhooks.store.dynamo import DynamoTable
from webhooks.store.host_counts import HostCountStore
from webhooks.store.states import StateStore

HOST = "hooks.example"
POLICY = HostPolicy(per_second=40, senders=10)  # 10 a sender and window, 300 counted, 150 of them for one owner alone
COUNTED = POLICY.counted()


class Service:
    """Senders of one table, at a time that stands still."""

    def __init__(self, policy: HostPolicy = POLICY) -> None:
        self.world = World(plan=self._called)
        self.calls = 0
        self.now_ms = self.world.clock.ms // WINDOW_MS * WINDOW_MS
        self.policy = policy
        self.fault: str | None = None

    def _called(self, call: str) -> str | None:
        self.calls += 1
        return self.fault

    def sender(self) -> HostLimit:
        table = DynamoTable(self.world.clients["dynamodb"], TABLE, sleep=lambda _seconds: None)
        return HostLimit(HostCountStore(table), self.policy, now_ms=lambda: self.now_ms)


def taken(senders: Sequence[HostLimit], owner: str, wanted: int, times: int = 1) -> int:
    return sum(sender.take(HOST, owner, wanted) for _ in range(times) for sender in senders)


def test_few_requests_to_a_host_ask_nobody() -> None:
    service = Service()
    sender = service.sender()
    for host in ("a.example", "b.example"):
        assert [sender.take(host, "1", 5), sender.take(host, "2", 5)] == [5, 5]
    assert service.calls == 0
    service.now_ms += WINDOW_MS
    assert sender.take("a.example", "1", 10) == 10
    assert service.calls == 0


def test_all_senders_and_owners_together_keep_to_the_bound() -> None:
    service = Service()
    senders = [service.sender() for _ in range(POLICY.senders)]
    total = sum(taken(senders, str(owner), 10, times=20) for owner in range(30))
    assert COUNTED <= total <= POLICY.per_second * WINDOW_MS / 1000
    assert taken(senders, "late", 1) == 0
    service.now_ms += WINDOW_MS
    assert taken(senders, "late", 1) == len(senders)


def test_one_owner_alone_has_half_and_the_next_ones_half_of_what_is_left() -> None:
    service = Service()
    sender = service.sender()
    assert taken([sender], "first", 10, times=100) == POLICY.own_share + COUNTED // 2
    for owner, part in (("second", 4), ("third", 8), ("fourth", 16)):
        got = taken([sender], owner, 1, times=200)
        assert COUNTED // part - 2 <= got <= COUNTED // part
    assert taken([sender], "quiet", 1) == 1


def test_a_busy_owner_asks_seldom() -> None:
    service = Service(HostPolicy(per_second=400, senders=100))
    assert taken([service.sender()], "1", 10, times=100) == 1_000
    assert service.calls <= 10


def test_an_owner_that_has_had_its_part_is_refused_from_memory() -> None:
    service = Service()
    sender = service.sender()
    taken([sender], "1", 10, times=100)
    before = service.calls
    assert taken([sender], "1", 10, times=100) == 0
    assert service.calls == before


def test_a_sender_with_little_left_for_it_takes_what_there_is() -> None:
    service = Service(HostPolicy(per_second=1, senders=100))
    assert [service.sender().take(HOST, "1", 10) for _ in range(5)] == [1, 1, 1, 0, 0]


def test_a_table_that_does_not_answer_holds_nobody_back_and_is_asked_once() -> None:
    service = Service()
    service.fault = "no_connection"
    sender = service.sender()
    assert taken([sender], "1", 10, times=50) == 500
    assert sender.take("other.example", "2", 50) == 50
    assert service.calls == 1
    service.fault = None
    service.now_ms += WINDOW_MS
    assert taken([sender], "1", 10, times=50) == POLICY.own_share + COUNTED // 2


def test_no_limit_counts_nothing() -> None:
    service = Service(HostPolicy())
    assert taken([service.sender()], "1", 1_000, times=10) == 10_000
    assert service.calls == 0


def test_what_is_counted_names_nobody_and_goes() -> None:
    service = Service()
    taken([service.sender()], "user-4711", 20)
    (item,) = (item for (pk, _), item in service.world.dynamodb.tables[TABLE].items.items() if pk == f"host|{HOST}")
    assert "4711" not in str(item)
    assert int(item[schema.EXPIRES_AT]["N"]) * 1000 <= service.now_ms + 2 * WINDOW_MS


@pytest.mark.parametrize("limit", [2, 3, 7, 300, 3_000])
def test_somebody_may_always_take_the_first(limit: int) -> None:
    assert all(own >= 1 and own <= everybody < limit + 1 for own, everybody in shares(limit))


def test_a_host_is_the_same_however_it_is_written() -> None:
    written = [
        "https://hooks.example/a",
        "https://HOOKS.example:8443/b?c",
        "https://hooks.example./",
        "https://hooks.example",
    ]
    assert {host_of(url) for url in written} == {HOST}
    assert host_of("https://bücher.example/") == host_of("https://XN--bcher-kva.example/") == "xn--bcher-kva.example"
    assert host_of("https://[2606:4700:0:0::1111]/") == host_of("https://[2606:4700::1111]:8443/x") == "2606:4700::1111"
    assert {host_of(url) for url in ("https://[::1", "https://a..b/", "nothing")} == {""}


def test_a_run_of_release_lets_go_what_the_host_may_get() -> None:
    turns = HostTurns(POLICY, MINUTE)
    limit = POLICY.counted(MINUTE)
    first = turns.take(HOST, "1", 10_000)
    assert len(first) == limit // 2
    assert (first[0], first == sorted(first), first[-1] < 60) == (0, True, True)
    assert turns.take(HOST, "1", 1) == []
    assert len(turns.take(HOST, "2", 10_000)) == limit // 4
    assert turns.take("other.example", "1", 1) == [0]


MOST = HostPolicy(per_second=400, senders=100)  # the template's
ALONE = MOST.own_share + MOST.counted() // 2  # of one sender, for one owner


def flooded(over: int = 50) -> World:
    """An owner has more for its one webhook than the host may get."""
    world = World(batch_size=100)
    world.clock.advance_to((world.clock.ms // WINDOW_MS + 1) * WINDOW_MS)
    world.owners.register("noisy", url=f"https://{HOST}/noisy")
    world.publish(*events(ALONE + over))
    world.work("ingest")
    return world


def test_what_a_busy_host_may_not_get_yet_waits_and_its_receiver_is_not_to_blame() -> None:
    world = flooded()
    world.work("sender")
    (webhook_id,) = {record.webhook_id for record in world.deliveries()}
    assert ALONE - 10 < len(world.receivers.log) <= ALONE
    waiting = [record for record in world.deliveries() if record.waiting]
    assert {(each.waiting.kind, each.waiting.reason, each.attempt_count) for each in waiting if each.waiting} == {
        ("room", "busy_host", 0)
    }
    assert len(waiting) + len(world.receivers.log) == ALONE + 50
    assert world.messages(world.delivery_queue) == []
    assert world.state(webhook_id).circuit == Circuit()
    world.run()
    assert {(record.status, len(record.attempts)) for record in world.deliveries()} == {("delivered", 1)}


def test_a_quiet_owner_is_not_held_back_beside_a_flood_to_the_same_host() -> None:
    world = flooded()
    quiet = world.owners.register("quiet", user_id=8, workspace_id=8, url=f"https://{HOST}:8443/quiet")
    world.work("sender")
    world.publish(event("q", user_id=8, workspace_id=8))
    world.work("ingest")
    world.poll("sender")
    assert len(world.receivers.seen(quiet.url)) == 1


def test_what_is_asked_for_a_busy_host_keeps_no_other_of_the_batch_waiting() -> None:
    calls: list[str] = []
    world = World(plan=calls.append, batch_size=100)
    world.owners.register("busy", user_id=8, workspace_id=8)
    plain = world.owners.register("plain")

    def answered(_now_ms: int, _count: int) -> Answer:
        calls.append("sent")
        return Answer()

    world.receivers.behave(plain.url, answered)
    count = MOST.own_share + 1
    for number in range(2):
        world.publish(*events(count, number * count, user_id=8, workspace_id=8), event(f"plain{number}"))
        world.work("ingest")
        calls.clear()
        world.work("sender")  # the first reads the data key too
    assert calls[:3] == ["dynamodb.batch_get_item", "sent", "dynamodb.update_item"]


def test_a_probe_of_a_busy_host_waits_and_takes_no_lease() -> None:
    world = flooded()
    world.work("sender")
    probed = world.owners.register("probed", workspace_id=9, url=f"https://{HOST}/probed")
    opened = EndpointState(circuit=Circuit(state="open", open_until_ms=world.clock.ms))
    assert StateStore(DynamoTable(world.dynamodb, TABLE)).save_health(probed.webhook_id, EndpointState(), opened)
    world.publish(event("p", workspace_id=9))
    world.work("ingest", "sender")
    assert world.receivers.seen(probed.url) == []
    assert world.state(probed.webhook_id).circuit == opened.circuit
    world.run()
    assert len(world.receivers.seen(probed.url)) == 1


def test_what_a_rate_keeps_back_takes_nothing_of_its_host() -> None:
    world = World(batch_size=100)
    limited = world.owners.register("limited", rate_limit_rps=1, url=f"https://{HOST}/limited")
    world.publish(*events(2 * ALONE))
    world.work("ingest", "sender")
    assert len(world.receivers.seen(limited.url)) < 20
    other = world.owners.register("other", workspace_id=9, url=f"https://{HOST}/other")
    world.publish(*events(100, workspace_id=9))
    world.work("ingest", "sender")
    assert len(world.receivers.seen(other.url)) == 100


def test_release_spreads_what_waits_for_a_busy_host_over_its_minute() -> None:
    world = flooded(over=1_000)
    world.work("sender")
    world.release()
    delays = [message.visible_at_ms - world.clock.ms for message in world.delivery_queue.messages.values()]
    by_second = Counter(max(0, delay) // SECOND for delay in delays)
    a_second = MOST.counted(SECOND) // 2
    assert len(delays) >= 1_000
    assert max(by_second.values()) <= a_second + 1
    assert len(by_second) == -(-len(delays) // a_second)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_2_000_subscriptions_on_one_host_are_no_way_to_flood_it(figure: Figure) -> None:
    """Five events for the webhooks of two owners, 1,000 each, at one address, with a hundred senders."""
    fleet = Fleet(3)
    for owner in (1, 2):
        for number in range(1_000):
            url = f"https://{HOST}/{owner}/{number}"
            fleet.world.owners.register(f"{owner} {number}", user_id=owner, workspace_id=owner, url=url)
    fleet.world.receivers.log = log = BriefLog()  # type: ignore[assignment]

    def publish() -> None:
        for owner in (1, 2):
            fleet.publish(*events(5, user_id=owner, workspace_id=owner))

    fleet.run(publish, for_ms=30 * SECOND)
    by_window = Counter(request.at_ms // WINDOW_MS for request in log)
    most = max(by_window.values())
    figure(f"10,000 requests to one host: {most} in its worst ten seconds, at most {400 * WINDOW_MS // SECOND}")
    assert MOST.counted() // 2 < most <= 400 * WINDOW_MS / SECOND
    waiting = [each.waiting.reason for each in fleet.world.deliveries() if each.waiting]
    assert set(waiting) == {"busy_host"}
    assert len(waiting) + len(log) == 10_000
