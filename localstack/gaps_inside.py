"""The differences from AWS that only the emulator's own process can mend; imported nowhere else.

Private functions of the pinned version are replaced: tests/infrastructure/test_local_stack.py notices when a new
version has others.
"""

# pyright: basic
# The emulator has no types to speak of.

import json
import logging
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import cloudwatch, dynamodb, lambda_svc, sqs

POLL_SECONDS = 0.2
BATCHES_AT_FIRST = 5  # of a mapping at once, and so many more each second in which all are busy
BUSY_SECONDS = 0.2  # that an invocation waits for a process before it starts one
LOGGING_EACH_BATCH = ("-ingest", "-sender", "-replay", "-release", "-rollup")
_RANGE = re.compile(r"(\w+) = (:\w+) AND (\w+) BETWEEN (:\w+) AND (:\w+)")


def mend(function_log: Path) -> None:
    """All of them. What functions log goes to `function_log`."""
    log = FunctionLog(function_log)
    _log_functions_to(log)
    logging.getLogger().addHandler(Complaints(log))
    _do_not_wait_for_silent_handlers()
    _authorise_batches_as_what_they_hold()
    _answer_without_a_body()
    _poll_streams_beside_queues()
    _repeat_stream_batches_that_fail_in_part()
    _stream_what_partiql_writes()
    _parse_key_conditions_once()
    _look_at_queues_often()
    _tell_cloudwatch_how_old_messages_are()
    _receive_fairly()
    _begin_with_few_batches()
    _run_functions_on_their_layer()
    _start_processes_one_by_one()


class FunctionLog:
    """A JSON object per invocation; see function_logs.py for its reader."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, function: str, request_id: str, lines: list[str], *, error: bool, duration_ms: int) -> None:
        """One entry, whole."""
        entry = {
            "at": time.time(),
            "function": function,
            "request_id": request_id,
            "error": error,
            "duration_ms": duration_ms,
            "lines": lines,
        }
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()


class Complaints(logging.Handler):
    """The emulator's own errors, such as a function that does not even start, stand among what the functions log."""

    def __init__(self, log: FunctionLog) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """A record of the emulator's logging."""
        self._log.write("emulator", "", record.getMessage().splitlines(), error=True, duration_ms=0)


def _log_functions_to(log: FunctionLog) -> None:
    """Function output goes to our file instead of CloudWatch Logs, where the emulator keeps a stream for each
    invocation for good."""

    def emit(
        func: dict[str, Any],
        request_id: str,
        log_text: str,
        error: bool,
        duration_ms: int,
        *,
        log_source: str | None = None,
    ) -> None:
        name = (func.get("config") or func).get("FunctionName", "")
        log.write(name, request_id, (log_text or "").splitlines(), error=error, duration_ms=duration_ms)

    lambda_svc._emit_lambda_logs = emit


def _run_functions_on_their_layer() -> None:
    """The emulator gives functions its own Python and packages; on AWS they have their layer's, and no others."""
    python, packages = os.environ.pop("FUNCTIONS_PYTHON", ""), os.environ.pop("FUNCTIONS_PACKAGES", "")
    if not packages:
        return
    binary_and_script = lambda_runtime._detect_runtime_binary
    alone = f"import sys\nsys.path[:] = [each for each in sys.path if '-packages' not in each] + [{packages!r}]\n"

    def on_the_layer(runtime: str) -> tuple[str, str]:
        return python, alone + binary_and_script(runtime)[1]

    lambda_runtime._detect_runtime_binary = on_the_layer


