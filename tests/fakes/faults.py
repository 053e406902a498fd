"""What can go wrong at the call of a port, at whatever call a plan says.

A fault happens before the call (it was never made), after it (it was made; the answer or the process is lost), twice
(the SDK repeats a call whose answer got lost), or in part (some entries of a batch are not carried out).
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from tests.fakes.aws_errors import client_error, lost_answer, no_connection
from tests.fakes.event_source import Crash

Fault = Literal[
    "crash_before", "crash_after", "throttled", "no_connection", "lost_answer", "repeated", "partial", "internal_error"
]
FAULTS: tuple[Fault, ...] = (
    "crash_before",
    "crash_after",
    "throttled",
    "no_connection",
    "lost_answer",
    "repeated",
    "partial",
    "internal_error",
)
PARTIAL = ("batch_get_item", "batch_execute_statement", "send_message_batch", "put_events")
Plan = Callable[[str], Fault | None]  # the call's name, such as "dynamodb.batch_get_item", to what shall happen


class FaultyClient:
    """A boto3 client whose calls fail as planned. `made` counts calls, `struck` faults by (fault, call)."""

    def __init__(self, client: Any, service: str, plan: Plan) -> None:  # noqa: ANN401
        self._client = client
        self._service = service
        self._plan = plan
        self.made: Counter[str] = Counter()
        self.struck: Counter[tuple[str, str]] = Counter()

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self._client, operation)
        name = f"{self._service}.{operation}"

        def faulty(**request: Any) -> Any:  # noqa: ANN401
            self.made[name] += 1
            fault = self._plan(name)
            if fault is None or (fault == "partial" and operation not in PARTIAL):
                return call(**request)
            self.struck[(fault, name)] += 1
            return _strike(fault, operation, call, request)

        return faulty


def _strike(fault: Fault, operation: str, call: Callable[..., Any], request: dict[str, Any]) -> Any:  # noqa: ANN401
    match fault:
        case "crash_before":
            raise Crash
        case "crash_after":
            call(**request)
            raise Crash
        case "throttled":
            raise client_error(operation, "ThrottlingException", "Rate exceeded")
        case "internal_error":
            raise client_error(operation, "InternalServerError", "")
        case "no_connection":
            raise no_connection()
        case "lost_answer":
            call(**request)
            raise lost_answer()
        case "repeated":
            call(**request)
            return call(**request)
        case "partial":
            return _partial(operation, call, request)


def _partial(operation: str, call: Callable[..., Any], request: dict[str, Any]) -> Any:  # noqa: ANN401
    """Every other entry is left undone."""
    if operation == "batch_get_item":
        ((table, asked),) = request["RequestItems"].items()
        done, left = asked["Keys"][::2], asked["Keys"][1::2]
        answer = call(RequestItems={table: {**asked, "Keys": done}})
        return {**answer, "UnprocessedKeys": {table: {**asked, "Keys": left}} if left else {}}
    if operation == "batch_execute_statement":
        statements = request["Statements"]
        done = iter(call(Statements=statements[::2])["Responses"])
        throttled = {"Error": {"Code": "ThrottlingError", "Message": "Rate exceeded"}}
        return {"Responses": [throttled if i % 2 else next(done) for i in range(len(statements))]}
    entries = request["Entries"]
    if operation == "send_message_batch":
        answer = call(**{**request, "Entries": entries[::2]})
        failed = [
            {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": ""} for entry in entries[1::2]
        ]
        return {**answer, "Failed": [*answer.get("Failed", ()), *failed]}
    answer = call(Entries=entries[:1])
    refused = [{"ErrorCode": "ThrottlingException"} for _ in entries[1:]]
    return {"FailedEntryCount": len(refused), "Entries": [*answer["Entries"], *refused]}
