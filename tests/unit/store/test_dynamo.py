"""The thin table over the fake: every part of a batch that AWS left undone is tried again, or told."""

import pytest

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.fakes.faults import Fault, FaultyClient
from webhooks.errors import Unavailable
from webhooks.store.attributes import number, text
from webhooks.store.dynamo import ROUNDS, DynamoTable, Key, Statement


class Bench:
    def __init__(self, *faults: str | None) -> None:
        self.clock = clock = Clock()
        planned = iter(faults)
        self.fake = FakeDynamoDB(clock, "t")
        self.client = FaultyClient(self.fake, "dynamodb", lambda _call: next(planned, None))
        self.table = DynamoTable(self.client, "t", sleep=clock.sleep)


def insertion(sk: str, value: int = 1) -> Statement:
    return Statement(
        "INSERT INTO \"t\" VALUE {'pk': ?, 'sk': ?, 'n': ?}", (text("p"), text(sk), number(value)), ("p", sk)
    )


def update(sk: str, value: int) -> Statement:
    return Statement('UPDATE "t" SET "n"=? WHERE pk=? AND sk=?', (number(value), text("p"), text(sk)), ("p", sk))


def test_more_keys_than_a_call_takes_are_read_in_several() -> None:
    bench = Bench()
    bench.table.execute([insertion(str(n)) for n in range(230)])
    found = bench.table.get_many([("p", str(n)) for n in range(240)] + [("p", "0")])
    assert len(found) == 230
    assert bench.client.made["dynamodb.batch_get_item"] == 3


def test_unprocessed_keys_are_asked_for_again() -> None:
    bench = Bench(None, None, None, None, "partial", "partial")
    bench.table.execute([insertion(str(n)) for n in range(100)])
    assert len(bench.table.get_many([("p", str(n)) for n in range(100)])) == 100


def test_keys_that_stay_unprocessed_are_told() -> None:
    bench = Bench(*["partial"] * 20)
    with pytest.raises(Unavailable):
        bench.table.get_many([("p", str(n)) for n in range(100)])


def test_throttled_statements_are_repeated_and_answers_keep_their_order() -> None:
    bench = Bench("partial", "partial")
    bench.table.execute([insertion("3", 0)])
    results = bench.table.execute([insertion(str(n)) for n in range(30)])
    assert [n for n, result in enumerate(results) if result == "exists"] == [3]
    assert len(results) == 30


def test_a_table_that_is_silent_is_waited_for_twice_and_what_was_done_is_known() -> None:
    silent = Bench(*["no_connection"] * 20)
    with pytest.raises(Unavailable):
        silent.table.execute([insertion(str(n)) for n in range(100)])
    assert silent.client.made["dynamodb.batch_execute_statement"] == 2

    midway = Bench(None, *["no_connection"] * 20)
    results = midway.table.execute([insertion(str(n)) for n in range(100)])
    assert results == ["done"] * 25 + ["undone"] * 75
    assert midway.client.made["dynamodb.batch_execute_statement"] == 3


def test_two_writes_of_one_item_never_share_a_batch_and_keep_their_order() -> None:
    bench = Bench()
    assert bench.table.execute([insertion("a"), update("a", 2), update("a", 3), insertion("a")]) == [
        "done",
        "done",
        "done",
        "exists",
    ]
    assert bench.table.get_many([("p", "a")])[("p", "a")]["n"] == number(3)


def test_statements_that_stay_undone_are_told_and_cost_no_others() -> None:
    bench = Bench(*["partial"] * 20)
    results = bench.table.execute([insertion(str(n)) for n in range(100)])
    is_there = [bench.fake.tables["t"].get(("p", str(n))) is not None for n in range(100)]
    assert results == ["done" if there else "undone" for there in is_there]
    assert 0 < results.count("undone") < 100


def test_a_batch_that_got_no_answer_costs_no_other_batch() -> None:
    bench = Bench(None, "no_connection", None, None)
    results = bench.table.execute([insertion(f"{n:03d}") for n in range(100)])
    assert results == ["done"] * 25 + ["undone"] * 25 + ["done"] * 50


def test_a_batch_that_is_throttled_as_a_whole_is_asked_for_again_later() -> None:
    bench = Bench("throttled", "throttled", None, "throttled")
    assert bench.table.execute([insertion("a")]) == ["done"]
    assert bench.table.get_many([("p", "a")]).keys() == {("p", "a")}
    assert bench.clock.ms - Clock().ms >= 150 + 50  # two waits and one, each of them at least half of its length


def test_keys_that_stay_unread_cost_no_others_where_the_caller_can_tell_them_apart() -> None:
    bench = Bench(None, None, None, None, *["partial"] * 20)
    bench.table.execute([insertion(str(n)) for n in range(100)])
    unread = set[Key]()
    found = bench.table.get_many([("p", str(n)) for n in range(100)], unread=unread)
    assert found.keys() | unread == {("p", str(n)) for n in range(100)}
    assert found
    assert unread


def test_a_repeat_of_our_own_insert_says_exists_so_that_the_caller_compares() -> None:
    assert Bench("repeated").table.execute([insertion("a")]) == ["exists"]


@pytest.mark.parametrize("fault", ["throttled", "no_connection", "lost_answer", "internal_error"])
def test_what_aws_does_not_do_is_unavailable(fault: Fault) -> None:
    with pytest.raises(Unavailable):
        Bench(*[fault] * ROUNDS).table.get_many([("p", "a")])
    with pytest.raises(Unavailable):
        Bench(*[fault] * ROUNDS).table.execute([insertion("a")])
    with pytest.raises(Unavailable):
        Bench(fault).table.put({"pk": text("p"), "sk": text("a")}, condition="attribute_not_exists(pk)")
    with pytest.raises(Unavailable):
        Bench(fault).table.transact([{"Put": {"Item": {"pk": text("p"), "sk": text("a")}}}])


def test_a_statement_that_can_never_be_carried_out_is_told_and_not_repeated() -> None:
    bench = Bench()
    large = Statement(
        "INSERT INTO \"t\" VALUE {'pk': ?, 'sk': ?, 'n': ?}", (text("p"), text("a"), text("x" * 410_000)), ("p", "a")
    )
    assert bench.table.execute([large]) == ["refused"]
    assert bench.client.made["dynamodb.batch_execute_statement"] == 1


def test_a_query_reads_page_after_page_and_stops_at_its_limit() -> None:
    bench = Bench()
    bench.table.execute([insertion(f"{n:04d}") for n in range(50)])
    request = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": text("p")}}
    assert len(list(bench.table.query(**request))) == 50
    assert len(list(bench.table.query(limit=7, **request))) == 7
    backwards = bench.table.query(limit=2, forward=False, **request)
    assert [item["sk"]["S"] for item in backwards] == ["0049", "0048"]


@pytest.mark.parametrize(("limit", "expected"), [(None, 25), (24, 24)])
def test_a_query_goes_on_where_a_page_s_mebibyte_ends(limit: int | None, expected: int) -> None:
    bench = Bench()
    for n in range(25):
        bench.table.put({"pk": text("p"), "sk": text(f"{n:04d}"), "body": text("x" * 60_000)})
    request = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": text("p")}}
    assert len(list(bench.table.query(limit=limit, **request))) == expected
    assert bench.client.made["dynamodb.query"] == 2


def test_a_transaction_whose_condition_fails_is_false_and_not_an_error() -> None:
    bench = Bench()
    action = {"Put": {"Item": {"pk": text("p"), "sk": text("a")}, "ConditionExpression": "attribute_not_exists(pk)"}}
    assert bench.table.transact([action])
    assert not bench.table.transact([action])
