"""Callers: scopes, ids, and the way from the authorizer to the api."""

import time
from typing import Any

import pytest

from webhooks.access.callers import from_context, platform_id, to_context
from webhooks.errors import NotAllowed, Unauthenticated
from webhooks.models.caller import SCOPES, Caller, Scope


def caller(*scopes: Scope, user_id: str | int = 123) -> Caller:
    return Caller(user_id, frozenset({"456"}), frozenset(scopes))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("123", 123),
        ("0", 0),
        ("0123", "0123"),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("u-1", "u-1"),
        ("١٢٣", "١٢٣"),
        ("9" * 19, "9" * 19),
    ],
)
def test_an_id_is_an_integer_when_the_platform_would_write_it_like_one(text: str, found: str | int) -> None:
    assert platform_id(text) == found
    assert str(found) == text


@pytest.mark.parametrize("text", ["", "a|b", "a\tb", "x" * 129])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        platform_id(text)


@pytest.mark.parametrize("lifetime", [None, 60])
def test_a_caller_survives_the_way_to_the_api(lifetime: int | None) -> None:
    expires_at = None if lifetime is None else int(time.time()) + lifetime
    sent = Caller("u-1", frozenset({"456", 'a "quoted", one'}), frozenset({"webhooks", "admin"}))
    assert from_context(to_context(sent, expires_at), time.time()) == sent


def test_the_context_is_a_flat_map_of_strings() -> None:
    assert all(isinstance(value, str) for value in to_context(caller("admin"), 1).values())


def test_an_expired_caller_is_refused_after_the_leeway() -> None:
    context = to_context(caller("admin"), 1_000)
    assert from_context(context, 1_030)
    with pytest.raises(Unauthenticated, match="expired"):
        from_context(context, 1_031)


@pytest.mark.parametrize("context", [{}, {"user_id": ""}, {"user_id": None}, {"principalId": "123"}])
def test_without_the_authorizer_there_is_no_caller(context: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        from_context(context, 0)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_allows_itself(scope: Scope) -> None:
    caller(scope).require(scope)


INCLUDED: list[tuple[Scope, Scope]] = [
    ("admin", "webhooks"),
    ("admin", "webhooks:read"),
    ("admin", "metrics:read"),
    ("admin", "api-keys"),
    ("admin", "portal-links"),
    ("webhooks", "webhooks:read"),
    ("events:write:any", "events:write"),
]


@pytest.mark.parametrize(("held", "wanted"), INCLUDED)
def test_some_scopes_include_others(held: Scope, wanted: Scope) -> None:
    caller(held).require(wanted)
    with pytest.raises(NotAllowed):
        caller(wanted).require(held)


def test_no_other_scope_includes_another() -> None:
    allowed = {(held, wanted) for held in SCOPES for wanted in SCOPES if caller(held).may(wanted) and held != wanted}
    assert allowed == set(INCLUDED)


def test_workspaces_compare_by_their_text() -> None:
    assert caller().is_in_workspace(456)
    assert caller().is_in_workspace("456")
    assert not caller().is_in_workspace("0456")
