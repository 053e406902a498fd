"""The authorizer put together: where its keys come from, and what a request for a policy goes through."""

from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from authorization import Authorization
from keys import PublicKeys, SharedSecret
from webhooks.access.tokens import KeySource, TokenRules
from webhooks.aws.clients import Clients
from webhooks.batch_log import AUTHORIZER, BatchLog, Context, Handler
from webhooks.errors import Unauthenticated
from webhooks.runtime import MACHINE, Runtime
from webhooks.settings import AuthorizerSettings
from webhooks.store.api_keys import ApiKeyReader
from webhooks.store.dynamo import DynamoTable


def build(settings: AuthorizerSettings, clients: Clients, logger: Logger, runtime: Runtime = MACHINE) -> Handler:
    """The handler. Raises ValueError for HS256 without a secret."""
    revoked = frozenset(settings.jwt_revoked)
    rules = TokenRules(settings.jwt_algorithms, settings.jwt_issuer, settings.jwt_audience, revoked)
    trusts_headers = settings.auth_mode == "header"
    stale: list[str] = []
    keys = _key_source(settings, clients, rules, stale.append, lambda: runtime.now_ms() / 1000)
    api_keys = cache(lambda: ApiKeyReader(DynamoTable(clients.hot_dynamodb, settings.table_name)))
    authorization = Authorization(keys, rules, trusts_headers, api_keys, runtime.now_ms)
    log = BatchLog(AUTHORIZER, now_ms=runtime.now_ms, write=runtime.write)

    def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
        """A policy for the caller; API Gateway makes a 401 of the exception "Unauthorized" and of no other."""
        try:
            return authorization.policy(event)
        except Unauthenticated as exc:
            logger.info("refused", extra={"reason": str(exc)})
            raise Exception("Unauthorized") from None
        finally:
            while stale:
                log.line("keys are stale", context, stale_keys=1, reason=stale.pop())

    return handler


def _key_source(
    settings: AuthorizerSettings,
    clients: Clients,
    rules: TokenRules,
    stale: Callable[[str], object],
    clock: Callable[[], float],
) -> KeySource:
    """What this deployment's tokens are signed with. `stale` is told when that cannot be fetched anew."""
    if not rules.shares_a_secret:
        return PublicKeys.at(settings.jwt_jwks_url or "", stale, clock=clock)
    if settings.jwt_secret_arn is None:
        raise ValueError("JWT_SECRET_ARN is needed for HS256")
    return SharedSecret(clients.secretsmanager, settings.jwt_secret_arn, stale, clock=clock)
