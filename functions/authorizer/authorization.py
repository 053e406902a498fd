"""Who calls: API Gateway's question, and the policy that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from webhooks.access.callers import platform_id, to_context
from webhooks.access.tokens import KeySource, TokenRules, verify
from webhooks.errors import Unauthenticated
from webhooks.models.caller import Caller, Scope

# What a caller named by a trusted header may do.
HEADER_SCOPES: frozenset[Scope] = frozenset({"webhooks", "events:write", "metrics:read"})


@dataclass(frozen=True, slots=True)
class Authorization:
    """Reads the caller out of a request's headers. `trusts_headers`: X-User-ID counts where no token is sent."""

    keys: KeySource
    rules: TokenRules
    trusts_headers: bool

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
        """The caller, and when its token expires. A token wins over trusted headers, even one that is not valid."""
        authorization = headers.get("authorization")
        if isinstance(authorization, str) and authorization.strip():
            scheme, _, token = authorization.strip().partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("the scheme of Authorization is Bearer")
            return verify(token.strip(), self.keys, self.rules)
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
