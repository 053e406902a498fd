"""make erase-again: the tenants that were erased are erased from a restored table, too.

The list of the erased is in the table that was in use until then (FROM): a backup has it as it was. What came after a
tenant's erasure is left alone. Repeating it does no harm.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from localstack.emulator import PROJECT, LocalStackError
from scripts.deployed import Deployed, NotThere
from webhooks.aws.sqs import Queue, SqsJobs
from webhooks.errors import Unavailable
from webhooks.models.erasure import Erasure
from webhooks.runtime import MACHINE
from webhooks.store.dynamo import DynamoTable
from webhooks.store.erasures import ErasureStore


def erase_again(earlier: ErasureStore, present: ErasureStore, jobs: SqsJobs, now_ms: Callable[[], int]) -> int:
    """Note each tenant of the earlier list in the present one and start its erasure; how many there are.

    Raises Unavailable.
    """
    count = 0
    for erasure in earlier.all():
        before = present.get(erasure.scope)
        until_ms = max(erasure.requested_at_ms, before.requested_at_ms if before else 0)
        anew = Erasure(erasure.scope, until_ms, erasure.requested_by, now_ms())
        if not present.start(before, replace(anew, more=erasure.more)):
            raise Unavailable(f"the entry of {erasure.scope} has just changed")
        jobs.go_on_erasing(erasure.scope)
        count += 1
    return count


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make erase-again", description=__doc__)
    parser.add_argument("--stage", default="local")
    parser.add_argument("--from", dest="earlier", required=True, help="the table that was in use before")
    given = parser.parse_args()
    now_ms = MACHINE.now_ms
    try:
        deployed = Deployed.of_stage(PROJECT, given.stage)
        earlier, present = (
            ErasureStore(DynamoTable(deployed.client("dynamodb"), name), now_ms)
            for name in (given.earlier, deployed.outputs["TableName"])
        )
        jobs = SqsJobs(Queue(deployed.client("sqs"), deployed.outputs["JobsQueueUrl"]))
        count = erase_again(earlier, present, jobs, now_ms)
    except (NotThere, LocalStackError, ClientError, BotoCoreError, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} tenants are being erased; GET /api/v1/erasures says how far that has come")
    return 0


if __name__ == "__main__":
    sys.exit(main())
