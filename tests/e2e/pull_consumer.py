"""A consumer of a pull webhook, as a process that can be killed: it reads by long polls, works, and commits.

Each event that is handed to it becomes a line of its log, before it commits: `recorded_at event_id .` A line `-` begins
each of its lives. Only the standard library, so that it is there at once.
"""

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

AGAIN_SECONDS = 0.5
TIMEOUT_SECONDS = 40


def main(base_url: str, user_id: str, webhook_id: str, name: str, log: str) -> None:
    """Until it is killed. What is refused ends it with an error."""
    service = Service(base_url, user_id)
    path = f"/api/v1/webhooks/{webhook_id}"
    start = f"consumer={name}"
    with Path(log).open("a", encoding="ascii") as to:
        to.write("\n-\n")
        while True:
            page, wait_seconds = service.ask("GET", f"{path}/events?{start}&wait=20&limit=100")
            to.writelines(f"{each['recorded_at']} {each['event_id']} .\n" for each in page["items"])
            to.flush()
            start = f"after={quote(page['next_cursor'])}"
            service.ask("POST", f"{path}/consumers/{name}/commit", {"cursor": page["next_cursor"]})
            if wait_seconds and not page["has_more"]:
                time.sleep(wait_seconds)


class Service:
    """The API, asked again where it does not answer."""

    def __init__(self, base_url: str, user_id: str) -> None:
        self._host = urlsplit(base_url).netloc
        self._headers = {"X-User-ID": user_id, "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)

    def ask(self, method: str, path: str, document: Any = None) -> tuple[Any, float]:
        """The answer, and the seconds of its Retry-After."""
        while True:
            try:
                self._connection.request(method, path, document and json.dumps(document), self._headers)
                answer = self._connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                time.sleep(AGAIN_SECONDS)
                continue
            wait_seconds = float(answer.headers.get("Retry-After") or 0)
            if answer.status == 200:
                return json.loads(body), wait_seconds
            if answer.status != 429 and answer.status < 500:
                raise SystemExit(f"{method} {path}: {answer.status} {body.decode()}")
            time.sleep(wait_seconds or AGAIN_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
