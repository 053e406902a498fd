"""Messages of the ingest queue as they come: what the api, EventBridge and a platform itself put there."""

import re
from collections.abc import Mapping
from typing import Any, cast, get_args

from webhooks.errors import PoisonMessage
from webhooks.events.validation import MAX_EVENTS
from webhooks.ids import EVENT_ID, is_id, time_of
from webhooks.messages import Received
from webhooks.models.event import Publisher
from webhooks.payload import dumps, parse_json
from webhooks.times import parse_rfc3339

MAX_MESSAGE_BYTES = 1024 * 1024  # SQS takes no more
MAX_TOKEN = 256  # ours have 40 characters, EventBridge's ids 36
DAY_MS = 86_400_000
MAX_MESSAGE_DEPTH = 36  # an event's own 32 and the envelope around it
_FINGERPRINT = re.compile(r"[A-Za-z0-9_-]{16}")


def document_of(body: str) -> Mapping[str, Any]:
    """The message as JSON. Raises Invalid, TooLarge, PoisonMessage."""
    document = parse_json(body, max_bytes=MAX_MESSAGE_BYTES, max_depth=MAX_MESSAGE_DEPTH)
    if not isinstance(document, Mapping):
        raise PoisonMessage("the message is not a JSON object")
    return cast("Mapping[str, Any]", document)


def envelope_of(document: Mapping[str, Any], message: Received[str]) -> tuple[str, list[Any], int]:
    """(token, raw events, when they were handed over) of an EventBridge envelope, or of a message as the api and a
    platform that sends to the queue itself make it: {"token": ..., "events": [...]}.

    The token survives a redrive, which a message id does not; an envelope's token and time survive EventBridge's own
    retries too, which the message's times do not. Raises PoisonMessage.
    """
    if "detail" in document and "detail-type" in document:
        raw = document["detail"]
        if isinstance(raw, Mapping) and cast("Mapping[str, Any]", raw).get("type") is None:
            raw = {**cast("Mapping[str, Any]", raw), "type": document["detail-type"]}
        return _token(document.get("id") or message.message_id), [raw], _envelope_ms(document, message.sent_at_ms)
    events, token = document.get("events"), document.get("token")
    if not isinstance(events, list) or not isinstance(token, str) or not token:
        raise PoisonMessage('the message is neither an EventBridge event nor {"token": "...", "events": [...]}')
    if len(cast("list[object]", events)) > MAX_EVENTS:
        raise PoisonMessage(
            f"the message has {len(cast('list[object]', events))} events, at most {MAX_EVENTS} are taken"
        )
    return _token(token), cast("list[Any]", events), message.sent_at_ms


def published_ms(token: str, made_ms: int) -> int:
    """When a message's events were published: the api's tokens say so, also of one that an operator has moved back."""
    name = token.partition("-")[0]
    return min(made_ms, time_of(name)) if is_id("pub", name) else made_ms


def _token(value: object) -> str:
    """What tells a message from its repeats, as it is stored with each event."""
    token = str(value)
    if len(token) > MAX_TOKEN:
        raise PoisonMessage(f"the token has {len(token)} characters, at most {MAX_TOKEN} are taken")
    return token


def _envelope_ms(document: Mapping[str, Any], sent_ms: int) -> int:
    """The envelope's time where it can be the event's: EventBridge delivers within 24 hours. Else the message's."""
    moment = parse_rfc3339(document.get("time"))
    made_ms = 0 if moment is None else int(moment.timestamp() * 1000)
    return made_ms if sent_ms - 2 * DAY_MS <= made_ms <= sent_ms + DAY_MS else sent_ms


def continuation_of(document: object) -> tuple[str, str, int, str]:
    """(event id, scope, page, webhook id behind which it goes on). Raises PoisonMessage."""
    if not isinstance(document, Mapping):
        raise PoisonMessage("the continuation is not a JSON object")
    given = cast("Mapping[str, Any]", document)
    event_id, scope, page, after = (given.get(name) for name in ("event_id", "scope", "page", "after"))
    texts = (event_id, scope, after)
    if not all(isinstance(text, str) and text for text in texts) or type(page) is not int or page < 1:
        raise PoisonMessage("the continuation does not say which page of which event it is")
    return str(event_id), str(scope), page, str(after)


def publisher_of(document: Mapping[str, Any]) -> Publisher | None:
    """Who published a message's events: messages of the api say so; the bus and the queue itself are the platform's.

    None for messages of an api that did not say so yet.
    """
    if document.get("publisher") in get_args(Publisher):
        return document["publisher"]
    return None if is_from_api(document) else "platform"


def former_ids_of(document: Mapping[str, Any], amount: int) -> list[str | None]:
    """What an older version would have called a message's events; nothing where they had, or have, ids of their own."""
    given = document.get("former_ids")
    named = cast("list[object]", given) if isinstance(given, list) and "detail" not in document else []
    found = [each if isinstance(each, str) and EVENT_ID.fullmatch(each) else None for each in named]
    return found if len(found) == amount else [None] * amount


def fingerprints_of(document: Mapping[str, Any], amount: int) -> list[str | None]:
    """The fingerprints that the api gave the events whose ids may be given again."""
    given = document.get("fingerprints")
    named = cast("list[object]", given) if isinstance(given, list) and "detail" not in document else []
    found = [each if isinstance(each, str) and _FINGERPRINT.fullmatch(each) else None for each in named]
    return found if len(found) == amount else [None] * amount


def is_from_api(document: Mapping[str, Any]) -> bool:
    """Whether the api made the message. It has given each event an id, so nobody can tell who gave it."""
    return str(document.get("token")).startswith("pub_")


def message_of_one(
    token: str, publisher: Publisher | None, raw: object, fingerprint: str | None = None, trace: str = ""
) -> str:
    """An api message with this event alone."""
    document: dict[str, object] = {"token": token, "publisher": publisher, "events": [raw]}
    if fingerprint is not None:
        document["fingerprints"] = [fingerprint]
    if trace:
        document["traces"] = [trace]
    return dumps(document)
