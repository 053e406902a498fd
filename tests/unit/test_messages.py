import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import PoisonMessage
from webhooks.messages import DeliveryMessage, failures, group_of, received_deliveries

DELIVERY, WEBHOOK = "dlv_" + "1" * 26, "wh_" + "1" * 26
MESSAGE = DeliveryMessage(
    DELIVERY, WEBHOOK, "e1", "record.created", "ws:1", "group", "body", 3, 1_000, 2, True, "gone", 4
)


def record(meta: str | None, body: str = "body") -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "4", "SentTimestamp": "1760000000000"}
    given = {} if meta is None else {"meta": {"stringValue": meta, "dataType": "String"}}
    return {
        "messageId": "m1",
        "receiptHandle": "h1",
        "body": body,
        "attributes": attributes,
        "messageAttributes": given,
    }


def test_a_message_survives_its_journey() -> None:
    assert DeliveryMessage.parse("body", MESSAGE.meta()) == MESSAGE


@given(st.text(min_size=1, max_size=1_000), st.text(min_size=1, max_size=1_000), st.integers(1, 10**6), st.booleans())
def test_any_text_survives_its_journey(scope: str, kind: str, generation: int, reserved: bool) -> None:
    message = DeliveryMessage(DELIVERY, WEBHOOK, "e", kind, scope, "g", "b", generation, 5, 0, reserved)
    assert DeliveryMessage.parse("b", message.meta()) == message


def test_a_first_message_s_metadata_is_small() -> None:
    message = DeliveryMessage(
        "dlv_" + "0" * 26, "wh_" + "0" * 26, "e" * 64, "record.created", "ws:1", "0" * 32, "b", 1, 1
    )
    assert len(message.meta()) < 320


@pytest.mark.parametrize(
    "meta", [None, "", "{", "[]", "5", "null", "{}", '{"d":1}', MESSAGE.meta().replace('"g":3', '"g":"x"'),
             MESSAGE.meta().replace(DELIVERY, ""), MESSAGE.meta().replace('"g":3', '"g":1e999'),
             MESSAGE.meta().replace(DELIVERY, DELIVERY[:-1] + "!"),
             MESSAGE.meta().replace(DELIVERY, "dlv_" + "1" * 3_000),
             MESSAGE.meta().replace(WEBHOOK, "wh_"), MESSAGE.meta().replace('"s":"ws:1"', f'"s":"{"s" * 3_000}"'),
             MESSAGE.meta().replace('"g":3', '"g":-1'), MESSAGE.meta().replace('"c":1000', f'"c":{10**30}'),
             MESSAGE.meta().replace('"x":"gone"', '"x":5')],
)  # fmt: skip
def test_a_damaged_message_is_poison_and_not_an_accident(meta: str | None) -> None:
    with pytest.raises(PoisonMessage):
        DeliveryMessage.parse("body", meta)


def test_readable_and_unreadable_messages_of_a_batch_are_told_apart() -> None:
    readable, unreadable = received_deliveries([record(MESSAGE.meta()), record("{"), record(None)])
    assert [(each.message, each.receive_count, each.receipt_handle) for each in readable] == [(MESSAGE, 4, "h1")]
    assert [each.meta for each in unreadable] == ["{", None]
    assert all(each.reason for each in unreadable)


def test_failures_are_in_lambda_s_form() -> None:
    assert (
        json.dumps(failures({"b", "a"})) == '{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}'
    )


def test_a_group_is_of_the_owner_and_fits_sqs() -> None:
    assert group_of("7") == group_of("7") != group_of("8")
    assert len(group_of("ü" * 500)) <= 128
    assert group_of("ü").isascii()
