"""The keys that tokens are checked with, fetched once and kept for a while."""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jwt
from botocore.exceptions import BotoCoreError, ClientError

from webhooks.access.tokens import check_shared_secret
from webhooks.errors import Unauthenticated, Unavailable

KEPT_SECONDS = 300  # a rotated secret or key is known after this long at the latest
RETRY_SECONDS = 30  # what cannot be fetched, or is not in the set, is not asked for at every request
STALE_SECONDS = 86_400  # longer than Lambda keeps a process, in general

T = TypeVar("T")
Told = Callable[[str], object]


class _Kept(Generic[T]):
    """What `fetch` gave last. When it cannot be had anew it is given out stale, and `stale` is told the reason."""

    def __init__(self, fetch: Callable[[], T], stale: Told, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._stale = stale
        self._clock = clock
        self._kept: tuple[float, T] | None = None
        self._tried_at = 0.0

    def get(self, at_most_seconds: float = KEPT_SECONDS) -> T:
        """No older than this, if it can be had. Raises Unavailable when it never was, or not for STALE_SECONDS."""
        now = self._clock()
        if self._kept is None or now - max(self._kept[0] + at_most_seconds, self._tried_at + RETRY_SECONDS) > 0:
            self._tried_at = now
            try:
                self._kept = now, self._fetch()
            except Unavailable as exc:
                if self._kept is None or now - self._kept[0] > STALE_SECONDS:
                    self._kept = None
                    raise
                self._stale(str(exc))
        return self._kept[1]


class SharedSecret:
    """The secret in Secrets Manager. `client` is boto3's; `stale` is told why the secret could not be fetched anew."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401
        arn: str,
        stale: Told,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._arn = arn
        self._secret = _Kept(self._fetch, stale, clock)

    def key_for(self, token: str) -> str:
        """The secret, which is the same for every token. Raises Unavailable, also when the secret is too short."""
        return self._secret.get()

    def _fetch(self) -> str:
        try:
            return check_shared_secret(self._client.get_secret_value(SecretId=self._arn)["SecretString"])
        except (ClientError, BotoCoreError, KeyError, ValueError) as exc:
            raise Unavailable(f"the JWT secret cannot be used: {exc}") from exc


class PublicKeys:
    """A published key set (RFC 7517), asked by the key id that a token names. `stale` is told why the set could not be
    fetched anew."""

    def __init__(self, client: jwt.PyJWKClient, stale: Told, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._set = _Kept(self._fetch, stale, clock)

    @classmethod
    def at(cls, url: str, stale: Told, *, clock: Callable[[], float] = time.monotonic) -> "PublicKeys":
        """The set at this URL. Raises ValueError when it could be changed on its way."""
        if not url.startswith("https://"):
            raise ValueError("JWT_JWKS_URL must begin with https://")
        return cls(jwt.PyJWKClient(url, cache_jwk_set=False, timeout=5), stale, clock=clock)

    def key_for(self, token: str) -> Any:  # noqa: ANN401 - one of cryptography's key types, with its algorithm
        """Raises Unauthenticated for an unknown key id, Unavailable when the set cannot be fetched."""
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError as exc:
            raise Unauthenticated(f"no key goes with the token: {exc}") from exc
        found = self._named(key_id, self._set.get()) or self._named(key_id, self._set.get(0))
        if found is None:
            raise Unauthenticated("no key goes with the token: its kid is not in the key set")
        return found

    def _fetch(self) -> list[jwt.PyJWK]:
        try:
            return self._client.get_signing_keys(refresh=True)
        except (jwt.PyJWTError, ValueError, OSError) as exc:
            raise Unavailable(f"the key set cannot be fetched now: {exc}") from exc

    @staticmethod
    def _named(key_id: str | None, keys: list[jwt.PyJWK]) -> jwt.PyJWK | None:
        return next((key for key in keys if key_id is not None and key.key_id == key_id), None)
