"""The sender invoked for a test delivery: whatever goes wrong is an answer that the API can give."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from webhooks.aws.lambda_sender import LambdaSender
from webhooks.errors import Unavailable
from webhooks.models.test_result import SentRequest, TestResult
from webhooks.payload import Number

TRIAL = TestResult(
    succeeded=True, status_code=204, duration_ms=7, event_id="e1", request=SentRequest(headers={}, body="{}")
)


class Lambda:
    """Answers an invocation, or raises."""

    def __init__(self, outcome: bytes | Exception, **more: str) -> None:
        self.outcome, self.more = outcome, more
        self.invoked: list[tuple[str, object]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:
        self.invoked.append((FunctionName, json.loads(Payload)))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return {"Payload": io.BytesIO(self.outcome), **self.more}


def test_the_senders_answer_is_the_trial() -> None:
    client = Lambda(TRIAL.model_dump_json().encode())
    assert LambdaSender(client, "sender").send_test("wh_1", {"id": "e1"}) == TRIAL
    assert client.invoked == [("sender", {"test": {"webhook_id": "wh_1", "event": {"id": "e1"}}})]


def test_numbers_that_lambda_would_read_as_floats_go_as_a_text_too() -> None:
    client = Lambda(TRIAL.model_dump_json().encode())
    LambdaSender(client, "sender").send_test("wh_1", {"id": "e1", "data": {"a": Number("1.10")}})
    event, body = {"id": "e1", "data": {"a": 1.1}}, '{"id":"e1","data":{"a":1.10}}'
    assert client.invoked == [("sender", {"test": {"webhook_id": "wh_1", "event": event, "body": body}})]


def test_a_webhook_with_static_egress_is_tried_by_the_sender_with_static_addresses_or_by_none() -> None:
    client = Lambda(TRIAL.model_dump_json().encode())
    LambdaSender(client, "sender", "static").send_test("wh_1", {}, static_egress=True)
    with pytest.raises(Unavailable, match="static addresses"):
        LambdaSender(client, "sender").send_test("wh_1", {}, static_egress=True)
    assert [name for name, _ in client.invoked] == ["static"]


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (Lambda(b'{"errorMessage": "secret"}', FunctionError="Unhandled"), "the sender failed"),
        (Lambda(b"null"), "not that of a test delivery"),
        (Lambda(b"{"), "not that of a test delivery"),
        (Lambda(ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")), "TooManyRequestsException"),
        (Lambda(ReadTimeoutError(endpoint_url="https://lambda")), "ReadTimeoutError"),
    ],
)
def test_a_sender_that_does_not_answer_is_unavailable_and_not_asked_again(client: Lambda, words: str) -> None:
    with pytest.raises(Unavailable, match=words) as refusal:
        LambdaSender(client, "sender").send_test("wh_1", {})
    assert "secret" not in str(refusal.value)
    assert len(client.invoked) == 1
