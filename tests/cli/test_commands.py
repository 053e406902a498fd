"""Each command of docs/cli.md does what the page says, against the running service."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from localstack.emulator import PROJECT
from pyhooks.main import cli
from tests.support.receiver import answer
from tests.support.service import Service, User, event

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGE = (PROJECT / "docs" / "cli.md").read_text(encoding="utf-8")
LINES = [
    line.split(" #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if re.search(r"(^|\| |=\S+ )pyhooks ", line)
]
GO_ON = ("listen", "tail")


@pytest.fixture
def user(service: Service) -> User:
    return service.bearer(scope="webhooks events:write")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYHOOKS_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PYHOOKS_KEYRING", "0")


def pyhooks(*arguments: str, given: str = "", env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=given, env=env, prog_name="pyhooks")


def token_of(user: User) -> str:
    return user.headers["Authorization"].removeprefix("Bearer ")


def commands(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all that do something."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from commands(found, (*path, name))


def parsed(line: str) -> tuple[list[str], str, dict[str, str]]:
    """Arguments, standard input, and variables of an example."""
    given = ""
    if line.startswith("echo "):
        said, _, line = line.partition(" | ")
        given = shlex.split(said)[1]
    line, _, file = line.partition(" < ")
    words = shlex.split(line.partition("| ")[2] if line.startswith("make ") else line)
    place = words.index("pyhooks")
    return words[place + 1 :], f"<{file}" if file else given, dict(word.split("=", 1) for word in words[:place])


def test_the_page_has_every_command_and_option() -> None:
    written = [parsed(line)[0] for line in LINES]
    missing = [path for path in commands() if not any(tuple(words[: len(path)]) == path for words in written)]
    assert missing == []
    assert len(LINES) > 50
    for words in written:  # also of those that go on until somebody ends them
        context, command = click.Context(cli), cli.get_command(click.Context(cli), words[0])
        assert command is not None
        command.make_context(words[0], words[1:], parent=context, resilient_parsing=True)


def test_every_example_works(service: Service, user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = service.path(answer(200), answer(410), answer(200))
    webhook = user.register(service.receiver.url(path), "record.*")
    first, second = event(user_id=user.user_id), event(user_id=user.user_id)
    assert user.post("/events", first).status_code == 202
    delivery = user.settled(webhook["id"], first["id"])
    assert user.post("/events", second).status_code == 202
    user.settled(webhook["id"], second["id"], "failed")
    user.change(webhook["id"], status="active")
    arrived = service.receiver.requests(path)[0]
    request = "\n".join(f"{name}: {value}" for name, value in arrived.headers).encode() + b"\n\n" + arrived.body
    (tmp_path / "request.txt").write_bytes(request)
    (tmp_path / "key.txt").write_text(token_of(user))
    (tmp_path / "events.json").write_text(json.dumps([event(user_id=user.user_id) for _ in range(3)]))
    monkeypatch.chdir(tmp_path)
    subscription = webhook["subscriptions"][0]["id"]
    known = {
        "$WEBHOOK": webhook["id"],
        "$DELIVERY": delivery["id"],
        "$EVENT": first["id"],
        "$SUBSCRIPTION": subscription,
    }
    known |= {"$URL": service.stack.base_url, "http://localhost:8086": service.stack.base_url}
    for line in LINES:
        arguments, given, variables = parsed(line)
        if arguments[0] in GO_ON:
            continue
        if arguments[:2] == ["replays", "show"]:
            known["$REPLAY"] = user.items("/replays")[0]["id"]
        if arguments[0] == "login":
            given = token_of(user)
        if given.startswith("<"):
            given = (tmp_path / given[1:]).read_text()
        env = {name: webhook["secret"] if name == "PYHOOKS_SECRET" else value for name, value in variables.items()}
        done = pyhooks(*(known.get(each, each) for each in arguments), given=given, env=env)
        allowed = (0, 5) if "cancel" in arguments else (0,)  # it may be over
        assert done.exit_code in allowed, f"{line}: {done.exit_code} {done.output} {done.exception!r}"


def test_json_is_what_the_service_says_and_nothing_else(service: Service, user: User) -> None:
    env = {"PYHOOKS_URL": service.stack.base_url, "PYHOOKS_TOKEN": token_of(user)}

    def read(*arguments: str) -> Any:
        done = pyhooks(*arguments, env=env)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    made = read("webhooks", "create", "--json", "--name", "A", "-e", "*")
    assert made["kind"] == "pull"
    assert read("--json", "webhooks", "list")["items"][0]["id"] == made["id"]
    assert read("webhooks", "show", made["id"], "--json") == user.read(f"/webhooks/{made['id']}")
    assert read("trigger", "table.created", "--json", "--count", "120")["accepted"] == 120


def test_doctor_says_what_a_key_may_do(service: Service) -> None:
    publisher, url = service.bearer(scope="events:write"), service.stack.base_url
    done = pyhooks("doctor", "--json", env={"PYHOOKS_URL": url, "PYHOOKS_TOKEN": token_of(publisher)})
    assert done.exit_code == 0, done.output
    told = {each["check"]: each["told"] for each in json.loads(done.stdout)["items"]}
    assert (told["read"], told["change"], told["publish"]) == ("not allowed", "not allowed", "allowed")
    wrong = pyhooks("doctor", env={"PYHOOKS_URL": url, "PYHOOKS_TOKEN": "pyak_wrong"})
    assert wrong.exit_code == 7
    assert "not valid" in wrong.output
