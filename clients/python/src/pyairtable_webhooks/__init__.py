"""A typed client of PyAirtable Webhooks, sync and async.

`connect` makes a client. Each operation of the API is a module of `pyairtable_webhooks.api` with `sync` and `asyncio`,
and with `sync_detailed` and `asyncio_detailed`, whose answer has the headers, too. Requests and answers are in
`pyairtable_webhooks.models`.
"""

from .client import AuthenticatedClient, Client
from .connection import Connection, connect
from .paging import every, every_async
from .problems import (
    ApiError,
    BadRequest,
    Conflict,
    FieldProblem,
    Forbidden,
    NotFound,
    ServerError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    ValidationFailed,
    VersionConflict,
)

__all__ = [
    "ApiError",
    "AuthenticatedClient",
    "BadRequest",
    "Client",
    "Conflict",
    "Connection",
    "FieldProblem",
    "Forbidden",
    "NotFound",
    "ServerError",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "ValidationFailed",
    "VersionConflict",
    "connect",
    "every",
    "every_async",
]
