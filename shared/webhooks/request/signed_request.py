"""The request that a webhook gets: secrets opened, the exact body signed, the owner's and our headers put together."""

import json
from collections import OrderedDict
from dataclasses import dataclass

from webhooks.messages import DeliveryMessage
from webhooks.models.exchange import HttpRequest
from webhooks.models.webhook import Sealed, Webhook
from webhooks.request.headers import delivery_headers
from webhooks.request.redaction import credentials_in
from webhooks.request.signing import SigningSecrets, signature_headers
from webhooks.sealing import SecretOpener

MAX_KEPT = 1000


def sealed_text(sealed: Sealed) -> str:
    """The plaintext that is sealed."""
    parts: dict[str, object] = {
        "secret": sealed.secret,
        "previous": sealed.previous,
        "previous_until_ms": sealed.previous_until_ms,
        "headers": dict(sealed.headers),
    }
    if sealed.between is not None:  # seldom; a version that does not know it cannot read what has it
        parts |= {"between": sealed.between, "between_until_ms": sealed.between_until_ms}
    return json.dumps(parts)


def unsealed(text: str) -> Sealed:
    """The other way round."""
    return Sealed(**json.loads(text))


@dataclass(frozen=True, slots=True)
class _Opened:
    source: bytes
    sealed: Sealed
    credentials: tuple[str, ...]  # to be masked in answers


class RequestSigner:
    """Makes requests; opened secrets are kept in memory by their version."""

    def __init__(self, secrets: SecretOpener, *, prefix: str, user_agent: str) -> None:
        self._secrets = secrets
        self._prefix = prefix
        self._user_agent = user_agent
        self._opened: OrderedDict[str, _Opened] = OrderedDict()

    def request(
        self, webhook: Webhook, message: DeliveryMessage, *, attempt: int, now_ms: int, timeout_seconds: float
    ) -> HttpRequest:
        """A signed request of attempt number `attempt`. Raises Undecryptable or Unavailable."""
        opened = self._open(webhook)
        sealed = opened.sealed
        body = message.body.encode()
        signature = signature_headers(
            SigningSecrets(sealed.secret, *(secret for secret, _ in sealed.older(now_ms))),
            prefix=self._prefix,
            event_id=message.event_id,
            timestamp=now_ms // 1000,
            body=body,
        )
        headers = delivery_headers(
            sealed.headers,
            signature,
            prefix=self._prefix,
            user_agent=self._user_agent,
            event_id=message.event_id,
            event_type=message.event_type,
            webhook_id=webhook.webhook_id,
            delivery_id=message.delivery_id,
            attempt=attempt,
            trace=message.trace,
        )
        return HttpRequest(webhook.url, headers, body, timeout_seconds, opened.credentials)

    def _open(self, webhook: Webhook) -> _Opened:
        kept = self._opened.get(webhook.sealed_context)
        if kept is None or kept.source != webhook.sealed:
            sealed = unsealed(self._secrets.open(webhook.sealed, context=webhook.sealed_context))
            secrets = [*sealed.headers.values(), sealed.secret, sealed.previous or "", sealed.between or ""]
            kept = _Opened(webhook.sealed, sealed, credentials_in(secrets))
            self._opened[webhook.sealed_context] = kept
            if len(self._opened) > MAX_KEPT:
                self._opened.popitem(last=False)
        self._opened.move_to_end(webhook.sealed_context)
        return kept
