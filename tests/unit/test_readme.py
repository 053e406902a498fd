"""What README.md and docs/ say is so: numbers, names, links, and the code for receivers."""

import base64
import json
import re
import shutil
import subprocess
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localstack.cloudformation import load
from webhooks.delivery.retry import covered_ms
from webhooks.management.requests import MAX_FILTER_BYTES, MAX_SUBSCRIPTIONS
from webhooks.request.signing import SigningSecrets, signature_headers

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
RECEIVERS = (PROJECT / "docs" / "receivers.md").read_text(encoding="utf-8")
CONFIGURATION = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")
OPERATIONS = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER = "whsec_ODk4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU="
ROTATED = (
    SigningSecrets(SECRET, OTHER),
    SigningSecrets(OTHER, SECRET),
)  # before the receiver has changed over, and after
BODY = '{"id":"evt_1","type":"record.created","data":{"name":"Jörg"}}'.encode()
UNITS_MS = {"s": 1_000, "min": 60_000, "h": 3_600_000, "days": 86_400_000}


def block(language: str, containing: str) -> str:
    """The one block of code of that language in which the text appears."""
    (found,) = [code for code in re.findall(rf"```{language}\n(.*?)```", RECEIVERS, re.DOTALL) if containing in code]
    return found


def headers(now: int, secrets: SigningSecrets | None = None) -> dict[str, str]:
    """In lower case, as most frameworks hand them over."""
    signed = signature_headers(
        secrets or SigningSecrets(SECRET), prefix="X-PyAirtable", event_id="evt_1", timestamp=now, body=BODY
    )
    return {name.lower(): value for name, value in signed.items()}


def test_the_table_of_retries_says_what_the_code_does() -> None:
    table = RECEIVERS[RECEIVERS.index("| `max_retries` | covers |") :].split("\n\n")[0]
    rows = re.findall(r"\| (?:\*\*)?(\d+)(?:\*\* \(default\))? \| (nothing|[\d.]+ \w+) (?=\|)", table)
    assert sorted(int(retries) for retries, _ in rows) == list(range(16))
    for retries, covers in rows:
        number, _, unit = covers.partition(" ")
        said = 0 if covers == "nothing" else float(number) * UNITS_MS[unit]
        assert said == pytest.approx(covered_ms(int(retries)), rel=0.03), retries


def test_limits_are_those_of_the_code() -> None:
    assert f"{MAX_SUBSCRIPTIONS} subscriptions, and {MAX_FILTER_BYTES // 1024} KB of filters" in RECEIVERS


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= 9 * 1024


def test_every_parameter_of_the_template_is_explained_with_its_default() -> None:
    parameters: dict[str, Any] = load(PROJECT / "template.yaml")["Parameters"]
    table = CONFIGURATION[CONFIGURATION.index("| Parameter |") :]
    rows = dict(re.findall(r"^\| ((?:`\w+` ?)+) \| (.*?) \|", table, re.MULTILINE))
    explained = {name: defaults for names, defaults in rows.items() for name in re.findall(r"`(\w+)`", names)}
    assert explained.keys() == parameters.keys()
    for name in parameters.keys() - {"EventTypes", "JwtJwksUrl"}:
        default = str(parameters[name].get("Default", "")) or "none"
        assert default in explained[name], name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


