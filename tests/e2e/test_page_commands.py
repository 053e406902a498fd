"""Every block of commands on the site's pages: typed against the local stack, or checked where that cannot run it."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from localstack.emulator import PROJECT, free_port
from localstack.token import DEFAULT_SCOPE
from tests.conftest import Figure
from tests.support.pages import Block, blocks, pages
from tests.support.service import Service

ALL = blocks()
RUN = {
    page: [each for each in ALL if each.page == page and not each.reason] for page in dict.fromkeys(b.page for b in ALL)
}
# What a page says that the receiver prints, in order: a reader waits for it before ending the receiver.
WORDS = {"docs/quickstart.md": ["accepted: first record.updated", "accepted: third table.created"]}
TOKEN = re.compile(r"\bmake ((?:-s )?token[^)]*)\)")
# curl fails as a reader would see it fail; an event shows up within seconds, and a reader is slower than that.
SCRIPT = """set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
curl() {{
  local answer
  for _ in $(seq 60); do
    if answer=$(command curl -sS --fail-with-body "$@"); then printf '%s\\n' "$answer"; return; fi
    case $answer in */problems/not-found*) sleep 0.5 ;; *) break ;; esac
  done
  printf '%s\\n' "$answer" >&2
  return 22
}}
make() {{
  case "$*" in
{made}
    run*|setup) ;;
    *) command make -n "$@" >/dev/null ;;
  esac
}}
printed() {{
  for _ in $(seq 300); do
    if grep -qF "$1" "$PRINTED"; then return; fi
    sleep 0.1
  done
  echo "never printed: $1" >&2
  return 1
}}
{commands}
"""


def test_a_block_is_run_or_checked(figure: Figure) -> None:
    """Each stands in one class: fences that a typing error takes out of both would be missed here."""
    fences = sum(
        len(re.findall(r"^ *```(?:sh|bash|console|shell)\b", page.read_text(encoding="utf-8"), re.MULTILINE))
        for page in pages()
    )
    ran = sum(map(len, RUN.values()))
    checked = [each for each in ALL if each.reason]
    assert ran + len(checked) == fences
    assert ran > 15
    figure(f"pages: {ran} blocks of commands run, {len(checked)} checked otherwise, of {len(pages())} pages")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page, each in RUN.items() if each])
def test_a_page_can_be_typed(page: str, service: Service, tmp_path: Path) -> None:
    if shutil.which("jq") is None and any("jq " in each.text for each in RUN[page]):
        pytest.skip("jq is not there (Debian: apt install jq)")
    user = service.bearer(scope="webhooks events:write events:write:any api-keys portal-links", workspace_ids=["456"])
    webhook = user.register(service.receiver.url(service.path()))
    port, printed = free_port(), tmp_path / "printed"
    commands = "\n".join(_typed(RUN[page], WORDS.get(page, [])))
    for shown, here in (
        ("http://localhost:8086", service.stack.base_url),
        ("127.0.0.1:9000", f"127.0.0.1:{port}"),
        ("https://example.com/", service.receiver.url("/")),
        ("wait=20", "wait=1"),
    ):
        commands = commands.replace(shown, here)
    made = "\n".join(
        f"    {shlex.quote(asked)}) printf %s {token} ;;" for asked, token in _tokens(RUN[page], service).items()
    )
    with printed.open("w") as output:
        done = subprocess.run(
            ["bash", "-c", SCRIPT.format(commands=commands, made=made)],
            cwd=PROJECT,
            env={name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
            | dict.fromkeys(("URL", "BASE", "BASE_URL"), service.stack.base_url)
            | dict.fromkeys(("TOKEN", "BACKEND_KEY"), user.headers["Authorization"].removeprefix("Bearer "))
            | {"WEBHOOK_ID": webhook["id"]}
            | {"PORT": str(port), "PRINTED": str(printed), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=280,
        )
    said = printed.read_text()
    assert done.returncode == 0, said
    assert [words for words in WORDS.get(page, []) if words not in said] == []


def _typed(of_page: Sequence[Block], awaited: Sequence[str]) -> list[str]:
    """The blocks; one that ends a receiver comes after what was published before has arrived."""
    typed: list[str] = []
    for block in of_page:
        if block.text.startswith("kill "):
            published = "".join(typed)
            typed += [
                f"printed {shlex.quote(words)}" for words in awaited if f'"id": "{words.split()[1]}"' in published
            ]
        typed.append(block.text)
    return typed


def _tokens(of_page: Sequence[Block], service: Service) -> dict[str, str]:
    """What `make token` prints, by its arguments."""
    tokens: dict[str, str] = {}
    for asked in TOKEN.findall("".join(each.text for each in of_page)):
        words = shlex.split(asked)
        given = dict(each.split("=", 1) for each in words if "=" in each)
        tokens[" ".join(words)] = service.stack.token(
            given["USER_ID"], scope=given.get("SCOPE", DEFAULT_SCOPE), workspace_ids=["456"]
        )
    return tokens


@pytest.mark.parametrize(
    "block", [each for each in ALL if each.reason], ids=lambda each: f"{each.page}:{each.text[:30]}"
)
def test_what_is_not_run_is_well_formed(block: Block) -> None:
    """Calls of the AWS CLI are looked at by tests/unit/test_operations.py."""
    shell = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
    assert shell.returncode == 0, shell.stderr
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-s )?([a-z-]+)", block.text)) <= targets
    for script in re.findall(r"(?:python3?|node) ([\w/]+\.(?:py|mjs))", block.text):
        assert (PROJECT / script).exists(), script
    paths = json.loads((PROJECT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    known = [re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$") for path in paths]
    for path in re.findall(r"/api/v1/[\w/$-]+(?=[\"?])", block.text):
        assert any(each.match(path) for each in known), path
