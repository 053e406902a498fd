"""Who calls: API Gateway's question, and the policy that answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from webhooks.access import api_keys
from webhooks.access.api_keys import KeyReader
from webhooks.access.callers import platform_id, to_context
from webhooks.access.tokens import KeySource, TokenRules, verify
from webhooks.errors import Unauthenticated
from webhooks.models.caller import Caller, Scope

# What a caller named by a trusted header may do.
HEADER_SCOPES: frozenset[Scope] = frozenset({"webhooks", "events:write", "metrics:read", "api-keys"})


@dataclass(frozen=True, slots=True)
class Authorization:
    """Reads the caller out of a request's headers. `trusts_headers`: X-User-ID counts where no token is sent.

    `api_keys` is asked only for who comes with one, so that nobody else waits for what it takes.
    """

    keys: KeySource
    rules: TokenRules
    trusts_headers: bool
    api_keys: Callable[[], KeyReader]
    now_ms: Callable[[], int]

    def policy(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The policy for a REQUEST authorizer's event. Raises Unauthenticated, Unavailable."""
        headers = cast("dict[str, object]", event.get("headers") or {})
        caller, expires_at = self.caller({name.lower(): value for name, value in headers.items()})
        return {
            "principalId": caller.owner,
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": whole_stage(event["methodArn"])}
                ],
            },
            "context": to_context(caller, expires_at),
        }

    def caller(self, headers: Mapping[str, object]) -> tuple[Caller, int | None]:
        """The caller, and when its token or key expires. Either wins over trusted headers, even if it is not valid."""
        authorization = headers.get("authorization")
        if isinstance(authorization, str) and authorization.strip():
            scheme, _, token = authorization.strip().partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("the scheme of Authorization is Bearer")
            token = token.strip()
            if token.startswith(api_keys.PREFIX):
                key = api_keys.verify(token, self.api_keys(), self.now_ms())
                return key.caller, key.expires_at_ms // 1000
            return verify(token, self.keys, self.rules)
        user_id = headers.get("x-user-id")
        if not self.trusts_headers or not isinstance(user_id, str):
            raise Unauthenticated("there is no token")
        workspace_ids = cast("str", headers.get("x-workspace-id") or "").split(",")
        stripped = frozenset(each.strip() for each in workspace_ids) - {""}
        return Caller(platform_id(user_id.strip()), stripped, frozenset(HEADER_SCOPES)), None


def whole_stage(method_arn: str) -> str:
    """All routes of the stage: the answer is cached by the token alone and used for every route.

    arn:aws:execute-api:region:account:api/stage/METHOD/path -> arn:aws:execute-api:region:account:api/stage/*
    """
    return "/".join(method_arn.split("/")[:2]) + "/*"
