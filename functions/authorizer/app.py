"""Lambda: the REQUEST authorizer of the REST API."""

import os
from typing import Any

from aws_lambda_powertools import Logger

from authorization import Authorization
from keys import PublicKeys, SharedSecret
from webhooks.access.tokens import TokenRules
from webhooks.aws.clients import client
from webhooks.errors import Unauthenticated
from webhooks.settings import AuthorizerSettings

settings = AuthorizerSettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
rules = TokenRules(settings.jwt_algorithms, settings.jwt_issuer, settings.jwt_audience, frozenset(settings.jwt_revoked))


def key_source() -> SharedSecret | PublicKeys:
    """What this deployment's tokens are signed with."""
    if not rules.shares_a_secret:
        return PublicKeys.at(settings.jwt_jwks_url or "")
    if settings.jwt_secret_arn is None:
        raise ValueError("JWT_SECRET_ARN is needed for HS256")
    return SharedSecret(client("secretsmanager"), settings.jwt_secret_arn)


authorization = Authorization(key_source(), rules, trusts_headers=settings.auth_mode == "header")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """A policy for the caller; API Gateway makes a 401 of the exception "Unauthorized" and of no other."""
    try:
        return authorization.policy(event)
    except Unauthenticated as exc:
        logger.info("refused", extra={"reason": str(exc)})
        raise Exception("Unauthorized") from None
