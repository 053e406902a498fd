"""Our stable reason codes as one sentence each, for the owner of a webhook."""

_DELIVERY = {
    "gone": "The receiver answered 410 Gone: it asked never to be called again.",
    "refused_address": "The URL names a host, an address or a port that is never sent to.",
    "unreachable": "No connection could be made: the host must have public addresses alone, and take connections.",
    "connect_reset": "The receiver closed the connection before its answer was over.",
    "connect_timeout": "No connection could be made in time.",
    "tls": "The TLS handshake with the host failed.",
    "timeout": "The receiver did not answer in time.",
    "protocol": "The receiver's answer is not valid HTTP.",
    "response_too_large": "The head of the receiver's answer is too large.",
    "expired": "It waited longer than deliveries may.",
    "webhook_deleted": "The webhook was deleted before it could be sent.",
    "webhook_inactive": "The webhook was set to inactive before it could be sent.",
    "webhook_disabled": "The webhook was disabled before it could be sent.",
    "webhook_is_read": "The webhook has no URL: what it gets is read. It can be replayed, and stands there then.",
    "erased": "Its payload was erased before it could be sent.",
    "received_too_often": "This service failed at it again and again without recording an attempt.",
}
_WAITING = {
    "paused": "The webhook is paused; it goes out when the webhook is active again.",
    "circuit_open": "The receiver failed so often that it is asked with one delivery at a time until it answers.",
    "slowed_down": "The receiver asked for less, or was too slow to answer.",
    "rate_limited": "The webhook's rate limit lets it go out later.",
    "static_egress": "The webhook is sent to from static addresses alone; it goes out by the sender that has them.",
    "slow_receivers": "Receivers of this owner are slow to answer, so it waits for some attempts there to end.",
    "busy_host": "Its host is sent as many requests as it may get from this service, so it waits for its turn.",
}
_NOT_QUEUED = {
    "inactive": "The webhook was inactive when the event came. It can be recovered.",
    "failed": "The webhook was disabled after failing when the event came. It can be recovered.",
    "filtered": "The filters of the webhook's subscriptions to this event type did not admit the event.",
    "resource_mismatch": "The webhook's subscriptions to this event type are bound to other resources.",
    "not_subscribed": "The webhook had no active subscription to this event type.",
    "invalid_filter": "A filter of the webhook's subscriptions cannot be read.",
    "unreadable": "This service could not read the webhook's subscriptions when the event came. It can be recovered.",
    "pull": "A version of the service that does not know pull webhooks took the event. It can be recovered.",
    "unknown_event_type": "The service does not know this event type, so the event went to nobody.",
    "speaks_of_itself": "The event speaks of this very webhook; such events go to other webhooks only.",
    "created_later": "The webhook was created after the event came.",
    "changed_since": "Its subscriptions of today would take the event; those it had when the event came did not.",
    "not_decided_yet": "The event reaches so many webhooks that distributing it is not over yet.",
    "payload_gone": "The event's payload is no longer kept, so today's subscriptions cannot be asked.",
    "other_scope": "The webhook gets events of another workspace, or of another user.",
}
_HANDSHAKES = {
    "handshake": _DELIVERY["tls"],
    "client_certificate": "The host asks for a client certificate, and this service has none.",
    "old_version": "The host speaks no TLS of version 1.2 or newer.",
}
_PHASES = {
    "connect": _DELIVERY["connect_timeout"],
    "answer": "The receiver took the request and did not begin to answer in time.",
    "body": "The receiver began to answer and did not come to an end in time.",
}
_USED_UP = "attempts_used_up:"


def delivery_sentence(reason: str | None) -> str | None:
    """Why a delivery failed or is not through yet; None for no reason, the code itself for one that is new here."""
    if reason is None:
        return None
    if reason.startswith(_USED_UP):
        return f"All attempts failed. The last one: {delivery_sentence(reason.removeprefix(_USED_UP))}"
    status = reason.removeprefix("http_")
    if status != reason and status.isdigit():
        return status_sentence(int(status))
    return _DELIVERY.get(reason, reason)


def cause_sentence(cause: str) -> str | None:
    """A cause (`failure_causes.cause_of`) in a sentence: its reason, and which fault or phase it was."""
    reason, _, more = cause.partition(":")
    if reason == "tls" and more:
        return _HANDSHAKES.get(more) or f"The host's TLS certificate cannot be trusted: {more.replace('_', ' ')}."
    if reason == "timeout":
        return _PHASES.get(more) or delivery_sentence(reason)
    return delivery_sentence(reason)


def status_sentence(status_code: int) -> str:
    """Why an answer with this status is a failure."""
    if 300 <= status_code < 400:
        return f"The receiver answered {status_code}; redirects are not followed."
    return f"The receiver answered {status_code}."


def waiting_sentence(reason: str) -> str:
    """Why a delivery waits: in its webhook's waiting room, or for its next attempt after what this reason tells."""
    return _WAITING.get(reason) or f"It is tried again later. {delivery_sentence(reason) or ''}".rstrip()


def not_queued_sentence(reason: str) -> str:
    """Why an event did not go to a webhook."""
    return _NOT_QUEUED.get(reason, reason)
