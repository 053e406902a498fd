"""scripts/import_webhooks.py against a server that answers as the API does, over a real socket."""

import csv
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

PROJECT = Path(__file__).parents[2]
SAMPLES = PROJECT / "scripts" / "samples"
WEBHOOKS, SUBSCRIPTIONS = str(SAMPLES / "webhooks.csv"), str(SAMPLES / "webhook_subscriptions.csv")
JWT_SECRET = "a-secret-that-the-service-checks-tokens-with"

Answer = tuple[int, dict[str, Any]]


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    text: str

    @property
    def claims(self) -> dict[str, Any]:
        token = self.headers["authorization"].removeprefix("Bearer ")
        return jwt.decode(token, JWT_SECRET, algorithms=["HS256"], audience="pyairtable-webhooks", issuer="pyairtable")


@dataclass
class Api:
    """Registers what it is asked to, once for each key, unless `refuse` says otherwise."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    refuse: Callable[[Asked], Answer | None] = lambda _: None
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        refused = self.refuse(asked)
        if refused is not None:
            return refused
        new_id = self.ids.setdefault(asked.headers["idempotency-key"], f"wh_{len(self.ids) + 1}")
        return 201, {"id": new_id, "secret": asked.body.get("secret") or f"whsec_{new_id}"}


@pytest.fixture
def api() -> Iterator[Api]:
    served = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = served.answer(Asked(self.path, headers, json.loads(text), text))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status == 503:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@dataclass
class Ended:
    status: int
    out: str
    errors: str
    results: Path

    @property
    def rows(self) -> dict[str, dict[str, str]]:
        with self.results.open(newline="") as file:
            return {row["former_id"]: row for row in csv.DictReader(file)}


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, api: Api) -> Run:
    def run(*arguments: str, secret: str | None = JWT_SECRET, url: str | None = None) -> Ended:
        results = tmp_path / "results.csv"
        command = [sys.executable, str(PROJECT / "scripts" / "import_webhooks.py"), *arguments]
        environment = {} if secret is None else {"JWT_SECRET": secret}
        done = subprocess.run(
            [*command, "--url", url or api.url, "--results", str(results)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr, results)

    return run


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None) -> Answer:
    return status, {"type": "/problems/x", "title": "X", "status": status, "detail": detail, "errors": errors}


def test_webhooks_go_in_with_their_subscriptions_secrets_and_owners(api: Api, run: Run) -> None:
    ended = run(WEBHOOKS, SUBSCRIPTIONS)
    assert ended.status == 0, ended.errors
    first, second, third = api.asked
    assert {asked.path for asked in api.asked} == {"/api/v1/webhooks"}
    assert [asked.claims["sub"] for asked in api.asked] == ["123", "123", "789"]
    assert first.claims["workspace_ids"] == ["456"]
    assert first.claims["scope"] == "webhooks"
    assert first.body == {
        "name": "My Webhook",
        "url": "https://myapp.example/webhook",
        "status": "active",
        "description": "Webhook for record updates",
        "workspace_id": 456,
        "max_retries": 3,
        "timeout_seconds": 30,
        "rate_limit_rps": 10,
        "headers": {"Authorization": "Bearer token", "X-Custom-Header": "value"},
        "metadata": {"environment": "production", "version": "1.0"},
        "secret": "s3cr3t-of-webhook-one-abcdefgh",
        "subscriptions": [
            {
                "event_type": "record.updated",
                "is_active": True,
                "filters": {"fields": {"status": "completed", "priority": "high"}},
            },
            {
                "event_type": "record.created",
                "is_active": True,
                "filters": {
                    "conditions": {
                        "operator": "and",
                        "rules": [{"field": "amount", "operator": "greater_than", "value": 1000}],
                    }
                },
            },
            {
                "event_type": "table.created",
                "is_active": False,
                "resource_id": "tbl1",
                "filters": {"user_id": [123, 456, 789]},
            },
        ],
    }
    assert second.body["status"] == "paused"
    assert not {"rate_limit_rps", "secret", "workspace_id"} & second.body.keys()
    assert third.body["status"] == "inactive"
    assert "3 of 3 webhooks imported, with 5 subscriptions" in ended.out


def test_the_results_lead_from_former_ids_to_new_ones_and_hold_only_new_secrets(run: Run) -> None:
    ended = run(WEBHOOKS, SUBSCRIPTIONS)
    assert {former: row["id"] for former, row in ended.rows.items()} == {"1": "wh_1", "2": "wh_2", "3": "wh_3"}
    assert {former: row["new_secret"] for former, row in ended.rows.items()} == {"1": "", "2": "whsec_wh_2", "3": ""}
    assert ended.results.stat().st_mode & 0o077 == 0


def test_an_import_repeated_sends_nothing(api: Api, run: Run) -> None:
    run(WEBHOOKS, SUBSCRIPTIONS)
    ended = run(WEBHOOKS, SUBSCRIPTIONS)
    assert (ended.status, len(api.asked)) == (0, 3)
    assert "3 webhooks stand in" in ended.out


def test_an_import_repeated_without_its_results_finds_the_same_webhooks(api: Api, run: Run) -> None:
    before = run(WEBHOOKS, SUBSCRIPTIONS)
    rows = before.rows
    before.results.unlink()
    assert run(WEBHOOKS, SUBSCRIPTIONS).rows == rows
    assert len({asked.headers["idempotency-key"] for asked in api.asked}) == 3


def test_a_refused_row_is_named_as_the_export_names_it_and_costs_no_other_webhook(api: Api, run: Run) -> None:
    fault = {"field": "subscriptions[1].filters.conditions.rules[0].operator", "message": "is no operator"}
    api.refuse = lambda asked: problem(422, "x", [fault]) if asked.body["name"] == "My Webhook" else None
    ended = run(WEBHOOKS, SUBSCRIPTIONS)
    assert ended.status == 1
    assert "2 of 3 webhooks imported" in ended.out
    expected = "webhook 1 (My Webhook), subscription 12, filters.conditions.rules[0].operator: is no operator"
    assert expected in ended.out
    assert set(ended.rows) == {"2", "3"}


def test_a_refusal_without_fields_shows_the_services_reason(api: Api, run: Run) -> None:
    api.refuse = lambda _: problem(409, "this Idempotency-Key was used for another request")
    ended = run(WEBHOOKS, SUBSCRIPTIONS)
    assert ended.status == 1
    assert "webhook 2 (Orders): 409: this Idempotency-Key was used for another request" in ended.out


def test_a_token_imports_only_its_own_users_webhooks(api: Api, run: Run) -> None:
    token = jwt.encode({"sub": "789"}, "k" * 32)
    ended = run(WEBHOOKS, SUBSCRIPTIONS, "--token", token)
    assert ended.status == 1
    assert [asked.body["name"] for asked in api.asked] == ["Once failing"]
    assert api.asked[0].headers["authorization"] == f"Bearer {token}"
    assert "webhook 1 (My Webhook): belongs to user 123, and the token is user 789's" in ended.out


def test_a_busy_service_is_asked_again_with_the_same_key(api: Api, run: Run) -> None:
    api.refuse = lambda _: problem(503, "busy") if len(api.asked) == 1 else None
    ended = run(WEBHOOKS, SUBSCRIPTIONS)
    assert (ended.status, len(api.asked)) == (0, 4)
    assert api.asked[0].headers["idempotency-key"] == api.asked[1].headers["idempotency-key"]


def test_a_token_that_the_service_does_not_accept_ends_the_import(api: Api, run: Run) -> None:
    api.refuse = lambda _: problem(401, "A valid token is needed")
    ended = run(WEBHOOKS, SUBSCRIPTIONS)
    assert (ended.status, len(api.asked)) == (2, 1)
    assert "does not accept the token of user 123: A valid token is needed" in ended.errors


def test_without_a_token_nothing_is_sent(api: Api, run: Run) -> None:
    ended = run(WEBHOOKS, SUBSCRIPTIONS, secret=None)
    assert (ended.status, api.asked) == (2, [])
    assert "--token" in ended.errors


def test_a_dry_run_sends_nothing_and_tells_what_would_be_refused(api: Api, run: Run, tmp_path: Path) -> None:
    export = tmp_path / "export.json"
    webhook = {"id": 1, "user_id": 123, "name": "A", "url": "http://10.0.0.1/", "secret": "short", "max_retries": 3}
    wild = {**webhook, "id": 2, "url": "https://fine.example/", "secret": "", "max_retries": 99}
    subscription = {"id": 7, "webhook_id": 1, "event_type": "table.renamed", "is_active": True, "filters": None}
    export.write_text(json.dumps({"webhooks": [webhook, wild], "webhook_subscriptions": [subscription]}))
    ended = run(str(export), "--dry-run", secret=None)
    assert (ended.status, api.asked, ended.results.exists()) == (1, [], False)
    assert "0 of 2 webhooks would be imported" in ended.out
    for place in ("webhook 1 (A), url", "webhook 1 (A), secret", "webhook 1 (A), subscription 7, event_type"):
        assert f"{place}: " in ended.out
    assert "webhook 2 (A), max_retries: " in ended.out
    assert "short" not in ended.out


def test_lists_in_json_files_go_in_like_csv(api: Api, run: Run, tmp_path: Path) -> None:
    webhooks, subscriptions = tmp_path / "w.json", tmp_path / "s.json"
    webhooks.write_text(json.dumps([{"id": "a b", "user_id": "u-1", "workspace_id": "ws", "name": "A", "url": "x"}]))
    subscriptions.write_text(json.dumps([{"webhook_id": "a b", "event_type": "*", "resource_id": 7, "filters": {}}]))
    assert run(str(webhooks), str(subscriptions)).status == 0
    (asked,) = api.asked
    assert asked.headers["idempotency-key"] == "former-webhook-a%20b"
    assert (asked.claims["sub"], asked.body["workspace_id"]) == ("u-1", "ws")
    assert asked.body["subscriptions"] == [{"event_type": "*", "is_active": True, "resource_id": 7}]


def test_numbers_go_in_as_they_were_written(api: Api, run: Run, tmp_path: Path) -> None:
    text = '{"a":1.10,"b":12345678901234567890.12345}'
    webhooks, listed = tmp_path / "w.csv", tmp_path / "w.json"
    quoted = text.replace('"', '""')
    webhooks.write_text(f'id,user_id,name,url,metadata,rate_limit_rps\n1,5,A,https://a.example,"{quoted}",1.50\n')
    row = f'{{"id":2,"user_id":5,"name":"B","url":"https://b.example","metadata":{text},"rate_limit_rps":1.50}}'
    listed.write_text(f"[{row}]")
    for export in (webhooks, listed):
        assert run(str(export)).status == 0
        assert f'"metadata":{text}' in api.asked[-1].text
        assert api.asked[-1].body["rate_limit_rps"] == 1.5


def test_rows_that_make_no_sense_are_refused_one_by_one(api: Api, run: Run, tmp_path: Path) -> None:
    webhooks, subscriptions = tmp_path / "w.csv", tmp_path / "s.csv"
    webhooks.write_text("id,user_id,name,url,max_retries\n1,5,A,https://a.example,many\n2,,B,https://b.example,\n")
    subscriptions.write_text("id,webhook_id,event_type,is_active,filters\n9,77,*,t,\n8,2,*,t,{\n")
    ended = run(str(webhooks), str(subscriptions))
    assert (ended.status, api.asked) == (1, [])
    assert "webhook 1: max_retries: 'many' is no number" in ended.out
    assert "webhook 2: id and user_id are needed" in ended.out
    assert "subscription 9: there is no webhook 77" in ended.out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("name,url\nA,https://a.example\n", "webhooks needs the column id; it has name, url"),
        ("id,user_id,name,url\n1,2,A,https://a\n1,2,A,https://a\n", "These webhooks appear twice: 1"),
        ('id,user_id,name,url\n1,2,"A', "cannot be read"),
    ],
)
def test_a_file_that_is_no_export_is_named(api: Api, run: Run, tmp_path: Path, content: str, reason: str) -> None:
    export = tmp_path / "webhooks.csv"
    export.write_text(content)
    ended = run(str(export))
    assert (ended.status, api.asked) == (2, [])
    assert reason in ended.errors


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    ended = run("nowhere.csv")
    assert ended.status == 2
    assert "nowhere.csv cannot be read" in ended.errors
