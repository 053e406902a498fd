"""The pull webhook that `listen` reads: made at the first time, and taken up again at the next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyhooks.api import Api, Json, at
from pyhooks.errors import Refused
from pyhooks.profiles import Secrets

_MARK = "pyhooks_listen"  # in the metadata, with the name


@dataclass(frozen=True, slots=True)
class PullWebhook:
    """One to read; `secret` None: it is not known here. `is_new`: it was made just now."""

    webhook_id: str
    name: str
    types: tuple[str, ...]
    secret: str | None
    is_new: bool = False


def take_up(
    api: Api, secrets: Secrets, name: str, types: Sequence[str], workspace_id: str | None, *, new_secret: bool
) -> PullWebhook:
    """The webhook of this name, which gets these event types and no others; made where there is none.

    Raises as `Api.call`.
    """
    mine = (each for each in api.items("webhooks", q=_title(name)) if each.get("metadata", {}).get(_MARK) == name)
    found = next((each for each in mine if each.get("kind") == "pull"), None)
    if found is None:
        return _make(api, secrets, name, types, workspace_id)
    if workspace_id is not None and str(found.get("workspace_id")) != workspace_id:
        raise Refused(
            f"{found['id']}, which listens as {name}, is not of workspace {workspace_id}. Choose another --name, or "
            f"remove it: pyhooks webhooks delete {found['id']}"
        )
    _subscribe(api, str(found["id"]), types)
    return existing(api, secrets, str(found["id"]), new_secret=new_secret)


def existing(api: Api, secrets: Secrets, webhook_id: str, *, new_secret: bool) -> PullWebhook:
    """A webhook that somebody made, left as it is but for a secret that is asked for. Raises as `Api.call`."""
    webhook = api.get(at("webhooks", webhook_id))
    if webhook.get("kind", "push") != "pull":
        raise Refused(
            f"{webhook_id} is pushed to {webhook.get('url')}. listen reads webhooks of kind pull: leave --webhook out, "
            "and one is made."
        )
    if webhook.get("status") not in ("active", "inactive"):
        raise Refused(
            f"{webhook_id} is {webhook.get('status')}. Run: pyhooks webhooks update {webhook_id} --status active"
        )
    if new_secret:
        answer = api.post(at("webhooks", webhook_id, "regenerate-secret"), {}, keyed=True)
        secrets.put(secret_name(api, webhook_id), str(answer["secret"]))
    types = [str(each["event_type"]) for each in _subscriptions(api, webhook_id) if each.get("is_active", True)]
    secret = secrets.get(secret_name(api, webhook_id))
    return PullWebhook(webhook_id, str(webhook["name"]), tuple(types), secret)


def secret_name(api: Api, webhook_id: str) -> str:
    """What a webhook's secret is kept by."""
    return f"secret {webhook_id} {api.url}"


def _make(api: Api, secrets: Secrets, name: str, types: Iterable[str], workspace_id: str | None) -> PullWebhook:
    wanted = list(dict.fromkeys(types))
    document: Json = {
        "name": _title(name),
        "kind": "pull",
        "description": "Made by pyhooks listen. Delete it when nobody listens any more.",
        "metadata": {_MARK: name},
        "subscriptions": [{"event_type": each} for each in wanted],
    }
    if workspace_id is not None:
        document["workspace_id"] = int(workspace_id) if workspace_id.isdecimal() else workspace_id
    try:
        made = api.post("webhooks", document, keyed=True)
    except Refused as error:
        if "kind:" in error.message:  # "is not a known field"
            raise Refused(f"{api.url} has no pull webhooks: its service is older than this command.") from error
        raise
    secrets.put(secret_name(api, str(made["id"])), str(made["secret"]))
    return PullWebhook(str(made["id"]), str(made["name"]), tuple(wanted), str(made["secret"]), is_new=True)


def _subscribe(api: Api, webhook_id: str, types: Sequence[str]) -> None:
    """Added before anything is removed, so that nothing is missed meanwhile."""
    present = _subscriptions(api, webhook_id)
    for event_type in dict.fromkeys(types):
        if not any(_is_plain(each, event_type) for each in present):
            api.post(at("webhooks", webhook_id, "subscriptions"), {"event_type": event_type}, keyed=True)
    for each in present:
        if not any(_is_plain(each, event_type) for event_type in types):
            api.delete(at("webhooks", webhook_id, "subscriptions", str(each["id"])))


def _subscriptions(api: Api, webhook_id: str) -> list[Json]:
    return list(api.items(at("webhooks", webhook_id, "subscriptions")))


def _is_plain(subscription: Json, event_type: str) -> bool:
    """Whether it is just this type, as `listen` subscribes."""
    extras = (subscription.get("filters"), subscription.get("resource_id"))
    return subscription["event_type"] == event_type and subscription.get("is_active", True) and not any(extras)


def _title(name: str) -> str:
    return f"pyhooks listen {name}"
