"""JSON Web Tokens: what the service accepts, and how the platform makes them.

Claims: `sub` (the user), `exp`, `iss`, `aud` are required; `scope` is a space-separated string, `workspace_ids` a list.
One algorithm family per deployment, so that a public key can never pass for a shared secret (RFC 8725, section 3.1).
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import jwt

from webhooks.access.callers import LEEWAY_SECONDS, platform_id
from webhooks.errors import Unauthenticated
from webhooks.models.caller import Caller

MIN_SECRET_BYTES = 32  # RFC 7518, section 3.2: a key of at least the hash's size
MAX_TOKEN_CHARACTERS = 8_192
SHARED_SECRET = frozenset({"HS256"})
PUBLIC_KEY = frozenset({"RS256", "ES256"})
_REQUIRED = ["exp", "iss", "aud", "sub"]


class KeySource(Protocol):
    """Finds the key that a token must be signed with."""

    def key_for(self, token: str) -> Any:  # noqa: ANN401 (a secret, or one of pyjwt's key types)
        """The key. Raises Unauthenticated when none belongs to the token, Unavailable when it cannot be fetched now."""
        ...


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What makes a token acceptable. Raises ValueError for algorithms of more than one family.

    `revoked` are the `jti` or the `sub` of tokens that are refused even before they expire.
    """

    algorithms: tuple[str, ...]
    issuer: str
    audience: str
    revoked: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        named = set(self.algorithms)
        if not named or not (named <= SHARED_SECRET or named <= PUBLIC_KEY):
            raise ValueError("JWT_ALGORITHMS is HS256, or RS256 and ES256: one family, and no other algorithm")

    @property
    def shares_a_secret(self) -> bool:
        """Whether tokens are signed with a secret that the service has too."""
        return set(self.algorithms) <= SHARED_SECRET


def verify(token: str, keys: KeySource, rules: TokenRules) -> tuple[Caller, int]:
    """The caller that a token vouches for, and when it expires (Unix seconds).

    Raises Unauthenticated for a token that is damaged, expired, not yet valid, from or for somebody else, or not signed
    as `rules` demand; Unavailable when the key could not be fetched.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise Unauthenticated("the token is too long")
    if not token.isascii():  # RFC 7515, section 3.1; a lone surrogate could not even be encoded
        raise Unauthenticated("the token has characters that no token has")
    try:
        if jwt.get_unverified_header(token).get("alg") not in rules.algorithms:
            raise Unauthenticated("the token is signed with another algorithm")
        claims = cast(
            "dict[str, object]",
            jwt.decode(
                token,
                keys.key_for(token),
                algorithms=list(rules.algorithms),
                issuer=rules.issuer,
                audience=rules.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            ),
        )
    except jwt.PyJWTError as exc:
        raise Unauthenticated(f"the token is not valid: {exc}") from exc
    if not rules.revoked.isdisjoint(str(claims.get(name)) for name in ("jti", "sub")):
        raise Unauthenticated("the token is revoked")
    return _caller(claims), int(cast("float", claims["exp"]))


def mint(
    secret: str,
    user_id: str | int,
    scopes: Iterable[str],
    workspace_ids: Sequence[str | int] = (),
    ttl_seconds: int = 3600,
    *,
    issuer: str = "pyairtable",
    audience: str = "pyairtable-webhooks",
    now: float | None = None,
) -> str:
    """A token signed with the shared secret, good for `ttl_seconds` from `now` (Unix seconds; None: the present)."""
    issued_at = int(time.time() if now is None else now)
    claims = {
        "sub": str(user_id),
        "iss": issuer,
        "aud": audience,
        "iat": issued_at,
        "exp": issued_at + ttl_seconds,
        "scope": " ".join(scopes),
        "workspace_ids": list(workspace_ids),
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def check_shared_secret(secret: str) -> str:
    """The secret, unchanged. Raises ValueError for one that could be guessed."""
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"the JWT secret needs at least {MIN_SECRET_BYTES} bytes")
    return secret


def _caller(claims: dict[str, object]) -> Caller:
    scope = claims.get("scope", "")
    workspace_ids = claims.get("workspace_ids", [])
    if not isinstance(scope, str):
        raise Unauthenticated("the claim scope must be a string of scopes with spaces between them")
    if not isinstance(workspace_ids, list) or not all(
        isinstance(each, str | int) for each in cast("list[object]", workspace_ids)
    ):
        raise Unauthenticated("the claim workspace_ids must be a list of strings or integers")
    if not all(_is_text(str(each)) for each in (scope, *cast("list[object]", workspace_ids))):
        raise Unauthenticated("the claims scope and workspace_ids must be text without lone surrogates")
    return Caller(
        platform_id(str(claims["sub"])),
        frozenset(str(each) for each in cast("list[str | int]", workspace_ids)),
        frozenset(scope.split()),
    )


def _is_text(value: str) -> bool:
    """Whether it can be encoded: JSON's escapes can also write halves of a character."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
