"""Looks for credentials in every file under version control: `make secrets-scan`.

What has a form of its own is looked for everywhere: keys of clouds and forges, private keys, tokens, passwords in URLs.
What merely looks random would be found in every lock file and in the tests' signatures, and is not.
"""

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NOT_ASKED = (
    "KeywordDetector",
    "Base64HighEntropyString",
    "HexHighEntropyString",
    "IPPublicDetector",
    "TelegramBotTokenDetector",  # takes every ARN with a long hash for one
)
# Made up, and why they have to look real: (where names begin, kind).
KNOWN = {
    ("events/", "JSON Web Token"): "sample requests, signed with a key of no deployment",
    ("tests/", "JSON Web Token"): "requests of tests, the same",
    ("tests/", "Basic Auth Credentials"): "URLs with a password, which are refused",
}


def main() -> int:
    """Entry point; 1 when something was found that is not known."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.split("\0") if name and (PROJECT / name).is_file()]
    options = [part for name in NOT_ASKED for part in ("--disable-plugin", name)]
    command = [sys.executable, "-m", "detect_secrets", "scan", *options, *files]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    results: dict[str, list[dict[str, str]]] = json.loads(done.stdout)["results"]
    found = [(name, each["type"], each["line_number"]) for name, several in results.items() for each in several]
    new = [each for each in found if not any(each[0].startswith(folder) and each[1] == kind for folder, kind in KNOWN)]
    for name, kind, line in new:
        print(f"{name}:{line}: {kind}", file=sys.stderr)
    print(f"secrets: {len(files)} files, {len(new)} found beside {len(found) - len(new)} that are known and made up")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
