"""What a person is told when something is wrong, and the exit code that a script sees."""

import json
import stat
from pathlib import Path

import keyring
import pytest
from click.testing import CliRunner, Result
from keyring.backend import KeyringBackend

from pyhooks.commands.publish import texts
from pyhooks.main import cli
from tests.support.receiver import Behaviour, Receiver, answer, close_without_answer, redirect

TYPE = [("Content-Type", "application/problem+json")]


def problem(status: int, detail: str, **more: object) -> Behaviour:
    return answer(status, json.dumps({"detail": detail, "request_id": "r-1"} | more).encode(), TYPE)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("PYHOOKS_URL", "PYHOOKS_TOKEN", "PYHOOKS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYHOOKS_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PYHOOKS_KEYRING", "0")
    monkeypatch.setattr("pyhooks.api.FIRST_WAIT_SECONDS", 0)
    return tmp_path


def pyhooks(*arguments: str, given: str = "", **env: str) -> Result:
    return CliRunner().invoke(cli, arguments, input=given, env=env, prog_name="pyhooks")


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        (problem(401, "A valid token is needed"), 3, "not valid, or not any more. Run: pyhooks login"),
        (problem(403, "this takes the scope webhooks:read"), 3, "does not allow this: this takes the scope"),
        (problem(404, "There is no such route."), 4, "its service is older than this command"),
        (problem(404, "there is no webhook x"), 4, "there is no webhook x"),
        (answer(404, b"<html>"), 4, "or the URL is not the service's"),
        (problem(422, "2", errors=[{"field": "a", "message": "no"}, {"field": "b", "message": "or"}]), 5, "\n  b: or"),
        (problem(409, "paused"), 5, "paused"),
        (problem(429, "slower"), 1, "asks to wait: slower"),
        (problem(500, "sorry"), 1, "The service failed: sorry (request r-1)"),
        (answer(200, b"<html>a login page of a hotel"), 1, "does not answer as the service does"),
        (redirect("http://elsewhere/"), 1, "does not answer as the service does"),
        (close_without_answer(), 6, "the connection broke"),
    ],
)  # fmt: skip
def test_an_answer_becomes_words_and_an_exit_code(behaviour: Behaviour, code: int, words: str) -> None:
    with Receiver() as service:
        service.script("/api/v1/webhooks", behaviour)
        done = pyhooks("webhooks", "list", "--url", service.url(""), PYHOOKS_TOKEN="key")
    assert done.exit_code == code, done.output
    assert words in done.stderr
    assert done.stdout == ""


def test_nothing_that_may_be_done_twice_is_given_up_at_once() -> None:
    with Receiver() as service:
        newer = {"id": "wh_1", "a newer field": 1, "status": "a newer one"}
        good = answer(200, json.dumps({"items": [newer], "next_cursor": None}).encode())
        service.script("/api/v1/webhooks", problem(503, "later"), close_without_answer(), good)
        done = pyhooks("webhooks", "list", "--url", service.url(""), PYHOOKS_TOKEN="key")
        assert (done.exit_code, "a newer one" in done.stdout) == (0, True)
        for number, status in enumerate((500, 503), start=1):
            service.script("/api/v1/webhooks/wh_1/test", problem(status, "perhaps it was sent"))
            assert pyhooks("webhooks", "test", "wh_1", "--url", service.url(""), PYHOOKS_TOKEN="key").exit_code == 1
            assert len(service.requests("/api/v1/webhooks/wh_1/test")) == number


