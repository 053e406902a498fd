"""Webhooks: registering, changing, deleting them, and their secrets."""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from webhooks.access.idempotency_keys import REMEMBERED_MS, IdempotencyRecord, check_key, fingerprint
from webhooks.egress.policy import EgressPolicy, check_url
from webhooks.errors import Conflict, Faults, FieldError, Invalid, NotAllowed, RefusedDestination
from webhooks.ids import new_id
from webhooks.management.changes import (
    Change,
    ManagementStore,
    Versions,
    change,
    check_budget,
    counting,
    find,
    sees,
)
from webhooks.management.members import MEMBER_REMOVED
from webhooks.management.paging import Page, page_of
from webhooks.management.ports import Waker
from webhooks.management.requests import WebhookChange, WebhookRequest, written
from webhooks.management.signing_keys import SigningKeyManagement
from webhooks.management.subscriptions import check_amount, new_subscription
from webhooks.matching.filter_budget import FilterUse
from webhooks.matching.route_rows import RouteChanges, route_changes, route_rows
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Sealed, Webhook
from webhooks.request.headers import check_custom_headers, check_given_anew, unmask
from webhooks.request.signed_request import sealed_text, unsealed
from webhooks.request.signing import SECRET_BYTES, check_secret, new_secret
from webhooks.sealing import SecretBox
from webhooks.times import rfc3339

HOUR_MS = 3_600_000
MAX_OLDER = 2  # secrets that sign beside the present one
A_READ = 100  # webhooks
# Left out of a request's fingerprint where they are not used, so that a repeat across an upgrade is known again.
ADDED = ("static_egress", "ed25519")
# What only a webhook that we send to can have.
FOR_SENDING = ("headers", "max_retries", "timeout_seconds", "rate_limit_rps", "static_egress")


