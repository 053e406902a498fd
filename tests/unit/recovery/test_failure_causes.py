"""Causes: what failed alike has one key, and nothing else has."""

import json
from dataclasses import replace

import pytest

from tests.fakes.owners import url_of
from tests.fakes.world import World, events
from tests.unit.recovery.test_replay import jobs_of, start_job
from webhooks.egress.transport.failures import NO_CERTIFICATE_OF_OURS, OLD_TLS
from webhooks.models.delivery import Attempt
from webhooks.reason_texts import cause_sentence
from webhooks.recovery.failure_causes import cause_of, fingerprint
from webhooks.recovery.replay_source import is_for_reason

FAILED = Attempt(1, 1_000, 50, "failure")


@pytest.mark.parametrize(
    ("reason", "attempt", "detail", "cause"),
    [
        ("attempts_used_up:http_503", {"status_code": 503}, {}, "http_503"),
        ("gone", {"status_code": 410}, {}, "http_410"),
        ("refused_address", {"error_code": "refused_address"}, {}, "refused_address"),
        ("attempts_used_up:unreachable", {"error_code": "unreachable"}, {}, "unreachable"),
        ("attempts_used_up:connect_timeout", {"error_code": "connect_timeout"}, {}, "timeout:connect"),
        ("attempts_used_up:timeout", {"error_code": "timeout"}, {"t": [1, 2, None, None]}, "timeout:answer"),
        ("attempts_used_up:timeout", {"error_code": "timeout"}, {"t": [1, 2, None, 30]}, "timeout:body"),
        ("tls", {"error_code": "tls"}, {"m": "The TLS handshake with the host failed."}, "tls:handshake"),
        ("tls", {"error_code": "tls"}, {"m": NO_CERTIFICATE_OF_OURS}, "tls:client_certificate"),
        ("tls", {"error_code": "tls"}, {"m": OLD_TLS}, "tls:old_version"),
        (
            "attempts_used_up:tls",
            {"error_code": "tls"},
            {"m": "The host's TLS certificate cannot be trusted: certificate has expired."},
            "tls:certificate_has_expired",
        ),
        (
            "tls",
            {"error_code": "tls"},
            {"m": "The host's TLS certificate cannot be trusted: Hostname mismatch, certificate is not for 'a.b'."},
            "tls:hostname_mismatch",
        ),
        ("expired", {"status_code": 503}, {}, "expired"),
        ("webhook_inactive", None, {}, "webhook_inactive"),
        (None, None, {}, "unknown"),
    ],
)
def test_a_cause_says_what_went_wrong(reason: str, attempt: dict, detail: dict, cause: str) -> None:  # type: ignore[type-arg]
    assert cause_of(reason, None if attempt is None else replace(FAILED, **attempt), detail) == cause


def test_the_answers_body_tells_causes_apart_and_its_ids_and_numbers_do_not() -> None:
    def cause(body: str) -> str:
        return cause_of("http_500", replace(FAILED, status_code=500), {"b": body})

    one = cause('{"error": "no such table", "request": "3f2a9c1e-0d4b-4c6e-9f00-1234567890ab", "at": 1732370000}')
    two = cause('{"error": "no such table",  "request": "aaaaaaaa-0d4b-4c6e-9f00-1234567890ab", "at": 1732371111}')
    assert one == two
    assert one.startswith("http_500:")
    assert cause('{"error": "out of memory"}') != one
    assert len(fingerprint(b"x")) == 8


@pytest.mark.parametrize("wanted", [None, "attempts_used_up:http_503", "http_503", "http_503:abc"])
def test_a_cause_or_a_reason_finds_its_dead_letters(wanted: str | None) -> None:
    assert is_for_reason(wanted, "attempts_used_up:http_503", "http_503:abc")
    assert not is_for_reason("http_503:def", "attempts_used_up:http_503", "http_503:abc")


def test_every_cause_has_a_sentence() -> None:
    assert cause_sentence("tls:client_certificate") == NO_CERTIFICATE_OF_OURS
    assert cause_sentence("tls:old_version") == OLD_TLS
    assert cause_sentence("tls:certificate_has_expired") == (
        "The host's TLS certificate cannot be trusted: certificate has expired."
    )
    for cause in ("timeout:connect", "timeout:answer", "timeout:body", "http_503:1f0c9a2b", "unreachable", "expired"):
        assert (cause_sentence(cause) or "").endswith("."), cause


def test_a_dead_letter_knows_its_cause_and_a_group_is_replayed_by_it() -> None:
    world = World()
    webhook = world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500])
    world.publish(*events(4))
    world.run()
    world.receivers.script(url_of("one"), [503])
    world.publish(*events(3, 4))
    world.run()
    causes = sorted(letter.cause for letter in world.dead_letters())
    assert {cause.partition(":")[0] for cause in causes} == {"http_500", "http_503"}
    assert len(set(causes)) == 2
    world.receivers.script(url_of("one"), [200])
    job_id = start_job(world, webhook, reason=causes[-1])
    world.run()
    job = jobs_of(world).get(job_id)
    assert job is not None
    assert (job.total, job.replayed) == (3, 3)
    assert json.loads(world.receivers.log[-1].body)["id"] in {"e4", "e5", "e6"}
