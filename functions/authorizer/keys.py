"""The keys that tokens are checked with, fetched once and kept for a while."""

import time
from collections.abc import Callable
from typing import Any

import jwt
from botocore.exceptions import BotoCoreError, ClientError

from webhooks.access.tokens import check_shared_secret
from webhooks.errors import Unauthenticated, Unavailable

KEPT_SECONDS = 300  # a rotated secret or key is known after this long at the latest


class SharedSecret:
    """The secret in Secrets Manager. `client` is boto3's."""

    def __init__(self, client: Any, arn: str, *, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401
        self._client = client
        self._arn = arn
        self._clock = clock
        self._kept: tuple[float, str] | None = None

    def key_for(self, token: str) -> str:
        """The secret, which is the same for every token. Raises Unavailable, also when the secret is too short."""
        now = self._clock()
        if self._kept is None or now - self._kept[0] > KEPT_SECONDS:
            self._kept = now, self._fetch()
        return self._kept[1]

    def _fetch(self) -> str:
        try:
            return check_shared_secret(self._client.get_secret_value(SecretId=self._arn)["SecretString"])
        except (ClientError, BotoCoreError, KeyError, ValueError) as exc:
            raise Unavailable(f"the JWT secret cannot be used: {exc}") from exc


class PublicKeys:
    """A published key set (RFC 7517), asked by the key id that a token names."""

    def __init__(self, client: jwt.PyJWKClient) -> None:
        self._client = client

    @classmethod
    def at(cls, url: str) -> "PublicKeys":
        """The set at this URL. Raises ValueError when it could be changed on its way."""
        if not url.startswith("https://"):
            raise ValueError("JWT_JWKS_URL must begin with https://")
        return cls(jwt.PyJWKClient(url, lifespan=KEPT_SECONDS, timeout=5))

    def key_for(self, token: str) -> Any:  # noqa: ANN401 - one of cryptography's key types, with its algorithm
        """Raises Unauthenticated for an unknown key id, Unavailable when the set cannot be fetched."""
        try:
            return self._client.get_signing_key_from_jwt(token)
        except jwt.exceptions.PyJWKClientConnectionError as exc:
            raise Unavailable("the key set cannot be fetched now") from exc
        except jwt.PyJWTError as exc:
            raise Unauthenticated(f"no key goes with the token: {exc}") from exc
