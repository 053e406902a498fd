"""What a client does when things go wrong; misfortunes.ts does the same."""

import os

from pyairtable_webhooks import ServerError, ValidationFailed, connect
from pyairtable_webhooks.api.system import health
from pyairtable_webhooks.api.webhooks import create_webhook, test_webhook
from pyairtable_webhooks.models import SendTest, WebhookRequest


def main() -> None:
    """Three calls: of the first two each try fails in another way, and the third may not be tried again."""
    with connect(os.environ["URL"], "token") as client:
        assert health.sync(client=client).status == "ok"
        try:
            create_webhook.sync(client=client, body=WebhookRequest("n", url="https://example.com/"))
        except ValidationFailed as error:
            assert [(each.field, each.code) for each in error.errors] == [("url", "url_name")]
        else:
            raise AssertionError
        try:
            test_webhook.sync("wh_1", client=client, body=SendTest())
        except ServerError as error:
            assert error.status == 500
        else:
            raise AssertionError


if __name__ == "__main__":
    main()
