"""boto3 clients as every function makes them, once and at its start."""

from typing import Any, cast

import boto3
from botocore.config import Config

_CONFIG = Config(
    # What we send is built from typed code; checking it again costs a third of a call's CPU.
    parameter_validation=False,
    connect_timeout=2,
    read_timeout=10,
    tcp_keepalive=True,
    # Named by us, or botocore would put its own name together anew from 20 parts at each call.
    user_agent="pyairtable-webhooks/1.0",
    retries={"mode": "standard", "total_max_attempts": 4},
)


def client(service: str, **changes: Any) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """A client of one AWS service; `changes` to the configuration, such as a longer read_timeout."""
    return cast("Any", boto3).client(service, config=_CONFIG.merge(Config(**changes)))


def credentials() -> Any:  # noqa: ANN401
    """What those clients sign with; None where there is nothing. Ask after the first client was made."""
    return cast("Any", boto3).DEFAULT_SESSION.get_credentials()