def test_the_paths_that_contributing_names_exist() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:shared|functions|tests|scripts|monitoring|docs)/[\w./*-]*\w/?", text)
    assert len(named) > 20
    for path in named:
        assert list(PROJECT.glob(path)), path


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name != "decisions"], ids=lambda page: page.name
)
def test_the_modules_that_a_page_names_exist(page: Path) -> None:
    places = ("shared", "functions", "tests", "scripts", "localstack")
    for name in re.findall(r"`([\w/]+\.py)", page.read_text(encoding="utf-8")):
        assert (PROJECT / name).exists() or any(list((PROJECT / place).rglob(name)) for place in places), name


def anchors(page: Path) -> set[str]:
    """Of the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_is_listed() -> None:
    folder = PROJECT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for record in sorted(folder.glob("[0-9]*.md")):
        title = record.read_text(encoding="utf-8").splitlines()[0].removeprefix(f"# {record.name[:4]}. ")
        assert f"| [{record.name[:4]}]({record.name}) | {title} |" in index


def test_operations_names_the_queues_that_the_template_puts_out() -> None:
    template = load(PROJECT / "template.yaml")
    for queue in ("IngestDeadLetterQueue", "RuleTargetDeadLetterQueue", "JobsDeadLetterQueue", "StreamFailuresQueue"):
        assert f"`{queue}`" in OPERATIONS
        assert f"{queue}Url" in template["Outputs"]


def test_the_mapped_settings_are_all_of_the_former_ones() -> None:
    former = (PROJECT / "tests" / "e2e" / "former-service-README.md").read_text(encoding="utf-8")
    environment = former[former.index("### Environment Variables") : former.index("### Webhook Configuration")]
    for name in re.findall(r"^([A-Z_]+)=", environment, re.MULTILINE):
        assert f"`{name}`" in CONFIGURATION, name
    configuration = former[former.index("### Webhook Configuration") :]
    keys: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", configuration, re.DOTALL)[0])
    for name in keys:
        assert f"`{name}`" in CONFIGURATION, name


def verified_by_python(body: bytes, given: dict[str, str]) -> list[bool]:
    namespace: dict[str, Callable[..., bool]] = {}
    exec(block("python", "def verify_plain"), namespace)  # noqa: S102 - our own
    try:
        standard = namespace["verify_standard"](SECRET, given, body)
    except Exception as error:
        assert type(error).__name__ == "WebhookVerificationError"
        standard = False
    return [standard, namespace["verify_plain"](SECRET, given, body)]


def verified_by_node(folder: Path, body: bytes, given: dict[str, str]) -> list[bool]:
    (folder / "verify.mjs").write_text(block("js", "verifyPlain"))
    (folder / "main.mjs").write_text(
        textwrap.dedent("""
        import { verifyPlain, verifyStandard } from "./verify.mjs";
        const [secret, headers, body] = JSON.parse(process.argv[2]);
        const bytes = Buffer.from(body, "base64");
        console.log(JSON.stringify([verifyStandard(secret, headers, bytes), verifyPlain(secret, headers, bytes)]));
        """)
    )
    return ran(folder, ["node", "main.mjs"], body, given)


def verified_by_go(folder: Path, body: bytes, given: dict[str, str]) -> list[bool]:
    (folder / "verify.go").write_text("package main\n\n" + block("go", "VerifyPlain"))
    (folder / "main.go").write_text(
        textwrap.dedent("""
        package main

        import (
            "encoding/base64"
            "encoding/json"
            "fmt"
            "net/http"
            "os"
        )

        func main() {
            var secret, body string
            var headers map[string]string
            if err := json.Unmarshal([]byte(os.Args[1]), &[]any{&secret, &headers, &body}); err != nil {
                panic(err)
            }
            bytes, _ := base64.StdEncoding.DecodeString(body)
            header := http.Header{}
            for name, value := range headers {
                header.Set(name, value)
            }
            verified := []bool{VerifyStandard(secret, header, bytes), VerifyPlain(secret, header, bytes)}
            text, _ := json.Marshal(verified)
            fmt.Println(string(text))
        }
        """)
    )
    if not (folder / "main").exists():
        subprocess.run(["go", "build", "-o", "main", "main.go", "verify.go"], cwd=folder, check=True)
    return ran(folder, ["./main"], body, given)


def ran(folder: Path, command: list[str], body: bytes, given: dict[str, str]) -> list[bool]:
    argument = json.dumps([SECRET, given, base64.b64encode(body).decode()])
    done = subprocess.run([*command, argument], cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_python_code_for_receivers_accepts_our_deliveries_and_no_others() -> None:
    given = headers(int(time.time()))
    assert verified_by_python(BODY, given) == [True, True]
    assert verified_by_python(BODY + b" ", given) == [False, False]
    for secrets in ROTATED:
        assert verified_by_python(BODY, headers(int(time.time()), secrets)) == [True, True]


@pytest.mark.parametrize(
    ("tool", "verified"),
    [
        ("node", verified_by_node),
        # the first build compiles Go's own library
        pytest.param("go", verified_by_go, marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
def test_the_code_for_receivers_in_other_languages_does_too(
    tool: str, verified: Callable[[Path, bytes, dict[str, str]], list[bool]], tmp_path: Path
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    given = headers(1_700_000_000)
    assert verified(tmp_path, BODY, given) == [True, True]
    assert verified(tmp_path, BODY + b" ", given) == [False, False]
    for secrets in ROTATED:
        assert verified(tmp_path, BODY, headers(1_700_000_000, secrets)) == [True, True]
