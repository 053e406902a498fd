"""The authorizer put together: where its keys come from, and what a request for a policy goes through."""

from typing import Any

from aws_lambda_powertools import Logger

from authorization import Authorization
from keys import PublicKeys, SharedSecret
from webhooks.access.tokens import KeySource, TokenRules
from webhooks.aws.clients import Clients
from webhooks.batch_log import Context, Handler
from webhooks.errors import Unauthenticated
from webhooks.settings import AuthorizerSettings


def build(settings: AuthorizerSettings, clients: Clients, logger: Logger) -> Handler:
    """The handler. Raises ValueError for HS256 without a secret."""
    revoked = frozenset(settings.jwt_revoked)
    rules = TokenRules(settings.jwt_algorithms, settings.jwt_issuer, settings.jwt_audience, revoked)
    trusts_headers = settings.auth_mode == "header"
    authorization = Authorization(_key_source(settings, clients, rules), rules, trusts_headers=trusts_headers)

    def handler(event: dict[str, Any], _context: Context) -> dict[str, Any]:
        """A policy for the caller; API Gateway makes a 401 of the exception "Unauthorized" and of no other."""
        try:
            return authorization.policy(event)
        except Unauthenticated as exc:
            logger.info("refused", extra={"reason": str(exc)})
            raise Exception("Unauthorized") from None

    return handler


def _key_source(settings: AuthorizerSettings, clients: Clients, rules: TokenRules) -> KeySource:
    """What this deployment's tokens are signed with."""
    if not rules.shares_a_secret:
        return PublicKeys.at(settings.jwt_jwks_url or "")
    if settings.jwt_secret_arn is None:
        raise ValueError("JWT_SECRET_ARN is needed for HS256")
    return SharedSecret(clients.secretsmanager, settings.jwt_secret_arn)
