"""Each function's environment, validated once at start and frozen.

Variables are the upper-case field names; docs/configuration.md says what each means. Read by hand: pydantic takes 80 ms
of a cold start, and most functions need it for nothing else.
"""

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from webhooks.event_types import DEFAULT_EVENT_TYPES

CommaSeparated = tuple[str, ...]

_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class WrongSettings(ValueError):
    """Names each variable that is missing or wrong, a line for each."""


def _from(least: float, most: float = math.inf, *, default: Any) -> Any:  # noqa: ANN401 - as dataclasses.field has it
    """A number from `least` to `most`."""
    return dataclasses.field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every function has."""

    stage: str = "local"
    log_level: str = "INFO"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Raises WrongSettings. A variable that is empty counts as none."""
        read: dict[str, object] = {}
        faults: list[str] = []
        for field in dataclasses.fields(cls):
            name = field.name.upper()
            value = environ.get(name)
            try:
                if value:
                    read[field.name] = _read(field, value)
                elif field.default is dataclasses.MISSING:
                    raise ValueError("is missing")
            except ValueError as exc:
                faults.append(f"{name} {exc}")
        if faults:
            raise WrongSettings("\n".join(faults))
        return cls(**read)  # pyright: ignore[reportArgumentType]


def _read(field: "dataclasses.Field[Any]", value: str) -> object:
    """The variable's value by the type of its field. Raises ValueError with what it must be."""
    kind = field.type
    if kind is bool:
        if value.lower() not in _TRUTH:
            raise ValueError(f"is true or false, not {value!r}")
        return _TRUTH[value.lower()]
    if kind is int or kind is float:
        return _number(kind, value, field.metadata.get("least", -math.inf), field.metadata.get("most", math.inf))
    if kind == CommaSeparated:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if typing.get_origin(kind) is Literal and value not in typing.get_args(kind):
        raise ValueError(f"is one of {', '.join(typing.get_args(kind))}, not {value!r}")
    return value


def _number(kind: Callable[[str], float], value: str, least: float, most: float) -> float:
    wanted = f"is {'an integer' if kind is int else 'a number'}"
    try:
        number = kind(value)
    except ValueError:
        raise ValueError(f"{wanted}, not {value!r}") from None
    if not least <= number <= most:
        raise ValueError(
            f"{wanted} {f'of at least {least}' if most == math.inf else f'from {least} to {most}'}, not {value}"
        )
    return number


@dataclass(frozen=True, kw_only=True)
class EgressSettings(Settings):
    """Where deliveries may go. `egress_allow_http` and `egress_allowed_networks` are for the local stage alone."""

    egress_ports: str = "443,8443"
    own_hosts: CommaSeparated = ()
    egress_allow_http: bool = False
    egress_allowed_networks: CommaSeparated = ()
    egress_dns64_prefixes: CommaSeparated = ()


@dataclass(frozen=True, kw_only=True)
class RetentionSettings(Settings):
    """How long finished things are kept."""

    retention_days: int = _from(1, 3650, default=30)

    @property
    def retention_ms(self) -> int:
        """The same in milliseconds."""
        return self.retention_days * 86_400_000


@dataclass(frozen=True, kw_only=True)
class IngestSettings(RetentionSettings):
    """functions/ingest"""

    table_name: str
    ingest_queue_url: str
    ingest_dead_letter_queue_url: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    event_types: CommaSeparated = DEFAULT_EVENT_TYPES
    event_source: str = "pyairtable"
    list_events: bool = False
    event_days: int = _from(0, 3650, default=0)

    @property
    def event_ms(self) -> int:
        """How long an event is kept that does not say it itself, in milliseconds."""
        return min(self.event_days or self.retention_days, self.retention_days) * 86_400_000


