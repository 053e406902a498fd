"""The request that a webhook gets: secrets opened, the exact body signed, the owner's and our headers put together."""

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from webhooks.errors import Unavailable
from webhooks.messages import DeliveryMessage
from webhooks.models.exchange import HttpRequest
from webhooks.models.webhook import Sealed, Webhook
from webhooks.request.headers import delivery_headers
from webhooks.request.redaction import credentials_in
from webhooks.request.signing import SigningSecrets, signature_headers
from webhooks.request.signing_keys import SigningKeys
from webhooks.sealing import SecretOpener

MAX_KEPT = 1000

logger = logging.getLogger(__name__)


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

    def __init__(self, secrets: SecretOpener, keys: SigningKeys, *, prefix: str, user_agent: str) -> None:
        self._secrets = secrets
        self._keys = keys
        self._prefix = prefix
        self._user_agent = user_agent
        self._opened: OrderedDict[str, _Opened] = OrderedDict()

    def lacks_keys(self, webhook: Webhook, now_ms: int) -> bool:
        """Whether the webhook asks for the deployment's keys, and `prepare` would have to read them."""
        return webhook.ed25519 and not self._keys.are_known(now_ms)

    def prepare(self, webhooks: Iterable[Webhook], now_ms: int) -> None:
        """Have the deployment's keys at hand if one of these webhooks asks for them.

        If they cannot be had, `request` says so of each webhook that needs them.
        """
        if any(each.ed25519 for each in webhooks):
            try:
                self._keys.refresh(now_ms)
            except Exception:  # what is wrong with them may cost no other webhook anything
                logger.exception("the signing keys were not read")

    def request(
        self, webhook: Webhook, message: DeliveryMessage, *, attempt: int, now_ms: int, timeout_seconds: float
    ) -> HttpRequest:
        """A signed request of attempt number `attempt`. The webhook went through `prepare` before. Raises
        Undecryptable or Unavailable."""
        opened = self._open(webhook)
        body = message.body.encode()
        headers = self._headers(webhook, opened.sealed, opened.sealed.headers, message, body, attempt, now_ms)
        return HttpRequest(webhook.url, headers, body, timeout_seconds, opened.credentials)

    def headers(self, webhook: Webhook, message: DeliveryMessage, now_ms: int) -> dict[str, str]:
        """Those of the request without the owner's own, for whoever reads the event instead of being sent it. The same
        holds of it."""
        return self._headers(webhook, self._open(webhook).sealed, {}, message, message.body.encode(), 1, now_ms)

    def _headers(
        self,
        webhook: Webhook,
        sealed: Sealed,
        custom: Mapping[str, str],
        message: DeliveryMessage,
        body: bytes,
        attempt: int,
        now_ms: int,
    ) -> dict[str, str]:
        signature = signature_headers(
            SigningSecrets(sealed.secret, *(secret for secret, _ in sealed.older(now_ms))),
            prefix=self._prefix,
            event_id=message.event_id,
            timestamp=now_ms // 1000,
            body=body,
            ed25519=self._signing(now_ms) if webhook.ed25519 else (),
        )
        return delivery_headers(
            custom,
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

    def _signing(self, now_ms: int) -> Sequence[Callable[[bytes], bytes]]:
        signing = [pair.sign for pair in self._keys.signing(now_ms)]
        if not signing:
            raise Unavailable("no ed25519 key is known now")
        return signing

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
