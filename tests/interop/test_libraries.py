"""Our deliveries are what the libraries of Standard Webhooks and Svix accept, in Python and in Node."""

import base64
import dataclasses
import json
import secrets
import subprocess
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook
from standardwebhooks.webhooks import WebhookVerificationError as StandardError
from svix.webhooks import Webhook as SvixWebhook
from svix.webhooks import WebhookVerificationError as SvixError

from tests.interop.conftest import Deliveries
from tests.support.node import NODE, install
from tests.support.receiver import ReceivedRequest

LIBRARIES = [(StandardWebhook, StandardError), (SvixWebhook, SvixError)]
NAMES = ["standardwebhooks", "svix"]


def headers_of(request: ReceivedRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


def tampered(request: ReceivedRequest) -> ReceivedRequest:
    return dataclasses.replace(request, body=request.body.replace(b'"type"', b'"typo"'))


@pytest.mark.parametrize(("library", "error"), LIBRARIES, ids=NAMES)
def test_python_libraries_accept_what_we_deliver(library: type, error: type[Exception], deliveries: Deliveries) -> None:
    for request in deliveries.before:
        library(deliveries.former).verify(request.body, headers_of(request))
        with pytest.raises(error):
            library(deliveries.former).verify(tampered(request).body, headers_of(request))
        with pytest.raises(error):
            library(deliveries.secret).verify(request.body, headers_of(request))


@pytest.mark.parametrize(("library", "_error"), LIBRARIES, ids=NAMES)
def test_python_libraries_accept_either_secret_while_one_is_rotated(
    library: type, _error: type[Exception], deliveries: Deliveries
) -> None:
    for request in deliveries.during:
        for secret in (deliveries.former, deliveries.secret):
            library(secret).verify(request.body, headers_of(request))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interop")
    source = Path(__file__).parent / "node"
    install(source, folder)
    (folder / "verify.mjs").write_bytes((source / "verify.mjs").read_bytes())
    return folder


def verdicts(node: Path, secret: str, requests: list[ReceivedRequest]) -> list[dict[str, str]]:
    deliveries = [{"headers": headers_of(each), "body": each.body.decode()} for each in requests]
    done = subprocess.run(
        [str(NODE), "verify.mjs"],
        cwd=node,
        input=json.dumps({"secret": secret, "deliveries": deliveries}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_node_libraries_accept_what_we_deliver(node: Path, deliveries: Deliveries) -> None:
    for secret in (deliveries.former, deliveries.secret):
        accepted = verdicts(node, secret, deliveries.during)
        ids = [json.loads(each.body)["id"] for each in deliveries.during]
        assert accepted == [dict.fromkeys(NAMES, each) for each in ids]


def test_node_libraries_refuse_what_is_not_ours(node: Path, deliveries: Deliveries) -> None:
    stranger = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    refused = verdicts(node, deliveries.secret, [tampered(each) for each in deliveries.during])
    refused += verdicts(node, stranger, deliveries.during)
    assert {word.startswith("refused") for each in refused for word in each.values()} == {True}
