"""A delivery is verified by what the client's package brings along; received.ts does the same."""

import json
import os

from pyairtable_webhooks.receiver import Receiver, Refused


def main() -> None:
    """Print the id of the delivery's event, and what is said of a delivery that was changed."""
    receiver = Receiver(os.environ["SECRET"])
    headers, body = json.loads(os.environ["HEADERS"]), os.environ["BODY"].encode()
    print(receiver.verify(headers, body).json()["id"])  # noqa: T201
    try:
        receiver.verify(headers, body + b" ")
    except Refused as refused:
        print(refused)  # noqa: T201


if __name__ == "__main__":
    main()