def test_without_a_service_there_is_no_connection() -> None:
    with Receiver() as gone:
        url = gone.url("")
    done = pyhooks("webhooks", "list", "--url", url, PYHOOKS_TOKEN="key")
    assert done.exit_code == 6
    assert "nothing listens there" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["webhooks", "list"], 3, "Run `pyhooks login` first"),
        (["webhooks", "list", "--url", "http://elsewhere"], 3, "pyhooks login --url http://elsewhere"),
        (["webhooks", "list", "--profile", "none"], 3, "There is no profile none"),
        (["webhooks", "list", "--url", "elsewhere"], 2, "is not a URL"),
        (["listen", "--forward-to", "ftp://x"], 2, "is not a URL such as"),
        (["listen", "--forward-to", "1", "--name", "a b"], 2, "1 to 64 of"),
        (["listen", "--forward-to", "1", "--webhook", "wh_1", "-e", "*"], 2, "leave --event-type"),
        (["replay"], 2, "Name a webhook, or give --all"),
        (["trigger", "record.created", "--field", "x"], 2, "is not NAME=VALUE"),
        (["verify"], 5, "This is no request"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_what_is_written_wrong_is_told_before_anything_is_asked(arguments: list[str], code: int, words: str) -> None:
    done = pyhooks(*arguments)
    assert (done.exit_code, words in done.stderr) == (code, True), done.output


def login(service: Receiver, *more: str, key: str = "pyak_1") -> Result:
    service.script("/api/v1/event-types", answer(200, b'{"items": []}'))
    return pyhooks("login", "--url", service.url(""), *more, given=key)


def test_a_key_is_kept_for_its_owner_alone_and_sent_to_its_url_alone(folder: Path) -> None:
    with Receiver() as service, Receiver() as other:
        service.script("/api/v1/webhooks", answer(200, b'{"items": []}'))
        assert login(service).exit_code == 0
        assert stat.S_IMODE((folder / "secrets.json").stat().st_mode) == 0o600
        assert "pyak_1" not in (folder / "profiles.json").read_text()
        assert pyhooks("webhooks", "list").exit_code == 0
        (listed,) = service.requests("/api/v1/webhooks")
        assert listed.header("Authorization") == "Bearer pyak_1"
        assert pyhooks("webhooks", "list", "--url", other.url("")).exit_code == 3
        assert pyhooks("webhooks", "list", "--profile", "default", "--url", other.url("")).exit_code == 3
        assert pyhooks("webhooks", "list", PYHOOKS_URL=other.url("")).exit_code == 3
        profiles = json.loads((folder / "profiles.json").read_text())
        profiles["profiles"]["default"]["url"] = other.url("")  # somebody edits the file
        (folder / "profiles.json").write_text(json.dumps(profiles))
        assert pyhooks("webhooks", "list").exit_code == 3
        assert other.requests() == []


def test_a_key_that_is_not_valid_is_not_kept(folder: Path) -> None:
    with Receiver() as service:
        service.script("/api/v1/event-types", problem(401, "no"))
        assert pyhooks("login", "--url", service.url(""), given="pyak_1").exit_code == 3
        assert pyhooks("login", "--url", service.url(""), given="two words").exit_code == 2
    assert not (folder / "secrets.json").exists()


def test_profiles_are_chosen_and_forgotten(folder: Path) -> None:
    with Receiver() as service:
        login(service)
        login(service, "--profile", "prod", key="pyak_2")
        service.script("/api/v1/webhooks", answer(200, b'{"items": []}'))
        for arguments, env in ((["--profile", "prod"], {}), ([], {"PYHOOKS_PROFILE": "prod"})):
            assert pyhooks("webhooks", "list", *arguments, **env).exit_code == 0
        assert pyhooks("webhooks", "list", PYHOOKS_TOKEN="pyak_3").exit_code == 0
        keys = [each.header("Authorization") for each in service.requests("/api/v1/webhooks")]
    assert keys == ["Bearer pyak_2", "Bearer pyak_2", "Bearer pyak_3"]
    assert pyhooks("logout", "--profile", "prod").exit_code == 0
    assert "pyak_2" not in (folder / "secrets.json").read_text()


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def test_where_there_is_a_keyring_no_file_has_a_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYHOOKS_KEYRING")
    ring, before = Ring(), keyring.get_keyring()
    keyring.set_keyring(ring)
    try:
        with Receiver() as service:
            assert login(service).exit_code == 0
            assert list(ring.kept.values()) == ["pyak_1"]
            assert not (folder / "secrets.json").exists()
            service.script("/api/v1/webhooks", answer(200, b'{"items": []}'))
            assert pyhooks("webhooks", "list").exit_code == 0
        assert pyhooks("logout").exit_code == 0
        assert ring.kept == {}
    finally:
        keyring.set_keyring(before)


def test_events_are_published_as_they_are_written() -> None:
    one, other = '{"a": 1.50e3}', '{"b": 12345678901234567890123}'
    assert texts(one) == [one]
    assert texts(f" [ {one} ,\n{other} ] \n") == [one, other]
    assert texts(f"{one}\n{other}\n") == [one, other]
    assert texts("[]") == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "there is no event"), ("[", "no end"), ("[{}", "no end"), ('{"a": 1', "event 1 is not JSON"),
        ("[{} {}]", "comma"), ("3", "object"), ("[{}] x", "behind the list"), ("[{},]", "event 2 is not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_told_and_nothing_published(document: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        texts(document)


def test_publishing_that_breaks_says_how_to_go_on() -> None:
    with Receiver() as service:
        good = answer(202, json.dumps({"events": [{"id": f"evt_{n}"} for n in range(100)]}).encode())
        service.script("/api/v1/events", good, problem(401, "over"))
        done = pyhooks("publish", given='{"type": "t"}\n' * 250, PYHOOKS_URL=service.url(""), PYHOOKS_TOKEN="k")
        first, second = service.requests("/api/v1/events")
        key = first.header("Idempotency-Key")
        assert done.exit_code == 3
        assert "The first 100 of 250 events are published." in done.stderr
        assert f"with --idempotency-key {key}:" in done.stderr
        assert second.header("Idempotency-Key") == f"{key}-1"
