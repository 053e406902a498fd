"""What can go wrong at the call of a port, at whatever call a plan says.

A fault happens before the call (it was never made), after it (it was made; the answer or the process is lost), twice
(the SDK repeats a call whose answer got lost), or in part (some entries of a batch are not carried out).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from botocore.exceptions import BotoCoreError, ClientError

from tests.fakes.aws_errors import client_error, lost_answer, no_connection
from tests.fakes.event_source import Crash

Fault = Literal[
    "crash_before",
    "crash_after",
    "throttled",
    "no_connection",
    "lost_answer",
    "repeated",
    "partial",
    "internal_error",
    "unavailable",
    "access_denied",
    "hot_partition",
    "transaction_conflict",
    "cut_off",
    "statement_refused",
    "visibility_refused",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
SOURCES: dict[Fault, str] = {
    "crash_before": "AWS Lambda Developer Guide, execution environment lifecycle: a process can end at any moment",
    "crash_after": "the same, between a call's effect and what comes next",
    "throttled": "service quotas; Amazon SQS API Reference, RequestThrottled; EventBridge, ThrottlingException",
    "no_connection": "botocore, ConnectTimeoutError: the request never got there",
    "lost_answer": "botocore, ReadTimeoutError: it was carried out, and nobody was told",
    "repeated": "AWS SDKs, retry behaviour: a call whose answer got lost is made again, and is carried out twice",
    "partial": "BatchGetItem, UnprocessedKeys; BatchExecuteStatement, Error; SendMessageBatch, Failed; PutEvents, "
    "FailedEntryCount",
    "internal_error": "HTTP 500: InternalServerError (DynamoDB), InternalFailure (SQS), InternalException (events)",
    "unavailable": "HTTP 503: ServiceUnavailable (common errors of every AWS API)",
    "access_denied": "AccessDeniedException: a policy or a key is being changed; KMS, DisabledException",
    "hot_partition": "Amazon DynamoDB Developer Guide: 1,000 write and 3,000 read units a second for a partition key",
    "transaction_conflict": "Amazon DynamoDB Developer Guide, transaction conflict handling",
    "cut_off": "BatchExecuteStatement, SendMessageBatch, PutEvents are not atomic: half is done, the answer is lost",
    "statement_refused": "Amazon DynamoDB API Reference, BatchStatementError: ValidationError for some of a batch",
    "visibility_refused": "Amazon SQS Developer Guide: at most 12 hours from the receive, and only in flight",
}
PARTIAL = (
    "batch_get_item", "batch_execute_statement", "send_message_batch", "change_message_visibility_batch", "put_events",
)  # fmt: skip
_READS = ("batch_get_item", "get_item", "query", "scan")
_SINGLE_WRITES = ("put_item", "update_item", "delete_item")
_WRITES = (*_SINGLE_WRITES, "transact_write_items", "batch_execute_statement")
_CONSEQUENTIAL = (*_WRITES, *PARTIAL[2:])
_WHERE: dict[str, tuple[str, ...]] = {
    "repeated": _CONSEQUENTIAL,
    "partial": PARTIAL,
    "hot_partition": (*_READS, *_WRITES),
    "transaction_conflict": _WRITES,
    "cut_off": PARTIAL[1:],
    "statement_refused": ("batch_execute_statement",),
    "visibility_refused": ("change_message_visibility_batch",),
}
_CODES: dict[tuple[str, str], str] = {
    ("throttled", "sqs"): "RequestThrottled",
    ("throttled", ""): "ThrottlingException",
    ("internal_error", "sqs"): "InternalFailure",
    ("internal_error", "events"): "InternalException",
    ("internal_error", "kms"): "KMSInternalException",
    ("internal_error", ""): "InternalServerError",
    ("unavailable", ""): "ServiceUnavailable",
    ("access_denied", "kms"): "DisabledException",
    ("access_denied", ""): "AccessDeniedException",
}
Plan = Callable[[str], str | None]  # the call's name, such as "dynamodb.batch_get_item", to what shall happen


def applies(fault: str, operation: str) -> bool:
    """Whether this can happen at that operation: `_WHERE` says so; what is not named there can happen everywhere."""
    return operation in _WHERE.get(fault, (operation,))


class FaultyClient:
    """A boto3 client whose calls fail as planned. `made` counts calls, `struck` faults by (fault, call).

    What a direct client hands on to botocore is the same call: what was wrong with it is still wrong. Else no error of
    a single call would ever reach those who make it.
    """

    def __init__(self, client: Any, service: str, plan: Plan) -> None:
        self._client = client
        self._service = service
        self._plan = plan
        self.made: Counter[str] = Counter()
        self.struck: Counter[tuple[str, str]] = Counter()
        self._failed: tuple[str, str] | None = None  # (operation, fault) of the last call, if it ended in an error
        self._again: tuple[str, str] | None = None

    def hand_on(self) -> None:
        """The last call, which ended in an error, is made again by other means."""
        self._again = self._failed

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self._client, operation)
        name = f"{self._service}.{operation}"

        def faulty(**request: Any) -> Any:
            again, self._again, self._failed = self._again, None, None
            if again is not None and again[0] == operation:
                return _strike(again[1], self._service, operation, call, request)
            self.made[name] += 1
            fault = self._plan(name)
            if fault is None or not applies(fault, operation):
                return call(**request)
            self.struck[(fault, name)] += 1
            try:
                return _strike(fault, self._service, operation, call, request)
            except (BotoCoreError, ClientError):
                self._failed = operation, fault
                raise

        return faulty


def _strike(fault: str, service: str, operation: str, call: Callable[..., Any], request: dict[str, Any]) -> Any:
    match fault:
        case "crash_before":
            raise Crash
        case "crash_after":
            call(**request)
            raise Crash
        case "no_connection":
            raise no_connection()
        case "lost_answer":
            call(**request)
            raise lost_answer()
        case "repeated":
            call(**request)
            return call(**request)
        case "partial" | "visibility_refused":
            return _partial(operation, call, request, "ThrottlingError", sender_fault=fault != "partial")
        case "statement_refused":
            return _partial(operation, call, request, "ValidationError", sender_fault=True)
        case "cut_off":
            _partial(operation, call, request, "", sender_fault=False)
            raise lost_answer()
        case "hot_partition" | "transaction_conflict":
            return _refused_by_table(fault, operation, call, request)
        case _:
            code = _CODES.get((fault, service)) or _CODES[(fault, "")]
            raise client_error(operation, code)


def _refused_by_table(fault: str, operation: str, call: Callable[..., Any], request: dict[str, Any]) -> Any:
    reason = "ThrottlingError" if fault == "hot_partition" else "TransactionConflict"
    if operation == "batch_execute_statement":
        return _partial(operation, call, request, reason, sender_fault=False)
    if operation == "transact_write_items":
        reasons = [{"Code": "None"} for _ in request["TransactItems"]]
        reasons[-1] = {"Code": reason}
        message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{reason}]"
        raise client_error(operation, "TransactionCanceledException", message, CancellationReasons=reasons)
    hot = fault == "hot_partition"
    raise client_error(operation, "ProvisionedThroughputExceededException" if hot else "TransactionConflictException")


def _partial(
    operation: str, call: Callable[..., Any], request: dict[str, Any], code: str, *, sender_fault: bool
) -> Any:
    """Every other entry is left undone, the last one in any case."""
    if operation == "batch_get_item":
        ((table, asked),) = request["RequestItems"].items()
        done, left = _split(asked["Keys"])
        answer = call(RequestItems={table: {**asked, "Keys": done}}) if done else {"Responses": {table: []}}
        return {**answer, "UnprocessedKeys": {table: {**asked, "Keys": left}}}
    if operation == "batch_execute_statement":
        statements = request["Statements"]
        done, _ = _split(range(len(statements)))
        answers = call(Statements=[statements[i] for i in done])["Responses"] if done else []
        undone = {"Error": {"Code": code, "Message": "Rate exceeded"}}
        by_position = dict(zip(done, answers, strict=True))
        return {"Responses": [by_position.get(i, undone) for i in range(len(statements))]}
    entries = request["Entries"]
    done, left = _split(range(len(entries)))
    answer = call(**{**request, "Entries": [entries[i] for i in done]}) if done else {}
    if operation == "put_events":
        taken = dict(zip(done, answer.get("Entries", ()), strict=True))
        answers = [taken.get(i, {"ErrorCode": code}) for i in range(len(entries))]
        return {"FailedEntryCount": len(left), "Entries": answers}
    code = "InvalidParameterValue" if sender_fault else "InternalError"
    failed = [{"Id": entries[i]["Id"], "SenderFault": sender_fault, "Code": code} for i in left]
    return {"Successful": [], **answer, "Failed": [*answer.get("Failed", ()), *failed]}


def _split(entries: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    last = len(entries) - 1
    done = [each for i, each in enumerate(entries) if (last - i) % 2]
    return done, [each for i, each in enumerate(entries) if not (last - i) % 2]
