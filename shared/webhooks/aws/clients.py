"""AWS clients as every function makes them, and a function's own set of them.

They are botocore's: boto3 makes the same ones, and imports S3's transfers for it. botocore itself is imported with the
first client that is needed: the hot path's calls are made without it, and it was half of most functions' init.
"""

import os
import threading
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

from webhooks.aws.direct import DirectDynamoDB, DirectKms, DirectSecretsManager, DirectSqs, SignedPost
from webhooks.aws.place import Place, place_of

_CONFIG: Mapping[str, Any] = {
    # What we send is built from typed code; checking it again costs a third of a call's CPU.
    "parameter_validation": False,
    # A call to a service that does not answer ends after 10 s, repeats included: a function has 60 for several of them.
    "connect_timeout": 1,
    "read_timeout": 4,
    "tcp_keepalive": True,
    # Named by us, or botocore would put its own name together anew from 20 parts at each call.
    "user_agent": "pyairtable-webhooks/1.0",
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
# A test delivery takes up to 20 s, and repeating one would send it twice.
_TEST_DELIVERY: Mapping[str, Any] = {"read_timeout": 25, "retries": {"total_max_attempts": 1}}
# Prometheus waits for ten seconds, and the authorizer may run as long; both go on with what they have.
_SOON: Mapping[str, Any] = {"connect_timeout": 1, "read_timeout": 3, "retries": {"total_max_attempts": 1}}

_MAKING = threading.Lock()  # botocore's session serves one thread at a time


@cache
def session() -> Any:  # noqa: ANN401 - botocore makes its classes at run time
    """The process's own: its credentials and descriptions are read once."""
    from botocore.session import get_session

    return get_session()


def client(service: str, changes: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
    """A client of one AWS service, with `changes` to our configuration."""
    from botocore.config import Config

    with _MAKING:
        return session().create_client(service, config=Config(**_CONFIG).merge(Config(**(changes or {}))))


def direct(
    kind: type[DirectDynamoDB | DirectSqs | DirectKms | DirectSecretsManager], make_client: Callable[[], Any]
) -> Any:  # noqa: ANN401
    """A client whose hot calls are made directly, where that comes to the same; what `make_client` makes elsewhere."""
    place = place_of(kind.SERVICE, os.environ)
    if place is None:
        made = make_client()
        credentials = session().get_credentials()
        if credentials is None or any(map(os.environ.get, ("HTTPS_PROXY", "https_proxy"))):
            return made
        place = Place(made.meta.endpoint_url, made.meta.region_name, credentials.get_frozen_credentials)
        return kind(lambda: made, SignedPost(kind, place))
    return kind(make_client, SignedPost(kind, place))


class Clients:
    """The clients of one process, each made when it is first asked for: a composition asks early for what every
    invocation needs, so that it is there after the cold start."""

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401
        """The table's service."""
        return client("dynamodb")

    @cached_property
    def hot_dynamodb(self) -> Any:  # noqa: ANN401
        """The same, with the hot path's calls made directly."""
        return direct(DirectDynamoDB, lambda: self.dynamodb)

    @cached_property
    def hot_sqs(self) -> Any:  # noqa: ANN401
        """The queues' service, with the hot path's two calls made directly."""
        return direct(DirectSqs, lambda: client("sqs"))

    @cached_property
    def kms(self) -> Any:  # noqa: ANN401
        """The data key's service, which every process asks once to open it: directly."""
        return direct(DirectKms, lambda: client("kms"))

    @cached_property
    def events(self) -> Any:  # noqa: ANN401
        """The bus's service."""
        return client("events")

    @cached_property
    def cloudwatch(self) -> Any:  # noqa: ANN401
        """The service that knows the ages of queues."""
        return client("cloudwatch", _SOON)

    @cached_property
    def sender(self) -> Any:  # noqa: ANN401
        """Lambda's, for test deliveries: waits for one, and makes it once."""
        return client("lambda", _TEST_DELIVERY)

    @cached_property
    def secretsmanager(self) -> Any:  # noqa: ANN401
        """The token secret's service, which is asked for it directly."""
        return direct(DirectSecretsManager, lambda: client("secretsmanager", _SOON))