def _start_processes_one_by_one() -> None:
    """An invocation that finds all processes of its function busy starts another. On AWS that has a machine of its own;
    here it takes the CPU from the others, which are busy for longer then, so that ever more are started. So it waits
    a moment for one of those that are there, and as long as another is just starting."""
    acquire_worker = lambda_svc.acquire_worker
    deciding = threading.Lock()

    def acquire(name: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST") -> Any:
        key, since = lambda_runtime._worker_key(name, config, qualifier), time.monotonic()
        while True:
            with deciding:
                there = lambda_runtime._workers.get(key, ())
                is_starting = any(each.in_use and each._start_time is None for each in there)
                may_start = not there or (not is_starting and time.monotonic() - since > BUSY_SECONDS)
                most = None if may_start else len(there)
                worker, how = acquire_worker(name, config, code, qualifier=qualifier, max_concurrency=most)
            if worker is not None:
                return worker, how
            time.sleep(0.01)

    lambda_svc.acquire_worker = acquire


def _do_not_wait_for_silent_handlers() -> None:
    """The emulator gives each invocation 50 ms to log its first line. Only those that log every batch are worth it."""
    drain = lambda_runtime.Worker._drain_stderr_bounded

    def drain_stderr_bounded(self: lambda_runtime.Worker) -> str:
        if self.func_name.endswith(LOGGING_EACH_BATCH):
            return drain(self)
        return drain(self, first_line_wait=0.002, idle_confirm=0.001)

    setattr(lambda_runtime.Worker, drain.__name__, drain_stderr_bounded)


def _answer_without_a_body() -> None:
    """A function may answer with a body of null, as Powertools does for 204: the emulator fails at that."""
    send_response = app._send_response

    async def send(send: Any, status: int, headers: dict[str, str], body: Any, *, head: bool = False) -> None:
        await send_response(send, status, headers, b"" if body is None else body, head=head)

    app._send_response = send


def _poll_streams_beside_queues() -> None:
    """One thread polls everything, and waits for the stream's function: the queues would stand still meanwhile."""
    poll = lambda_svc._poll_dynamodb_streams
    busy = threading.Lock()

    def poll_and_wake() -> None:
        try:
            if poll():
                lambda_svc._esm_wake.set()
        finally:
            busy.release()

    def poll_in_background() -> bool:
        if busy.acquire(blocking=False):
            threading.Thread(target=poll_and_wake, name="streams", daemon=True).start()
        return False

    lambda_svc._poll_dynamodb_streams = poll_in_background


def _look_at_queues_often() -> None:
    """What becomes visible again wakes nobody, and the emulator looks once a second: retries came a second late."""

    def wake() -> None:
        while True:
            time.sleep(POLL_SECONDS)
            lambda_svc._esm_wake.set()

    threading.Thread(target=wake, name="wake", daemon=True).start()


def _tell_cloudwatch_how_old_messages_are() -> None:
    """SQS has no metrics. The one that the service reads is made up when it is asked for."""
    get_metric_data = cloudwatch._get_metric_data

    def get(*request: Any, **named: Any) -> Any:
        now = time.time()
        for url, queue in list(sqs._queues.items()):
            age = max((now - message["sent_at"] for message in queue["messages"]), default=0.0)
            dimensions = cloudwatch._dims_key({"QueueName": url.rpartition("/")[2]})
            points = cloudwatch._metric_bucket(("AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions))
            points[:] = [{"Timestamp": now, "Value": age, "Unit": "Seconds", "Dimensions": {}}]
        return get_metric_data(*request, **named)

    cloudwatch._get_metric_data = get


def _receive_fairly() -> None:
    """Fair queues ("How Amazon SQS fair queues work", Amazon SQS Developer Guide): messages of a group that has much in
    flight come after those of others. The thresholds are those of tests/simulation/scale/fair_queue_model.py."""
    collect = sqs._collect_msgs

    def collect_fairly(queue: dict[str, Any], most: int, timeout: int) -> list[dict[str, Any]]:
        messages, now = queue["messages"], time.time()
        flying = Counter(
            each.get("group_id") for each in messages if each.get("receive_count") and each["visible_at"] > now
        )
        least = max(30, 0.1 * flying.total())
        noisy = {group: count for group, count in flying.items() if group and count >= least}
        if noisy and not queue["is_fifo"]:
            queue = {**queue, "messages": sorted(messages, key=lambda each: noisy.get(each.get("group_id"), 0))}
        return collect(queue, most, timeout)

    sqs._collect_msgs = collect_fairly


def _begin_with_few_batches() -> None:
    """A mapping begins with five batches at once, and takes up to 300 more a minute ("Configuring scaling behavior for
    SQS event source mappings", AWS Lambda Developer Guide). The emulator takes as many as are allowed at once: a burst
    held them all before anybody could know that its receiver is slow."""
    most_of, at_once = lambda_svc._sqs_esm_concurrency, dict[str, tuple[int, float]]()

    def concurrency(mapping: dict[str, Any], *of: Any) -> int:
        now, busy = time.monotonic(), lambda_svc._esm_inflight.get(mapping["UUID"], 0)
        batches, since = at_once.get(mapping["UUID"], (BATCHES_AT_FIRST, now)) if busy else (BATCHES_AT_FIRST, now)
        if busy < batches:
            since = now
        elif now - since >= 1:
            batches, since = batches + BATCHES_AT_FIRST, now
        at_once[mapping["UUID"]] = batches, since
        return min(batches, most_of(mapping, *of))

    lambda_svc._sqs_esm_concurrency = concurrency


def _authorise_batches_as_what_they_hold() -> None:
    """IAM has no action for a batch of messages or of PartiQL statements: each entry takes the action of one alone."""
    action_of, checks_of = iam_actions.extract_iam_action, iam_actions.dynamodb_transaction_checks

    def extract_iam_action(*request: Any) -> str | None:
        action = action_of(*request)
        return action.removesuffix("Batch") if action and action.startswith("sqs:") else action

    def dynamodb_transaction_checks(action: str, body: bytes, region: str, account_id: str) -> list[tuple[str, str]]:
        if action not in {"dynamodb:BatchExecuteStatement", "dynamodb:ExecuteStatement"}:
            return checks_of(action, body, region, account_id)
        request = json.loads(body)
        statements = [each["Statement"] for each in request.get("Statements", [request])]
        return [_partiql_check(statement, region, account_id) for statement in statements]

    iam_actions.extract_iam_action = extract_iam_action
    iam_actions.dynamodb_transaction_checks = dynamodb_transaction_checks


def _partiql_check(statement: str, region: str, account_id: str) -> tuple[str, str]:
    """The action and the resource that a statement takes."""
    verb = statement.split(None, 1)[0].title()
    names = re.search(r'(?:FROM|INTO|UPDATE)\s+"([^"]+)"(?:\."([^"]+)")?', statement, re.IGNORECASE)
    table, index = names.groups() if names else ("*", None)
    resource = f"arn:aws:dynamodb:{region}:{account_id}:table/{table}" + (f"/index/{index}" if index else "")
    return f"dynamodb:PartiQL{verb}", resource


def _repeat_stream_batches_that_fail_in_part() -> None:
    """For streams the emulator ignores `batchItemFailures`, and what failed would be lost. The batch comes again."""
    execute = lambda_svc._execute_function

    def execute_function(function: dict[str, Any], event: Any, *more: Any, **named: Any) -> dict[str, Any]:
        result = execute(function, event, *more, **named)
        records = event.get("Records") if isinstance(event, dict) else None
        if not records or records[0].get("eventSource") != "aws:dynamodb" or result.get("error"):
            return result
        body = result.get("body")
        answer = json.loads(body) if isinstance(body, str) and body else body
        if isinstance(answer, dict) and answer.get("batchItemFailures"):
            return {**result, "error": True, "body": {"errorType": "PartialFailure", "errorMessage": str(answer)}}
        return result

    lambda_svc._execute_function = execute_function


def _stream_what_partiql_writes() -> None:
    """Writes by PartiQL do not reach the table's stream."""
    for name in ("_partiql_insert", "_partiql_update", "_partiql_delete"):
        setattr(dynamodb, name, _streamed(getattr(dynamodb, name)))


def _parse_key_conditions_once() -> None:
    """A query's condition is parsed and checked anew for each item of its partition: a page of deliveries took half a
    second where there are thousands. Its text is checked with the first item; the others only need its value, and a
    range of text is compared as such."""
    evaluate_condition = dynamodb._evaluate_condition
    checked: dict[str, Any] = {}
    ranges: dict[str, tuple[str, ...] | None] = {}

    def evaluate(expression: str, item: Any, values: Any, names: Any, slot: str = "ConditionExpression") -> Any:
        if slot != "KeyConditionExpression":
            return evaluate_condition(expression, item, values, names, slot)
        if expression not in checked:
            result = evaluate_condition(expression, item, values, names, slot)
            checked[expression] = dynamodb._tokenize(expression)
            found = _RANGE.fullmatch(expression)
            ranges[expression] = found.groups() if found else None
            return result
        if (parts := ranges[expression]) is not None:
            key, wanted, at, low, high = parts
            ends = [values[low].get("S"), item[at].get("S"), values[high].get("S")]
            if None not in ends:  # as code points sort, so do their bytes in UTF-8
                return item[key] == values[wanted] and ends[0] <= ends[1] <= ends[2]
        return dynamodb._ExprEval(checked[expression], item, values, names).evaluate()

    dynamodb._evaluate_condition = evaluate


def _streamed(write: Callable[..., Any]) -> Callable[..., Any]:
    def streamed(table: dict[str, Any], parsed: dict[str, Any], *more: Any) -> Any:
        place = _written_place(table, parsed)
        before = table["items"].get(place[0], {}).get(place[1])  # replaced by a write, never changed
        answer = write(table, parsed, *more)
        after = table["items"].get(place[0], {}).get(place[1])
        if answer[0] == 200 and after is not before:
            event = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
            dynamodb._emit_stream_event(parsed["table"], event, before, after)
        return answer

    return streamed


def _written_place(table: dict[str, Any], parsed: dict[str, Any]) -> tuple[Any, Any]:
    if parsed["op"] != "INSERT":
        return dynamodb._partiql_key_target(table, parsed)[:2]
    item = parsed.get("item") or {}
    item = item.get("M", item) if set(item) == {"M"} else item
    return dynamodb._extract_key_val(item.get(table["pk_name"])), dynamodb._extract_key_val(item.get(table["sk_name"]))
