"""Who gets in: tokens, trusted headers, policies."""

import base64
import hmac
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import ConnectTimeoutError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt import algorithms

from tests.conftest import Figure
from tests.fakes.clock import Clock
from webhooks.access.api_keys import digest, new_key
from webhooks.access.callers import from_context
from webhooks.access.tokens import TokenRules, mint, verify
from webhooks.errors import Unauthenticated, Unavailable
from webhooks.models.api_key import ApiKey
from webhooks.models.caller import Caller
from webhooks.runtime import Runtime
from webhooks.settings import AuthorizerSettings

sys.path.append(str(Path(__file__).parents[3] / "functions" / "authorizer"))

from authorization import Authorization, whole_stage
from functions.authorizer.composition import build
from keys import KEPT_SECONDS, RETRY_SECONDS, STALE_SECONDS, PublicKeys, SharedSecret

SECRET = "a-secret-of-more-than-thirty-two-bytes-0123456789"
RULES = TokenRules(("HS256",), "pyairtable", "pyairtable-webhooks")
PUBLIC_RULES = TokenRules(("RS256", "ES256"), "pyairtable", "pyairtable-webhooks")
ARN = "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/GET/api/v1/webhooks"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_PUBLIC = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


class Fixed:
    """A key that goes with every token."""

    def __init__(self, key: Any) -> None:
        self.key = key

    def key_for(self, token: str) -> Any:
        return self.key


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base: dict[str, Any] = {
        "sub": "123",
        "iss": "pyairtable",
        "aud": "pyairtable-webhooks",
        "exp": now + 60,
        "scope": "webhooks events:write",
        "workspace_ids": [456, "ws-7"],
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def token(key: Any = SECRET, algorithm: str = "HS256", header: dict[str, str] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=header)


def raw_token(header: object, payload: object, signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def unasked() -> Any:
    raise AssertionError("nobody came with an API key")


def ask(headers: Mapping[str, object], *, trusts_headers: bool = False, keys: Any = None) -> dict[str, Any]:
    authorization = Authorization(keys or Fixed(SECRET), RULES, trusts_headers, unasked, lambda: 0)
    return authorization.policy({"type": "REQUEST", "methodArn": ARN, "headers": headers})


def test_a_good_token_opens_the_whole_stage_and_names_its_caller() -> None:
    answer = ask({"Authorization": f"Bearer {token()}"})
    assert answer["principalId"] == "123"
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/*",
    }
    assert all(isinstance(value, str) for value in answer["context"].values())
    caller = from_context(answer["context"], time.time())
    assert caller.user_id == 123
    assert caller.scopes == {"webhooks", "events:write"}
    assert caller.workspace_ids == {"456", "ws-7"}


def test_a_minted_token_is_accepted() -> None:
    caller, expires_at = verify(mint(SECRET, 123, ["admin"], [1], now=time.time()), Fixed(SECRET), RULES)
    assert (caller.user_id, caller.is_admin, caller.workspace_ids) == (123, True, {"1"})
    assert expires_at - time.time() > 3590


FORGED: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "no token": lambda: "abc",
    "two parts": lambda: "a.b",
    "another secret": lambda: token("another-secret-of-more-than-thirty-two-bytes-012345"),
    "unsigned": lambda: raw_token({"alg": "none", "typ": "JWT"}, claims()),
    "unsigned in capitals": lambda: raw_token({"alg": "None"}, claims()),
    "no algorithm": lambda: raw_token({"typ": "JWT"}, claims()),
    "an algorithm that is a list": lambda: raw_token({"alg": ["HS256"]}, claims()),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "claims exchanged": lambda: (
        raw_token({"alg": "HS256"}, claims(sub="1")).rpartition(".")[0] + "." + token().split(".")[2]
    ),
    "HS512": lambda: token(SECRET * 2, "HS512"),
    "RS256 where a secret is shared": lambda: token(RSA_KEY, "RS256"),
    "ES256 where a secret is shared": lambda: token(EC_KEY, "ES256"),
    "expired": lambda: token(exp=int(time.time()) - 31),
    "long expired": lambda: token(exp=1),
    "an expiry that is text": lambda: token(exp="tomorrow"),
    "no expiry": lambda: token(exp=None),
    "not yet valid": lambda: token(nbf=int(time.time()) + 60),
    "another issuer": lambda: token(iss="evil"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="other-service"),
    "no audience": lambda: token(aud=None),
    "no subject": lambda: token(sub=None),
    "an empty subject": lambda: token(sub=""),
    "a subject with a separator": lambda: token(sub="a|b"),
    "a subject with a control character": lambda: token(sub="a\nb"),
    "a subject that is too long": lambda: token(sub="s" * 129),
    "a scope that is a list": lambda: token(scope=["admin"]),
    "workspaces that are text": lambda: token(workspace_ids="456"),
    "workspaces that are objects": lambda: token(workspace_ids=[{"id": 456}]),
    "claims that are a list": lambda: raw_token({"alg": "HS256"}, [1]),
    "too long": lambda: token(filler="x" * 9000),
    "with a key in its header": lambda: jwt.encode(claims(), "k" * 40, "HS256", headers={"jwk": {"k": "k" * 40}}),
    "white space inside": lambda: token().replace(".", " .", 1),
    "a lone surrogate": lambda: "\ud800",
    "a lone surrogate inside": lambda: token().replace(".", ".\ud800", 1),
    "a lone surrogate in its subject": lambda: token(sub="\ud800"),
    "a lone surrogate in its scope": lambda: token(scope="webhooks \ud800"),
    "a lone surrogate in a workspace": lambda: token(workspace_ids=["\ud800"]),
    "an expiry beyond all numbers": lambda: token(exp=float("inf")),
    "an expiry that is none": lambda: token(exp=float("nan")),
}

_CLAIM = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_for_a_token_is_refused(text: str) -> None:
    for header in (text, f"Bearer {text}", f"Bearer {token()}{text}."):
        with pytest.raises(Unauthenticated):
            ask({"Authorization": header})


@given(st.sampled_from(["sub", "exp", "nbf", "iat", "jti", "scope", "workspace_ids", "iss", "aud"]), _CLAIM)
def test_any_claims_make_a_caller_or_are_refused(name: str, value: Any) -> None:
    """Signed by the platform all the same: it may be careless, and no other error may reach API Gateway (a 500)."""
    signed = raw_token({"alg": "HS256"}, {**claims(), name: value}).rpartition(".")[0]
    signature = hmac.digest(SECRET.encode(), signed.encode(), "sha256")
    try:
        answer = ask({"Authorization": f"Bearer {signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"})
    except Unauthenticated:
        return
    json.dumps(answer, ensure_ascii=False).encode()
    from_context(answer["context"], time.time())


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    with pytest.raises(Unauthenticated):
        ask({"Authorization": f"Bearer {FORGED[name]()}"})


def test_there_are_more_than_30_ways_to_forge_one(figure: Figure) -> None:
    assert len(FORGED) >= 30
    figure(f"tokens: {len(FORGED)} forged ones, and those of the tests around: 0 accepted")


def test_clocks_may_differ_by_half_a_minute() -> None:
    now = int(time.time())
    assert ask({"Authorization": f"Bearer {token(exp=now - 25)}"})
    assert ask({"Authorization": f"Bearer {token(nbf=now + 25)}"})


def test_a_public_key_is_no_shared_secret() -> None:
    # signed by hand, since pyjwt refuses to take a PEM for an HMAC key
    import hashlib

    unsigned = raw_token({"alg": "HS256", "typ": "JWT"}, claims()).rpartition(".")[0]
    signature = hmac.digest(RSA_PUBLIC, unsigned.encode(), hashlib.sha256)
    confused = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(Unauthenticated):
        verify(confused, Fixed(RSA_KEY.public_key()), PUBLIC_RULES)


def test_another_algorithm_is_refused_before_any_key_is_asked_for() -> None:
    class Unasked:
        def key_for(self, token: str) -> Any:
            raise AssertionError("asked")

    for forged in (token(SECRET * 2, "HS512"), token(RSA_KEY, "RS256"), raw_token({"alg": "none"}, claims())):
        with pytest.raises(Unauthenticated, match="another algorithm"):
            verify(forged, Unasked(), RULES)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_tokens_signed_with_a_private_key_are_checked_with_the_public_one(key: Any, algorithm: str) -> None:
    caller, _ = verify(token(key, algorithm), Fixed(key.public_key()), PUBLIC_RULES)
    assert caller.user_id == 123
    other = rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Unauthenticated):
        verify(token(other, algorithm), Fixed(key.public_key()), PUBLIC_RULES)


@pytest.mark.parametrize("algorithms", [(), ("HS256", "RS256"), ("none",), ("HS512",), ("hs256",), ("PS256",)])
def test_algorithms_are_of_one_family(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one family"):
        TokenRules(algorithms, "i", "a")


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Basic eDp5"}, {"X-User-ID": "123"}])
def test_without_a_token_nobody_gets_in(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        ask(headers)


def test_a_trusted_header_names_the_caller() -> None:
    answer = ask({"x-user-id": "123", "X-Workspace-ID": "456, 7"}, trusts_headers=True)
    caller = from_context(answer["context"], time.time())
    assert (caller.user_id, caller.workspace_ids) == (123, {"456", "7"})
    assert caller.scopes == {"webhooks", "events:write", "metrics:read", "api-keys"}
    assert "expires_at" not in answer["context"]


def test_a_token_wins_over_a_trusted_header_even_when_it_is_not_valid() -> None:
    both = {"Authorization": f"Bearer {token(sub='9')}", "X-User-ID": "123"}
    assert ask(both, trusts_headers=True)["principalId"] == "9"
    with pytest.raises(Unauthenticated):
        ask({"Authorization": "Bearer nonsense", "X-User-ID": "123"}, trusts_headers=True)


@pytest.mark.parametrize("user_id", ["", " ", "a|b", "x" * 129])
def test_a_trusted_header_must_hold_an_id(user_id: str) -> None:
    with pytest.raises(Unauthenticated):
        ask({"X-User-ID": user_id}, trusts_headers=True)


def test_a_stage_is_all_of_its_routes() -> None:
    assert whole_stage(ARN) == "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/*"


class Secrets:
    """Secrets Manager, which answers with one value after the other, or fails with it."""

    def __init__(self, *values: str | Exception) -> None:
        self.values = list(values)
        self.calls = 0

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:
        assert SecretId == "arn"
        self.calls += 1
        value = self.values.pop(0)
        if isinstance(value, Exception):
            raise value
        return {"SecretString": value}


DOWN = ConnectTimeoutError(endpoint_url="https://secretsmanager")


def fail_if_told(reason: str) -> None:
    raise AssertionError(reason)


def test_the_secret_is_fetched_once_and_anew_after_a_while() -> None:
    clock = [0.0]
    secrets = Secrets("first-" * 8, "second-" * 8)
    source = SharedSecret(secrets, "arn", fail_if_told, clock=lambda: clock[0])
    assert [source.key_for("t") for _ in range(3)] == ["first-" * 8] * 3
    assert secrets.calls == 1
    clock[0] += KEPT_SECONDS + 1
    assert source.key_for("t") == "second-" * 8


def test_a_short_secret_opens_nothing() -> None:
    with pytest.raises(Unavailable, match="at least 32 bytes"):
        SharedSecret(Secrets("x" * 31), "arn", fail_if_told).key_for("t")


@pytest.mark.parametrize("trouble", [DOWN, "too short"])
def test_a_secret_that_cannot_be_fetched_anew_is_used_as_it_was_and_said_to_be_stale(trouble: str | Exception) -> None:
    clock, told = [0.0], list[str]()
    secrets = Secrets("first-" * 8, trouble, trouble, "second-" * 8)
    source = SharedSecret(secrets, "arn", told.append, clock=lambda: clock[0])
    source.key_for("t")
    clock[0] += KEPT_SECONDS + 1
    assert [source.key_for("t") for _ in range(3)] == ["first-" * 8] * 3
    assert (secrets.calls, len(told)) == (2, 1)  # not every request waits for what does not answer
    clock[0] += RETRY_SECONDS + 1
    assert source.key_for("t") == "first-" * 8
    clock[0] += RETRY_SECONDS + 1
    assert source.key_for("t") == "second-" * 8
    assert len(told) == 2


def test_a_stale_secret_is_refused_after_a_day_and_one_that_never_was_at_once() -> None:
    clock = [0.0]
    source = SharedSecret(Secrets(DOWN, "first-" * 8, DOWN, "second-" * 8), "arn", str, clock=lambda: clock[0])
    with pytest.raises(Unavailable):
        source.key_for("t")
    assert source.key_for("t") == "first-" * 8
    clock[0] += STALE_SECONDS + 1
    with pytest.raises(Unavailable):
        source.key_for("t")
    assert source.key_for("t") == "second-" * 8


def test_the_key_set_is_fetched_over_https_alone() -> None:
    with pytest.raises(ValueError, match="https"):
        PublicKeys.at("http://example.com/jwks", fail_if_told)


class Published(jwt.PyJWKClient):
    """A key set as its publisher has it now."""

    def __init__(self, **keys: Any) -> None:
        super().__init__("https://example.com/jwks")
        self.keys = keys
        self.fetched = 0
        self.is_down = False

    def fetch_data(self) -> Any:
        self.fetched += 1
        if self.is_down:
            raise jwt.exceptions.PyJWKClientConnectionError("no")
        by_key = {
            rsa.RSAPrivateKey: algorithms.RSAAlgorithm,
            ec.EllipticCurvePrivateKey: algorithms.ECAlgorithm,
        }
        entries = []
        for name, key in self.keys.items():
            algorithm = next(each for cls, each in by_key.items() if isinstance(key, cls))
            entries.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig"})
        data = {"keys": entries}
        if self.jwk_set_cache is not None:
            self.jwk_set_cache.put(data)
        return data


def test_a_published_key_is_found_by_its_id_and_fetched_once() -> None:
    published = Published(one=RSA_KEY, two=EC_KEY)
    keys = PublicKeys(published, fail_if_told)
    for _ in range(3):
        assert verify(token(RSA_KEY, "RS256", {"kid": "one"}), keys, PUBLIC_RULES)[0].user_id == 123
        assert verify(token(EC_KEY, "ES256", {"kid": "two"}), keys, PUBLIC_RULES)[0].user_id == 123
    assert published.fetched == 1


def test_a_rotated_key_is_found_and_the_one_it_replaces_is_forgotten() -> None:
    clock = [0.0]
    published = Published(old=RSA_KEY)
    keys = PublicKeys(published, fail_if_told, clock=lambda: clock[0])
    new_key = rsa.generate_private_key(65537, 2048)
    verify(token(RSA_KEY, "RS256", {"kid": "old"}), keys, PUBLIC_RULES)
    published.keys = {"new": new_key}
    clock[0] += RETRY_SECONDS + 1
    assert verify(token(new_key, "RS256", {"kid": "new"}), keys, PUBLIC_RULES)[0].user_id == 123
    with pytest.raises(Unauthenticated):
        verify(token(RSA_KEY, "RS256", {"kid": "new"}), keys, PUBLIC_RULES)


@pytest.mark.parametrize("header", [{}, {"kid": "no-such"}, {"kid": "two"}])
def test_a_token_without_its_own_key_is_refused(header: dict[str, str]) -> None:
    keys = PublicKeys(Published(one=RSA_KEY, two=EC_KEY), fail_if_told)
    with pytest.raises(Unauthenticated):
        verify(token(RSA_KEY, "RS256", header), keys, PUBLIC_RULES)


def test_forged_key_ids_do_not_make_a_request_each() -> None:
    published = Published(one=RSA_KEY)
    keys = PublicKeys(published, fail_if_told)
    for n in range(20):
        with pytest.raises(Unauthenticated):
            verify(token(RSA_KEY, "RS256", {"kid": f"forged-{n}"}), keys, PUBLIC_RULES)
    assert published.fetched == 1


def test_an_unreachable_key_set_is_no_refusal() -> None:
    published = Published()
    published.is_down = True
    with pytest.raises(Unavailable):
        verify(token(RSA_KEY, "RS256", {"kid": "one"}), PublicKeys(published, fail_if_told), PUBLIC_RULES)


def test_a_key_set_that_cannot_be_fetched_anew_is_used_as_it_was_and_said_to_be_stale() -> None:
    clock, told = [0.0], list[str]()
    published = Published(one=RSA_KEY)
    keys = PublicKeys(published, told.append, clock=lambda: clock[0])
    given = token(RSA_KEY, "RS256", {"kid": "one"})
    verify(given, keys, PUBLIC_RULES)
    published.is_down = True
    clock[0] += KEPT_SECONDS + 1
    for _ in range(3):
        assert verify(given, keys, PUBLIC_RULES)[0].user_id == 123
    assert (published.fetched, len(told)) == (2, 1)
    with pytest.raises(Unauthenticated):
        verify(token(RSA_KEY, "RS256", {"kid": "two"}), keys, PUBLIC_RULES)


def test_stale_keys_are_counted_as_a_metric() -> None:
    class Stored:
        secretsmanager = Secrets(SECRET, DOWN)

    class Context:
        aws_request_id, function_name = "request", "stack-authorizer"

    lines: list[str] = []
    clock = Clock(1_000_000)
    settings = AuthorizerSettings(table_name="webhooks", log_level="ERROR", jwt_secret_arn="arn")
    handler = build(settings, cast("Any", Stored()), Logger(), Runtime(now_ms=clock.now_ms, write=lines.append))
    event = {"type": "REQUEST", "methodArn": ARN, "headers": {"Authorization": f"Bearer {token()}"}}
    handler(event, cast("Any", Context()))
    assert lines == []
    clock.sleep(KEPT_SECONDS + 1)
    assert handler(event, cast("Any", Context()))["principalId"] == "123"
    (line,) = map(json.loads, lines)
    assert (line["message"], line["stale_keys"], line["function"]) == ("keys are stale", 1, "stack-authorizer")
    assert line["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "stale_keys", "Unit": "Count"}]


@pytest.mark.parametrize("revoked", ["prometheus-1", "token-7"])
def test_a_revoked_token_is_refused_by_its_name_or_its_bearers(revoked: str) -> None:
    rules = TokenRules(RULES.algorithms, RULES.issuer, RULES.audience, frozenset({revoked}))
    given = token(sub="prometheus-1", jti="token-7", scope="metrics:read")
    assert verify(given, Fixed(SECRET), RULES)[0].scopes == {"metrics:read"}
    with pytest.raises(Unauthenticated, match="revoked"):
        verify(given, Fixed(SECRET), rules)
    assert verify(token(sub="prometheus-2", jti="token-8"), Fixed(SECRET), rules)[0].user_id == "prometheus-2"


def test_an_api_key_names_its_maker_and_asks_only_then_for_the_table() -> None:
    key_id, key = new_key(1)
    made = ApiKey(key_id, 123, "n", ("events:write",), ("77",), digest(key), 1, 61_000)
    asked: list[str] = []

    class Keys:
        def get(self, key_id: str) -> ApiKey | None:
            asked.append(key_id)
            return made if key_id == made.key_id else None

    now = [1_000]
    authorization = Authorization(Fixed(SECRET), RULES, True, Keys, lambda: now[0])

    def policy(**headers: str) -> dict[str, Any]:
        return authorization.policy({"type": "REQUEST", "methodArn": ARN, "headers": headers})

    policy(Authorization=f"Bearer {token()}")
    assert asked == []
    answer = policy(authorization=f"bearer  {key} ")
    assert asked == [key_id]
    assert key not in json.dumps(answer)
    assert answer["context"]["expires_at"] == "61"
    caller = from_context(answer["context"], 60)
    assert caller == Caller(123, frozenset({"77"}), frozenset({"events:write"}), key_id)
    for bad in (key[:-1], new_key(1)[1], "pyak_"):
        with pytest.raises(Unauthenticated):
            policy(**{"Authorization": f"Bearer {bad}", "X-User-ID": "1"})
    now[0] = 61_000
    with pytest.raises(Unauthenticated, match="expired"):
        policy(Authorization=f"Bearer {key}")
