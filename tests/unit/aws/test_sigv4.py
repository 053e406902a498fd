"""Our signatures beside botocore's."""

import datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from webhooks.aws.sigv4 import Signer

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
HOSTS = st.sampled_from(("dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:4566", "localhost"))
NEXT_CENTURY = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC).timestamp()


@given(
    service=st.sampled_from(("dynamodb", "sqs")), region=st.sampled_from(("eu-west-1", "us-gov-east-1")), host=HOSTS,
    target=TEXT, body=st.binary(max_size=300), key=TEXT, secret=TEXT, token=st.none() | TEXT,
    now=st.floats(0, NEXT_CENTURY),
)  # fmt: skip
def test_they_are_botocores(
    service: str, region: str, host: str, target: str, body: bytes, key: str, secret: str, token: str | None, now: float
) -> None:
    credentials = Credentials(key, secret, token)
    ours = Signer(service, region, host).headers(target, body, credentials, now)
    unsigned = {name: value for name, value in ours.items() if name not in ("authorization", "host")}
    request = AWSRequest("POST", f"https://{host}/", unsigned, body)
    request.context["timestamp"] = ours["x-amz-date"]
    auth = SigV4Auth(credentials, service, region)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    assert ours["authorization"] == (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={names}, Signature={signature}"
    )
    assert ours.get("x-amz-security-token") == token