@dataclass(frozen=True, slots=True)
class WebhookWithSecret:
    """A new webhook. `secret` is None where a repeated request finds that the webhook has changed since."""

    webhook: Webhook
    subscriptions: Sequence[Subscription]
    secret: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which webhooks: those of this status that have all of these words, folded, in what names them."""

    status: str | None = None
    words: tuple[str, ...] = ()

    def admits(self, webhook: Webhook) -> bool:
        """Whether the webhook is meant."""
        if self.status not in (None, webhook.status):
            return False
        named = (webhook.name, webhook.url, webhook.description, webhook.webhook_id, webhook.owner)
        text = "\n".join(named).casefold()
        return all(word in text for word in self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookManagement:
    """The use cases. Each raises NotFound for a webhook that the caller does not see, and Unavailable."""

    store: ManagementStore
    box: SecretBox
    signing_keys: SigningKeyManagement
    waker: Waker
    policy: EgressPolicy
    event_types: Collection[str]
    header_prefix: str
    retention_ms: int
    max_webhooks: int
    budget: FilterUse
    static_egress: bool = False  # whether the deployment has static addresses to deliver from
    now_ms: Callable[[], int]

    def create(self, caller: Caller, request: WebhookRequest, idempotency_key: str | None) -> WebhookWithSecret:
        """Register a webhook with its first subscriptions.

        A repeat with the same key and request within a day gets the first answer again. Raises Invalid and its kinds,
        NotAllowed for a workspace that is not the caller's, Conflict for a key used for something else and for an owner
        who has the greatest allowed number of webhooks.
        """
        key = check_key(idempotency_key)
        unused = [each for each in ADDED if not getattr(request, each)]
        if request.kind == "push":
            unused.append("kind")
        trace = fingerprint(written(request, exclude=unused))
        if key is not None and (earlier := self.store.idempotency_record(caller.owner, key, self.now_ms())):
            return self._repeated(caller, earlier, trace)
        now_ms = self.now_ms()
        webhook, subscriptions, secret = self._new(caller, request, now_ms)
        remember = None
        if key is not None:
            remember = IdempotencyRecord(caller.owner, key, trace, webhook.webhook_id, now_ms + REMEMBERED_MS)
        if self.store.amount(caller.owner) >= self.max_webhooks:
            raise Conflict(f"you have {self.max_webhooks} webhooks, which is as many as there may be: delete one first")
        new = Change(
            webhook,
            before=None,
            routes=RouteChanges(put=tuple(route_rows(webhook, subscriptions))),
            put=tuple(subscriptions),
            remember=remember,
            at_most=self.max_webhooks,
            budget=self.budget if subscriptions else None,
            audit=Deed("webhook.created").by(caller, webhook, now_ms),
        )
        check_budget(self.store, new)
        if self.store.commit(new, now_ms):
            return WebhookWithSecret(webhook, subscriptions, secret)
        if key is not None and (earlier := self.store.idempotency_record(caller.owner, key, now_ms)):
            return self._repeated(caller, earlier, trace)
        raise Conflict("others keep changing the same things at the same time: repeat the request")

    def get(self, caller: Caller, webhook_id: str) -> Webhook:
        """One webhook."""
        return find(self.store, caller, webhook_id)

    def page(
        self, caller: Caller, owner: str | None, wanted: Wanted, *, after: str | None, limit: int
    ) -> Page[Webhook]:
        """Webhooks, newest first, after the id `after`.

        Callers see their own, and admins everybody's or one owner's. Raises NotAllowed for anyone else's owner. What
        is not wanted is read and left out: at most EXAMINED a page, a hundred a read.
        """
        if not caller.is_admin and owner not in (None, caller.owner):
            raise NotAllowed("only admins see the webhooks of others")
        whose = owner if caller.is_admin else caller.owner
        if wanted == Wanted():
            found, last = self.store.webhooks(whose, after=after, limit=limit)
            return Page([each for each in found if sees(caller, each)], last)
        return page_of(
            self._newest(whose, after),
            lambda each: wanted.admits(each) and sees(caller, each),
            lambda each: each.webhook_id,
            limit=limit,
        )

    def _newest(self, owner: str | None, after: str | None) -> Iterator[Webhook]:
        more = True
        while more:
            found, after = self.store.webhooks(owner, after=after, limit=A_READ)
            yield from found
            more = after is not None

    def change(self, caller: Caller, webhook_id: str, wanted: WebhookChange, if_match: Versions | None) -> Webhook:
        """Change the fields that are there. When the webhook becomes active, waiting deliveries go out.

        Raises Invalid and its kinds, VersionConflict, NotAllowed.
        """
        now_ms = self.now_ms()

        def decide(webhook: Webhook, subscriptions: Sequence[Subscription]) -> Change:
            _check(if_match, webhook)
            if "status" in wanted.model_fields_set and webhook.status_reason == MEMBER_REMOVED and not caller.is_admin:
                raise NotAllowed("its owner has left the workspace: an admin can make it active again")
            after = self._changed(webhook, wanted, now_ms)
            return Change(after, webhook, route_changes(*(route_rows(w, subscriptions) for w in (webhook, after))))

        deed = Deed.changing("webhook.updated", wanted.model_fields_set)
        done = change(self.store, caller, webhook_id, decide, now_ms, deed)
        # Also when it was so before: a lost answer may hide that nobody woke it.
        if not wanted.model_fields_set.isdisjoint(("status", "static_egress")):
            self.waker.wake(webhook_id, now_ms, now_ms)
        return done.webhook

    def delete(self, caller: Caller, webhook_id: str, if_match: Versions | None) -> None:
        """Leave a tombstone without url, secrets and subscriptions, and give up what waits. Raises VersionConflict."""
        now_ms = self.now_ms()

        def decide(webhook: Webhook, subscriptions: Sequence[Subscription]) -> Change:
            _check(if_match, webhook)
            return Change(
                webhook=_tombstone(webhook, now_ms),
                before=webhook,
                routes=RouteChanges(delete=tuple(route_rows(webhook, subscriptions))),
                delete=tuple(each.subscription_id for each in subscriptions),
                expires_at_ms=now_ms + self.retention_ms,
            )

        change(self.store, caller, webhook_id, decide, now_ms, Deed("webhook.deleted"))
        self.waker.wake(webhook_id, now_ms, now_ms)

    def regenerate_secret(
        self,
        caller: Caller,
        webhook_id: str,
        overlap_hours: int,
        if_match: Versions | None,
        idempotency_key: str | None = None,
    ) -> tuple[Webhook, str]:
        """A new secret; the present one signs beside it until the overlap ends, and so do older ones until theirs.

        Without overlap all older ones end at once. A repeat with the same key within a day changes nothing, and
        answers with the present secret. Raises VersionConflict, and Conflict for a third older secret and for a key
        used for something else.
        """
        key = check_key(idempotency_key)
        trace = fingerprint(f"regenerate {webhook_id} {overlap_hours}")
        if key is not None and (repeated := self._regenerated(caller, webhook_id, key, trace)):
            return repeated
        now_ms = self.now_ms()
        secret = _fresh_secret()
        remember = None
        if key is not None:
            remember = IdempotencyRecord(caller.owner, key, trace, webhook_id, now_ms + REMEMBERED_MS)

        def decide(webhook: Webhook, subscriptions: Sequence[Subscription]) -> Change:
            _check(if_match, webhook)
            sealed = _rotated(self._unsealed(webhook), secret, overlap_hours * HOUR_MS, now_ms)
            until_ms = max(sealed.previous_until_ms, sealed.between_until_ms)
            after = self._sealed(replace(webhook, previous_secret_until_ms=until_ms), sealed)
            changed = replace(after, version=webhook.version + 1, updated_at_ms=now_ms)
            return Change(changed, webhook, remember=remember)

        try:
            deed = Deed("webhook.secret_rotated")
            return change(self.store, caller, webhook_id, decide, now_ms, deed).webhook, secret
        except Conflict:
            if key is not None and (repeated := self._regenerated(caller, webhook_id, key, trace)):
                return repeated
            raise

    def _regenerated(self, caller: Caller, webhook_id: str, key: str, trace: str) -> tuple[Webhook, str] | None:
        earlier = self.store.idempotency_record(caller.owner, key, self.now_ms())
        if earlier is None:
            return None
        if earlier.fingerprint != trace:
            raise Conflict("this Idempotency-Key was used for another request")
        webhook = find(self.store, caller, webhook_id)
        return webhook, self._unsealed(webhook).secret

    def _new(self, caller: Caller, request: WebhookRequest, now_ms: int) -> tuple[Webhook, list[Subscription], str]:
        faults = Faults()
        webhook_id = new_id("wh", now_ms)
        headers: dict[str, str] = {}
        subscriptions: list[Subscription] = []
        with faults:
            self._check_kind(request)
        with faults:
            self._check_static_egress(request.static_egress)
        with faults:
            headers = check_custom_headers(unmask(request.headers, {}), prefix=self.header_prefix)
        if request.secret is not None:
            with faults:
                check_secret(request.secret)
        for position, each in enumerate(request.subscriptions):
            at = f"subscriptions.{position}."
            with faults:
                subscriptions.append(new_subscription(webhook_id, each, self.event_types, now_ms, at=at))
        faults.tell()
        if request.workspace_id is not None and not (caller.is_admin or caller.is_in_workspace(request.workspace_id)):
            raise NotAllowed("workspace_id: is not one of the caller's workspaces")
        check_amount(subscriptions)
        if request.ed25519:
            self.signing_keys.ensure()
        secret = request.secret or _fresh_secret()
        webhook = Webhook(
            webhook_id=webhook_id,
            user_id=caller.user_id,
            workspace_id=request.workspace_id,
            name=request.name,
            kind=request.kind,
            url=request.url or "",
            description=request.description,
            metadata=request.metadata,
            header_names=tuple(headers),
            sealed=b"",
            sealed_version=0,
            max_retries=request.max_retries,
            timeout_seconds=request.timeout_seconds,
            rate_limit_rps=_plain(request.rate_limit_rps),
            static_egress=request.static_egress,
            status=request.status,
            status_reason=None,
            version=1,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            ed25519=request.ed25519,
        )
        counted = counting(webhook, subscriptions)
        return self._sealed(counted, Sealed(secret, headers=headers)), subscriptions, secret

    def _repeated(self, caller: Caller, earlier: IdempotencyRecord, trace: str) -> WebhookWithSecret:
        if earlier.fingerprint != trace:
            raise Conflict("this Idempotency-Key was used for another request")
        webhook = find(self.store, caller, earlier.webhook_id)
        secret = self._unsealed(webhook).secret if webhook.version == 1 else None
        return WebhookWithSecret(webhook, self.store.subscriptions(webhook.webhook_id), secret)

    def _changed(self, webhook: Webhook, wanted: WebhookChange, now_ms: int) -> Webhook:
        fields: dict[str, Any] = wanted.model_dump(exclude_unset=True)
        faults = Faults()
        with faults:
            if fields.pop("workspace_id", webhook.workspace_id) != webhook.workspace_id:
                raise Invalid.at("workspace_id", "cannot be changed: register another webhook", "not_allowed")
        with faults:
            if fields.pop("kind", webhook.kind) != webhook.kind:
                raise Invalid.at("kind", "cannot be changed: register another webhook", "not_allowed")
        with faults:
            if webhook.kind == "pull":
                _refuse_for_pull(name for name in ("url", *FOR_SENDING) if fields.get(name))
        with faults:
            if "url" in fields and check_url(wanted.url, self.policy).server != self._server(webhook):
                check_given_anew(fields.get("headers"), webhook.header_names)
        with faults:
            self._check_static_egress(fields.get("static_egress", False))
        headers: dict[str, str] | None = fields.pop("headers", None)
        if headers is not None:
            with faults:
                webhook = self._with_headers(webhook, headers)
        faults.tell()
        if "rate_limit_rps" in fields:
            fields["rate_limit_rps"] = _plain(wanted.rate_limit_rps)
        if "status" in fields:
            fields["status_reason"] = None
        if fields.get("ed25519"):
            self.signing_keys.ensure()
        return replace(webhook, **fields, version=webhook.version + 1, updated_at_ms=now_ms)

    def _check_kind(self, request: WebhookRequest) -> None:
        if request.kind == "pull":
            _refuse_for_pull(name for name in ("url", *FOR_SENDING) if name in request.model_fields_set)
        elif request.url is not None:
            check_url(request.url, self.policy)

    def _check_static_egress(self, wanted: bool) -> None:
        if wanted and not self.static_egress:
            raise Invalid.at(
                "static_egress", "this deployment has no static addresses to deliver from: leave it out, or give false"
            )

    def _server(self, webhook: Webhook) -> object:
        try:
            return check_url(webhook.url, self.policy).server
        except RefusedDestination:
            return None  # what was allowed once

    def _with_headers(self, webhook: Webhook, headers: dict[str, str]) -> Webhook:
        sealed = self._unsealed(webhook)
        checked = check_custom_headers(unmask(headers, sealed.headers), prefix=self.header_prefix)
        return self._sealed(replace(webhook, header_names=tuple(checked)), replace(sealed, headers=checked))

    def _sealed(self, webhook: Webhook, content: Sealed) -> Webhook:
        renewed = replace(webhook, sealed_version=webhook.sealed_version + 1)
        return replace(renewed, sealed=self.box.seal(sealed_text(content), context=renewed.sealed_context))

    def _unsealed(self, webhook: Webhook) -> Sealed:
        return unsealed(self.box.open(webhook.sealed, context=webhook.sealed_context))


def _refuse_for_pull(given: Iterable[str]) -> None:
    message = "does not apply to a pull webhook: leave it out"
    if faults := [FieldError(name, message, "not_allowed") for name in given]:
        raise Invalid.of(faults)


def _tombstone(webhook: Webhook, now_ms: int) -> Webhook:
    return replace(
        webhook,
        url="",
        description="",
        metadata={},
        header_names=(),
        sealed=b"",
        status="deleted",
        status_reason=None,
        version=webhook.version + 1,
        routes_version=webhook.routes_version + 1,
        filter_bytes=0,
        filter_searches=0,
        updated_at_ms=now_ms,
    )


def _check(if_match: Versions | None, webhook: Webhook) -> None:
    if if_match is not None:
        if_match.check(webhook.version)


def _fresh_secret() -> str:
    return new_secret(secrets.token_bytes(SECRET_BYTES))


def _plain(rate: float | None) -> float | None:
    """10.0 as 10, so that an answer shows what was sent."""
    return int(rate) if rate is not None and rate.is_integer() else rate


def _rotated(sealed: Sealed, secret: str, overlap_ms: int, now_ms: int) -> Sealed:
    if not overlap_ms:
        return Sealed(secret, headers=sealed.headers)
    older = [*sealed.older(now_ms), (sealed.secret, now_ms + overlap_ms)]
    if len(older) > MAX_OLDER:
        raise Conflict(
            f"{len(older)} secrets sign already, the oldest until {rfc3339(older[0][1])}: wait until then, or end all "
            "older ones at once with overlap_hours 0"
        )
    (previous, previous_until_ms), *rest = older
    between, between_until_ms = rest[0] if rest else (None, 0)
    return Sealed(secret, previous, previous_until_ms, sealed.headers, between, between_until_ms)
