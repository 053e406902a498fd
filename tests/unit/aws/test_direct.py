"""Batched calls made directly: the same requests and answers as botocore's, and botocore for all that is no success."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ReadTimeoutError, SSLError

from tests.support.certificates import CertificateAuthority
from webhooks.aws import clients
from webhooks.aws.clients import Clients, client, direct, session
from webhooks.aws.direct import DirectDynamoDB, DirectKms, DirectSecretsManager, DirectSqs
from webhooks.aws.sqs import Outgoing
from webhooks.delivery.dispatcher import RECORDING_MS

if TYPE_CHECKING:
    from email.message import Message

KEYS = {"RequestItems": {"t": {"Keys": [{"pk": {"S": "a"}, "sk": {"S": "b"}}], "ConsistentRead": True}}}
ITEM = {"pk": {"S": "a"}, "n": {"N": "1"}, "raw": {"B": base64.b64encode(b"\0\xff").decode()}, "is": {"BOOL": True}}
THROTTLING = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
ANSWER = json.dumps({"Responses": {"t": [ITEM]}, "UnprocessedKeys": {}}).encode()


class Endpoint(ThreadingHTTPServer):
    """An AWS endpoint that gives the scripted answers, then one item of DynamoDB's for ever. A status of 0 hangs up,
    and with one of -1 the bytes go out as they are.

    While `silent` is set it takes requests and says nothing.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[tuple[int, bytes]] = []
        self.requests: list[tuple[Message, bytes]] = []
        self.times: list[float] = []
        self.clients: set[int] = set()
        self.connections: set[socket.socket] = set()
        self.silent = False
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def hang_up(self) -> None:
        """Close the connections that are open, from this side."""
        for each in self.connections:
            each.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        endpoint = self.server
        assert isinstance(endpoint, Endpoint)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        endpoint.times.append(time.perf_counter())
        endpoint.clients.add(self.client_address[1])
        endpoint.connections.add(self.connection)
        endpoint.requests.append((self.headers, body))
        if endpoint.silent:
            endpoint.over.wait(30)
            self.close_connection = True
            return
        status, answer = endpoint.script.pop(0) if endpoint.script else (200, ANSWER)
        if not status:
            self.close_connection = True
            return
        if status < 0:
            self.wfile.write(answer)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    for name in ("HTTPS_PROXY", "https_proxy", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    session.cache_clear()
    with Endpoint() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()
    session.cache_clear()


@pytest.fixture
def table(endpoint: Endpoint) -> DirectDynamoDB:
    made = Clients().hot_dynamodb
    assert isinstance(made, DirectDynamoDB)
    return made


def agents(endpoint: Endpoint) -> list[bool]:
    """Which of the requests were botocore's."""
    return ["amz-sdk-request" in {name.lower() for name in headers} for headers, _ in endpoint.requests]


def test_items_come_as_botocore_gives_them(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    answer = table.batch_get_item(**KEYS)
    assert answer["Responses"] == client("dynamodb").batch_get_item(**KEYS)["Responses"]
    assert answer["Responses"]["t"][0]["raw"] == {"B": b"\0\xff"}
    assert agents(endpoint) == [False, True]


def test_statements_go_out_as_botocore_writes_them(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    endpoint.script = [(200, b'{"Responses": [{"Error": {"Code": "DuplicateItem"}}]}')] * 2
    parameters = ({"S": "h\u00e9"}, {"B": b"\0\xff"}, {"N": "7"})
    given = {"Statements": [{"Statement": "INSERT INTO \"t\" VALUE {'pk': ?}", "Parameters": parameters}]}
    answers = [each.batch_execute_statement(**given)["Responses"] for each in (table, client("dynamodb"))]
    assert answers[0] == answers[1] == [{"Error": {"Code": "DuplicateItem"}}]
    bodies = [json.loads(body) for _, body in endpoint.requests]
    assert bodies[0] == bodies[1]


QUERY = {"TableName": "t", "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"B": b"\0\xff"}}}


def test_queries_go_out_and_are_answered_as_through_botocore(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    endpoint.script = [(200, json.dumps({"Items": [ITEM], "LastEvaluatedKey": {"pk": {"S": "a"}}}).encode())] * 2
    answers = [each.query(**QUERY) for each in (table, client("dynamodb"))]
    assert [answers[0][name] == answers[1][name] for name in ("Items", "LastEvaluatedKey")] == [True, True]
    assert answers[0]["Items"][0]["raw"] == {"B": b"\0\xff"}
    assert agents(endpoint) == [False, True]
    assert json.loads(endpoint.requests[0][1]) == json.loads(endpoint.requests[1][1])


PUT = {
    "TableName": "t",
    "Item": {"pk": {"S": "a"}, "raw": {"B": b"\0"}},
    "ConditionExpression": "attribute_not_exists(pk)",
}
TRANSACTION = {"TransactItems": [{"Put": PUT}], "ClientRequestToken": "token"}


@pytest.mark.parametrize(("call", "request_"), [("put_item", PUT), ("transact_write_items", TRANSACTION)])
def test_puts_and_transactions_go_out_as_through_botocore(
    endpoint: Endpoint, table: DirectDynamoDB, call: str, request_: dict[str, Any]
) -> None:
    endpoint.script = [(200, b"{}")] * 2
    for each in (table, client("dynamodb")):
        getattr(each, call)(**request_)
    assert agents(endpoint) == [False, True]
    assert json.loads(endpoint.requests[0][1]) == json.loads(endpoint.requests[1][1])


def test_a_cancelled_transaction_names_its_reasons_and_is_asked_once(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no"}]
    refusal = {"__type": "x#TransactionCanceledException", "Message": "[..]", "CancellationReasons": reasons}
    endpoint.script = [(400, json.dumps(refusal).encode())] * 2
    for each in (table, client("dynamodb")):
        with pytest.raises(ClientError) as raised:
            each.transact_write_items(**TRANSACTION)
        assert raised.value.response["Error"]["Code"] == "TransactionCanceledException"  # type: ignore[typeddict-item]
        assert raised.value.response["CancellationReasons"] == reasons  # type: ignore[typeddict-item]
    assert agents(endpoint) == [False, True]


def test_a_transaction_that_is_asked_again_is_the_same_one(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    endpoint.script = [(0, b""), (200, b"{}"), (200, b"{}")]
    table.transact_write_items(TransactItems=[{"Put": PUT}])
    table.transact_write_items(TransactItems=[{"Put": PUT}])
    first, again, another = (json.loads(body)["ClientRequestToken"] for _, body in endpoint.requests)
    assert agents(endpoint) == [False, True, False]
    assert first == again != another


UPDATE = {"TableName": "t", "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET n = :n", "ReturnValues": "UPDATED_NEW"}


def test_updates_go_out_and_are_answered_as_through_botocore(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    endpoint.script = [(200, b'{"Attributes": {"n": {"N": "7"}}}')] * 2
    answers = [each.update_item(**UPDATE)["Attributes"] for each in (table, client("dynamodb"))]
    assert answers[0] == answers[1] == {"n": {"N": "7"}}
    assert agents(endpoint) == [False, True]
    bodies = [json.loads(body) for _, body in endpoint.requests]
    assert bodies[0] == bodies[1] == UPDATE


def test_a_condition_that_does_not_hold_is_an_answer_and_is_asked_once(
    endpoint: Endpoint, table: DirectDynamoDB
) -> None:
    refusal = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"}
    endpoint.script = [(400, json.dumps(refusal).encode())] * 2
    for each in (table, client("dynamodb")):
        with pytest.raises(ClientError) as raised:
            each.update_item(**UPDATE)
        error = raised.value.response["Error"]  # type: ignore[typeddict-item]
        assert (error["Code"], error["Message"]) == ("ConditionalCheckFailedException", "no")
    assert agents(endpoint) == [False, True]


def test_what_arrives_is_signed_as_sent(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    table.batch_get_item(**KEYS)
    (headers, body), *_ = endpoint.requests
    given = {name.lower(): value for name, value in headers.items()}
    signed = given["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "x-amz-date", "x-amz-target"} <= set(signed)
    request = AWSRequest("POST", f"{endpoint.url}/", {name: given[name] for name in signed}, body)
    request.context["timestamp"] = given["x-amz-date"]
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "dynamodb", "eu-west-1")
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert given["authorization"].endswith(f"Signature={expected}")


@pytest.mark.parametrize(
    "refusal",
    [
        (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}'),
        (403, b'{"__type": "com.amazon.coral.service#InvalidSignatureException"}'),
        (500, b""),
        (200, b"<html>"),
        (0, b""),
        (-1, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        (-1, b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{}"),
        (-1, b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}"),
        (-1, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000),
        (-1, b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 101),
        (-1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
    ids=[
        "throttled",
        "not allowed",
        "at fault",
        "no JSON",
        "hung up",
        "HTTP/1.0",
        "no length",
        "length of words",
        "endless line",
        "endless headers",
        "no chunks",
    ],
)
def test_whatever_is_no_success_is_asked_again_of_botocore(
    endpoint: Endpoint, table: DirectDynamoDB, refusal: tuple[int, bytes]
) -> None:
    endpoint.script = [refusal]
    assert table.batch_get_item(**KEYS)["Responses"]["t"][0]["n"] == {"N": "1"}
    endpoint.script = [refusal, (200, b'{"Responses": [{}]}')]
    assert table.batch_execute_statement(Statements=[])["Responses"] == [{}]
    endpoint.script = [refusal, (200, b'{"Attributes": {}}')]
    assert table.update_item(**UPDATE)["Attributes"] == {}
    assert agents(endpoint) == [False, True] * 3


@pytest.mark.slow
def test_a_silent_dynamodb_takes_less_time_than_recording_has(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    endpoint.silent = True
    started = time.perf_counter()
    with pytest.raises(ReadTimeoutError):
        table.batch_get_item(**KEYS)
    assert (time.perf_counter() - started) * 1000 < RECORDING_MS
    assert agents(endpoint) == [False, True, True]


CHUNKED = b"""HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n"""


def test_an_answer_in_chunks_is_read_to_its_end(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    cut = [ANSWER[:9], ANSWER[9:]]
    chunks = b"".join(b"%x;name=value\r\n%b\r\n" % (len(each), each) for each in cut)
    endpoint.script = [(-1, CHUNKED + chunks + b"0\r\nX-Trailer: x\r\n\r\n")] * 2
    for _ in range(2):
        assert table.batch_get_item(**KEYS)["Responses"]["t"][0]["n"] == {"N": "1"}
    assert agents(endpoint) == [False, False]
    assert len(endpoint.clients) == 1


def test_a_connection_that_is_to_be_closed_is_not_used_again(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(ANSWER)
    endpoint.script = [(-1, head + ANSWER)]
    for _ in range(2):
        table.batch_get_item(**KEYS)
    assert agents(endpoint) == [False, False]
    assert len(endpoint.clients) == 2


def test_only_a_server_with_a_trusted_certificate_is_spoken_to(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = CertificateAuthority(tmp_path)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(authority.pem)
    endpoint.socket = authority.server_context("127.0.0.1").wrap_socket(endpoint.socket, server_side=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{endpoint.server_port}")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    assert Clients().hot_dynamodb.batch_get_item(**KEYS)["Responses"]["t"]
    assert agents(endpoint) == [False]
    monkeypatch.delenv("AWS_CA_BUNDLE")
    with pytest.raises(SSLError):
        Clients().hot_dynamodb.batch_get_item(**KEYS)
    assert len(endpoint.requests) == 1


def test_a_connection_is_kept(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    for _ in range(3):
        table.batch_get_item(**KEYS)
    assert len(endpoint.clients) == 1


def test_a_connection_that_the_other_side_closed_is_noticed_before_it_is_used(
    endpoint: Endpoint, table: DirectDynamoDB
) -> None:
    table.batch_get_item(**KEYS)
    endpoint.hang_up()
    table.batch_get_item(**KEYS)
    assert agents(endpoint) == [False, False]
    assert len(endpoint.clients) == 2


def test_calls_at_once_have_a_connection_each(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    together = threading.Barrier(4)

    def ask(_: int) -> int:
        together.wait()
        return len([table.batch_get_item(**KEYS)["Responses"]["t"] for _ in range(50)])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [50] * 4
    assert not any(agents(endpoint))
    assert len(endpoint.clients) <= 4


def test_those_who_are_throttled_together_come_back_apart(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    def until_asked_again(status: int, error: str) -> float:
        endpoint.script = [(status, json.dumps({"__type": f"x#{error}"}).encode())]
        table.batch_get_item(**KEYS)
        return endpoint.times[-1] - endpoint.times[-2]

    throttled = [until_asked_again(400, error) for error in THROTTLING * 5]
    at_fault = [until_asked_again(500, "InternalServerError") for _ in throttled]
    assert sum(throttled) > sum(at_fault) + 0.02 * len(throttled)  # 50 ms each on average


def test_every_other_call_is_botocores(endpoint: Endpoint, table: DirectDynamoDB) -> None:
    endpoint.script = [(200, b'{"Item": {"pk": {"S": "a"}}}')]
    assert table.get_item(TableName="t", Key={"pk": {"S": "a"}})["Item"] == {"pk": {"S": "a"}}
    assert agents(endpoint) == [True]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_is_left_to_botocore(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = client("dynamodb")
    assert isinstance(direct(DirectDynamoDB, lambda: made), DirectDynamoDB)
    monkeypatch.setenv(name, "x")
    assert direct(DirectDynamoDB, lambda: made) is made


def test_whose_calls_these_are_only_botocore_may_know(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Credentials that are not in the environment: a profile's, and none."""
    credentials = tmp_path / "credentials"
    credentials.write_text("[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    Clients().hot_dynamodb.batch_get_item(**KEYS)
    ((headers, _),) = endpoint.requests
    assert "Credential=AKIDPROFILE/" in headers["Authorization"]
    assert agents(endpoint) == [False]
    session.cache_clear()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    made = client("dynamodb")
    assert direct(DirectDynamoDB, lambda: made) is made


def test_a_process_without_trouble_makes_no_client_of_botocores(
    endpoint: Endpoint, table: DirectDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(clients, "session", never)
    table.batch_get_item(**KEYS)
    endpoint.script = [(200, b'{"Plaintext": "AP8="}'), (200, b'{"SecretString": "x"}')]
    made = Clients()
    made.kms.decrypt(CiphertextBlob=b"x")
    made.secretsmanager.get_secret_value(SecretId="x")


def test_threads_that_meet_trouble_at_once_make_botocores_client_one_by_one(endpoint: Endpoint) -> None:
    together = threading.Barrier(4)
    endpoint.script = [(500, b"")] * 4
    tables = [Clients().hot_dynamodb for _ in range(4)]

    def ask(table: DirectDynamoDB) -> int:
        together.wait()
        return len(table.batch_get_item(**KEYS)["Responses"]["t"])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, tables)) == [1] * 4


KEY = {"CiphertextBlob": b"\0\xff", "KeyId": "k", "EncryptionContext": {"purpose": "x"}}


def test_kms_opens_a_key_as_through_botocore(endpoint: Endpoint) -> None:
    endpoint.script = [(200, b'{"KeyId": "k", "Plaintext": "AP8="}')] * 2
    made = Clients().kms
    assert isinstance(made, DirectKms)
    answers = [each.decrypt(**KEY)["Plaintext"] for each in (made, client("kms"))]
    assert answers[0] == answers[1] == b"\0\xff"
    assert agents(endpoint) == [False, True]
    assert_alike(endpoint)


def test_a_secret_is_read_as_through_botocore(endpoint: Endpoint) -> None:
    endpoint.script = [(200, b'{"ARN": "arn:aws:x", "SecretString": "secret"}')] * 2
    made = Clients().secretsmanager
    assert isinstance(made, DirectSecretsManager)
    answers = [each.get_secret_value(SecretId="arn:aws:x")["SecretString"] for each in (made, client("secretsmanager"))]
    assert answers[0] == answers[1] == "secret"
    assert agents(endpoint) == [False, True]
    assert_alike(endpoint)


def assert_alike(endpoint: Endpoint) -> None:
    """Both requests ask the same, in the same way."""
    (ours, our_body), (botocores, its_body) = endpoint.requests
    assert json.loads(our_body) == json.loads(its_body)
    for name in ("X-Amz-Target", "Content-Type"):
        assert ours[name] == botocores[name]
    scopes = [headers["Authorization"].partition(",")[0].split("/")[2:] for headers in (ours, botocores)]
    assert scopes[0] == scopes[1]


@pytest.mark.parametrize(
    ("call", "asked"), [("kms.decrypt", KEY), ("secretsmanager.get_secret_value", {"SecretId": "x"})]
)
def test_what_these_refuse_is_asked_again_of_botocore(endpoint: Endpoint, call: str, asked: dict[str, Any]) -> None:
    service, _, method = call.partition(".")
    endpoint.script = [(400, b'{"__type": "AccessDeniedException"}')] * 2
    with pytest.raises(ClientError, match="AccessDeniedException"):
        getattr(getattr(Clients(), service), method)(**asked)
    assert agents(endpoint) == [False, True]


QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
SQS_CALLS = {
    "send_message_batch": (
        [Outgoing("h\u00e9", "g", {"meta": "{}"}, 3).entry("0"), Outgoing("x").entry("1")],
        {"Successful": [{"Id": "0", "MessageId": "m"}], "Failed": [{"Id": "1", "SenderFault": False, "Code": "C"}]},
    ),
    "change_message_visibility_batch": (
        [{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": 7}],
        {"Successful": [{"Id": "0"}]},
    ),
}


@pytest.mark.parametrize("call", SQS_CALLS)
def test_sqs_is_asked_and_answers_as_through_botocore(endpoint: Endpoint, call: str) -> None:
    entries, answer = SQS_CALLS[call]
    endpoint.script = [(200, json.dumps(answer).encode())] * 2
    made = Clients().hot_sqs
    assert isinstance(made, DirectSqs)
    answers = [getattr(each, call)(QueueUrl=QUEUE_URL, Entries=entries) for each in (made, client("sqs"))]
    assert answers[0] == {name: answers[1][name] for name in answer} == answer
    assert agents(endpoint) == [False, True]
    (ours, our_body), (botocores, its_body) = endpoint.requests
    assert json.loads(our_body) == json.loads(its_body)
    assert [{name: headers[name] for name in ("X-Amz-Target", "Content-Type")} for headers in (ours, botocores)] == [
        {
            "X-Amz-Target": f"AmazonSQS.{''.join(word.title() for word in call.split('_'))}",
            "Content-Type": "application/x-amz-json-1.0",
        }
    ] * 2
    assert "/eu-west-1/sqs/aws4_request" in ours["Authorization"]


@pytest.mark.parametrize("call", SQS_CALLS)
def test_what_sqs_does_not_take_is_asked_again_of_botocore(endpoint: Endpoint, call: str) -> None:
    entries, answer = SQS_CALLS[call]
    throttled = (400, b'{"__type": "com.amazonaws.sqs#RequestThrottled"}')
    endpoint.script = [throttled, (200, json.dumps(answer).encode())]
    assert getattr(Clients().hot_sqs, call)(QueueUrl=QUEUE_URL, Entries=entries)["Successful"] == answer["Successful"]
    assert agents(endpoint) == [False, True]


@pytest.mark.parametrize(
    ("trace", "sent"),
    [("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", True),
     ("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0", False), ("", False)],
)  # fmt: skip
def test_messages_of_a_recorded_trace_go_on_with_it(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, trace: str, sent: bool
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    endpoint.script = [(200, b'{"Successful": [], "Failed": []}')]
    Clients().hot_sqs.send_message_batch(QueueUrl=QUEUE_URL, Entries=[])
    ((headers, _),) = endpoint.requests
    assert headers.get("X-Amzn-Trace-Id") == (trace if sent else None)
    assert "x-amzn-trace-id" not in headers["Authorization"]
