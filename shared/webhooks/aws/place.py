"""Where AWS is, and who we are there, as the environment of a Lambda function says it.

botocore finds out the same and much more, which takes 100 ms of a cold start. Where the environment says anything that
only botocore understands there is no answer here, and botocore is asked.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

# What else botocore heeds in an environment: proxies, profiles, other endpoints, credentials that end.
_BOTOCORES = (
    "HTTPS_PROXY", "https_proxy", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)  # fmt: skip
# Of the partitions aws, aws-us-gov and aws-cn: their endpoints differ in the suffix alone.
_REGION = re.compile(r"(?:us|us-gov|ca|mx|sa|eu|af|il|me|ap|(cn))-[a-z]+-\d+")


class Credentials(NamedTuple):
    """A role's, with the names that botocore's have."""

    access_key: str
    secret_key: str
    token: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A service's endpoint, its region, and whose calls it takes: `credentials` gives what has the names above."""

    endpoint_url: str
    region: str
    credentials: Callable[[], Any]


def place_of(service: str, environ: Mapping[str, str]) -> Place | None:
    """Where a service (`dynamodb`) is; None where only botocore can tell."""
    region = environ.get("AWS_DEFAULT_REGION", "")
    is_known = _REGION.fullmatch(region)
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not is_known or not key or not secret or any(map(environ.get, _BOTOCORES)):
        return None
    url = environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environ.get("AWS_ENDPOINT_URL")
    suffix = "amazonaws.com.cn" if is_known[1] else "amazonaws.com"
    credentials = Credentials(key, secret, environ.get("AWS_SESSION_TOKEN") or None)
    return Place(url or f"https://{service}.{region}.{suffix}", region, lambda: credentials)
