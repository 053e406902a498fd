"""Everything this package raises on purpose.

WebhooksError
├── BadInput                the caller must change something (HTTP 4xx)
│   ├── Invalid             a field is wrong: carries `field_errors`
│   │   ├── InvalidFilter
│   │   ├── InvalidSecret
│   │   ├── InvalidHeaders
│   │   ├── InvalidCursor
│   │   └── RefusedDestination    a URL or address we never send to: carries `code`
│   ├── Unauthenticated     no caller, or a token that has expired (401)
│   ├── NotAllowed          known caller, but not for this (403)
│   ├── NotFound            missing, or another tenant's (404)
│   ├── Conflict            the state does not allow it (409)
│   ├── VersionConflict     If-Match did not hold (412)
│   ├── TooLarge            (413)
│   └── TooManyRequests     the tenant's limit is used up: carries `retry_after_seconds` (429)
├── PoisonMessage           a queue message that no retry can make readable
├── Undecryptable           a sealed secret that is damaged, or was sealed for something else
└── Unavailable             AWS failed for now: ours to retry (HTTP 503)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `field` is a dotted path into the input, `message` says what would be right, and `code` is
    stable, for programs."""

    field: str
    message: str
    code: str = "invalid"


class WebhooksError(Exception):
    """Base of every error raised on purpose. `str()` is safe to show to the caller."""


class BadInput(WebhooksError):
    """The caller sent something that cannot be done as asked."""


class Invalid(BadInput):
    """One or more fields are wrong."""

    def __init__(self, message: str, field_errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.field_errors = tuple(field_errors)

    @classmethod
    def at(cls, field: str, message: str, code: str = "invalid") -> "Invalid":
        """The common case of a single wrong field."""
        return cls.of([FieldError(field, message, code)])

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "Invalid":
        """For these wrong fields: the first is told in the message."""
        return cls(f"{errors[0].field}: {errors[0].message}", errors)


class InvalidFilter(Invalid):
    """A subscription's filter cannot be compiled."""


class InvalidSecret(Invalid):
    """A signing secret is too short, too long or holds characters that a header cannot carry."""


class InvalidHeaders(Invalid):
    """A webhook's own headers hold a name or a value that may not be sent."""


class InvalidCursor(Invalid):
    """A paging cursor is damaged, or belongs to another caller or list."""


class RefusedDestination(Invalid):
    """A URL or a resolved address that deliveries never go to.

    `code` is stable: scheme, host, port, userinfo, chars, ip, name, dns, loop.
    `detail` is exact (it may hold what a name resolved to) and for our own logs only.
    """

    def __init__(self, code: str, message: str, detail: str = "") -> None:
        super().__init__(message, [FieldError("url", message, f"url_{code}")])
        self.code = code
        self.detail = detail or message


class Faults:
    """Gathers what is wrong in `with` blocks, so that one wrong field does not hide the others."""

    def __init__(self) -> None:
        self._found: list[Invalid] = []

    def __enter__(self) -> None:
        """One check follows."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        """Keep an Invalid, and go on."""
        if isinstance(error, Invalid):
            self._found.append(error)
        return isinstance(error, Invalid)

    def tell(self) -> None:
        """Raises Invalid for all that was found; one alone as it was."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise Invalid.of([each for error in self._found for each in error.field_errors])


class Unauthenticated(BadInput):
    """There is no caller, or the caller's token has expired."""


class NotAllowed(BadInput):
    """The caller is known but may not do this."""


class NotFound(BadInput):
    """It does not exist, or it is another tenant's: the two look alike."""


class Conflict(BadInput):
    """The present state does not allow it. `field_errors` say which parts of the input it is about."""

    def __init__(self, message: str, field_errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.field_errors = tuple(field_errors)


class VersionConflict(BadInput):
    """Somebody changed it since the version named in If-Match."""


class TooLarge(BadInput):
    """More bytes than the service takes."""


class TooManyRequests(BadInput):
    """A tenant has made as many requests as it may for now."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PoisonMessage(WebhooksError):
    """A queue message that will not become readable by receiving it again."""


class Undecryptable(WebhooksError):
    """A sealed secret does not open: it is damaged, or was sealed for another webhook, tenant or version."""


class Unavailable(WebhooksError):
    """A dependency did not do its part now; trying again is right and harmless."""