@dataclass(frozen=True, kw_only=True)
class SenderSettings(EgressSettings, RetentionSettings):
    """functions/sender"""

    table_name: str
    delivery_queue_url: str
    dead_letter_queue_url: str
    data_key_id: str
    header_prefix: str = "X-PyAirtable"
    user_agent: str = "PyAirtable-Webhooks/1.0"
    max_wait_days: int = _from(1, 365, default=14)
    keep_success_answers: bool = True
    retry_base_seconds: float = _from(0.001, 3600, default=5)
    slow_attempts_per_tenant: int = _from(1, default=25)
    host_requests_per_second: int = _from(0, default=400)
    sender_maximum_concurrency: int = _from(1, default=100)
    static_egress: bool = False
    metrics_function: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReplaySettings(RetentionSettings):
    """functions/replay"""

    table_name: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    jobs_queue_url: str
    event_bus_name: str
    event_source: str = "pyairtable"


@dataclass(frozen=True, kw_only=True)
class ReleaseSettings(RetentionSettings):
    """functions/release"""

    table_name: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    slow_attempts_per_tenant: int = _from(1, default=25)
    host_requests_per_second: int = _from(0, default=400)


@dataclass(frozen=True, kw_only=True)
class RollupSettings(RetentionSettings):
    """functions/rollup"""

    table_name: str
    event_bus_name: str
    event_source: str = "pyairtable"


@dataclass(frozen=True, kw_only=True)
class ApiSettings(EgressSettings, RetentionSettings):
    """functions/api"""

    table_name: str
    ingest_queue_url: str
    delivery_queue_url: str
    static_delivery_queue_url: str | None = None
    dead_letter_queue_url: str
    jobs_queue_url: str
    ingest_dead_letter_queue_url: str | None = None
    jobs_dead_letter_queue_url: str | None = None
    rule_target_dead_letter_queue_url: str | None = None
    stream_failures_queue_url: str | None = None
    api_name: str | None = None  # API Gateway's, in CloudWatch
    sender_function_name: str
    static_sender_function_name: str | None = None
    static_egress_addresses: CommaSeparated = ()
    data_key_id: str
    event_types: CommaSeparated = DEFAULT_EVENT_TYPES
    header_prefix: str = "X-PyAirtable"
    user_agent: str = "PyAirtable-Webhooks/1.0"
    auth_mode: Literal["jwt", "header"] = "jwt"
    cors_allowed_origins: CommaSeparated = ("*",)
    tenant_rate_limit: float = _from(0, default=100)
    max_webhooks_per_tenant: int = _from(1, default=1000)
    max_tests_per_tenant: int = _from(1, default=5)
    max_tests: int = _from(1, default=50)
    max_polls_per_tenant: int = _from(0, default=5)
    max_polls: int = _from(0, default=50)
    max_replays_per_tenant: int = _from(1, default=20)
    max_filter_kilobytes_per_scope: int = _from(1, default=1024)
    max_filter_searches_per_scope: int = _from(0, default=500)
    audit_days: int = _from(1, 3650, default=365)
    list_events: bool = False

    @property
    def audit_ms(self) -> int:
        """How long entries of the audit log are kept, in milliseconds."""
        return self.audit_days * 86_400_000


@dataclass(frozen=True, kw_only=True)
class DashboardSettings(Settings):
    """functions/dashboard. Origins in `dashboard_frame_ancestors` may embed the pages."""

    auth_mode: Literal["jwt", "header"] = "jwt"
    dashboard_frame_ancestors: CommaSeparated = ()
    static_egress: bool = False
    list_events: bool = False


@dataclass(frozen=True, kw_only=True)
class AuthorizerSettings(Settings):
    """functions/authorizer"""

    table_name: str
    auth_mode: Literal["jwt", "header"] = "jwt"
    jwt_secret_arn: str | None = None
    jwt_algorithms: CommaSeparated = ("HS256",)
    jwt_revoked: CommaSeparated = ()
    jwt_issuer: str = "pyairtable"
    jwt_audience: str = "pyairtable-webhooks"
    jwt_jwks_url: str | None = None
