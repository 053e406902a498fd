"""What SQS refuses (Amazon SQS Developer Guide, "Amazon SQS message quotas"; API Reference, SendMessageBatch)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes.aws_errors import client_error

_REFUSED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUP = re.compile(r"""[a-zA-Z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}""")
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def check_entries(operation: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Raises what SQS answers to the batch as a whole."""
    if not entries:
        raise client_error(operation, "AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one entry")
    if len(entries) > 10:
        raise client_error(operation, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "Maximum number is 10")
    ids = [entry["Id"] for entry in entries]
    if len(set(ids)) != len(ids):
        raise client_error(operation, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id is repeated")
    if not all(_ENTRY_ID.fullmatch(each) for each in ids):
        raise client_error(operation, "AWS.SimpleQueueService.InvalidBatchEntryId", "A batch entry id is not valid")


def fault(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why one entry is refused: (code, message)."""
    unknown = entry.keys() - {"Id", "MessageBody", "MessageAttributes", "MessageGroupId", "DelaySeconds"}
    if unknown:
        return "InvalidParameterValue", f"this fake does not know {sorted(unknown)}"
    attributes: Mapping[str, Any] = entry.get("MessageAttributes", {})
    if not entry["MessageBody"] or any(not each["StringValue"] for each in attributes.values()):
        return "EmptyValue", "a body or an attribute is empty"
    if len(attributes) > 10:
        return "InvalidParameterValue", "a message has at most 10 attributes"
    texts = [entry["MessageBody"], *(each["StringValue"] for each in attributes.values())]
    if any(_REFUSED.search(text) for text in texts):
        return "InvalidMessageContents", "Invalid characters found. Valid are #x9 | #xA | #xD | #x20 to ..."
    if not 0 <= entry.get("DelaySeconds", 0) <= 900:
        return "InvalidParameterValue", "DelaySeconds must be between 0 and 900"
    if "MessageGroupId" in entry and not _GROUP.fullmatch(entry["MessageGroupId"]):
        return "InvalidParameterValue", "MessageGroupId has 1 to 128 alphanumeric characters and punctuation"
    return None


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """What it counts towards the size of a batch."""
    attributes: Mapping[str, Any] = entry.get("MessageAttributes", {})
    return len(entry["MessageBody"].encode("utf-8", "replace")) + sum(
        len(name) + len(each["DataType"]) + len(each["StringValue"].encode()) for name, each in attributes.items()
    )
