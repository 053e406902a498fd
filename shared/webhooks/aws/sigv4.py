"""AWS Signature Version 4 for the one kind of request that the hot path makes: JSON posted to the root of an endpoint.

As "Create a signed AWS API request" in the AWS IAM User Guide has it. botocore's signer can sign any request, and takes
ten times the CPU; a test holds that both sign alike.
"""

import functools
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for a service (`dynamodb`), a region and a host with its port, if that is not the scheme's own."""

    service: str
    region: str
    host: str
    content_type: str = "application/x-amz-json-1.0"

    def headers(self, target: str, body: bytes, credentials: Any, now: float) -> dict[str, str]:  # noqa: ANN401 - botocore's ReadOnlyCredentials
        """All that are signed, and the signature. `now` is in seconds since 1970."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        headers = {"content-type": self.content_type, "host": self.host, "x-amz-date": moment}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        headers["x-amz-target"] = target  # the last: they are signed in alphabetical order
        names = ";".join(headers)
        lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
        request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(_key(credentials.secret_key, scope), text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers


@functools.lru_cache(maxsize=4)  # a day's, for each service
def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
