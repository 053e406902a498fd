"""Every kind of call that functions make to AWS, as the emulator authorises it, to be compared with their policies."""

# pyright: basic
# The emulator has no types to speak of.

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "calls.log"


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for, once for each role, action and resource."""

    role: str
    action: str
    resource: str


def read(path: Path) -> set[Call]:
    """All that is in the file."""
    if not path.exists():
        return set()
    return {Call(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()}


def record(path: Path) -> None:
    """Note from now on what roles ask for; happens in the emulator's process, which must enforce IAM."""
    from ministack.core import iam_evaluator

    evaluate = iam_evaluator.evaluate
    seen: set[Call] = set()
    lock = threading.Lock()

    def evaluate_and_note(context: Any, *policies: Any) -> Any:
        _, _, session = context.principal_arn.partition(":assumed-role/")
        if session:
            call = Call(session.split("/")[0], context.action, context.resource_arn)
            with lock:
                if call not in seen:
                    seen.add(call)
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(call)) + "\n")
        return evaluate(context, *policies)

    iam_evaluator.evaluate = evaluate_and_note
