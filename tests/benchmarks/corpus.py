"""The events that the benchmarks publish: records of an Airtable-like base, of about 1, 2, 10 and 200 KB.

Contacts, orders, survey answers, notes, and changes that carry what was there before. `data/corpus.jsonl` was made
once, by `python -m tests.benchmarks.corpus`, and is kept, so that figures stay comparable.
Identifiers are random, and texts are words in random order with a usual share of repeats: what prose compresses to.
"""

import functools
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "data" / "corpus.jsonl"
COUNTS = {1: 10, 2: 20, 10: 5, 200: 1}  # events by size in KB
KINDS = ("contact", "order", "change", "survey", "notes")


def _words(text: str) -> list[str]:
    return text.split()


WORDS = _words(
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an "
    "they which one you were her all she there would their we him been has when who will more no if out so "
    "said what up its about into than them can only other new some could time these two may then do first any "
    "my now such like our over man me even most made after also did many before must through back years where "
    "much your way well down should because each just those people how too little state good very make world "
    "still own see men work long here get both between life being under never day same another know while last "
    "might us great old year off come since against go came right used take three states himself few house use "
    "during without again place american around however home small found thought went say part once general "
    "high upon school every does got united left number course war until always away something fact though "
    "water less public put thing almost hand enough far took head yet government system better set told "
    "nothing night end why called find going look asked later knew point next program city business give group "
    "toward young days let room word social given several order national rather second face per among form "
    "important often things looked early white case john become large big need four within felt along children "
    "saw best church ever least power development light seemed thing family interest want members mind country "
    "area others done turned although open god service certain kind problem began different door thus help "
    "sense means whole matter itself york law perhaps sure known invoice shipment contract renewal supplier "
    "customer quarterly estimate deadline milestone budget approval onboarding warehouse pending follow review "
    "draft "
)
FIRST = _words("Ann Ben Carla David Emma Farid Grace Hiro Ines Jonas Kavya Liam Mona Nils Olga Paulo Qi Rosa Sam Tara ")
LAST = _words("Adler Brown Costa Dubois Eriksen Fischer Garcia Haddad Ito Jansen Khan Lopez Meyer Novak Okafor Patel ")
COMPANIES = _words("Northwind Contoso Fabrikam Globex Initech Umbrella Hooli Stark Wayne Acme Soylent Vandelay ")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


# Of 0.3 KB: what most events are that name a record and a few of its fields.
SMALL = {
    "type": "record.updated",
    "data": {"table_id": "tblQ8sC1x5mVd0Lp", "record_id": "recW3kZr7yTn2HbX", "fields": {
        "Name": "Order 10482", "Status": "Shipped", "Total": 129.9, "Customer": "Maja Lindqvist", "City": "Malmö",
        "Note": "leave with the neighbour on the second floor"}},
}  # fmt: skip


@functools.cache
def events(kilobytes: int) -> tuple[Mapping[str, Any], ...]:
    """The corpus' events of about this size; 0: a small one."""
    if not kilobytes:
        return (SMALL,)
    lines = map(json.loads, FILE.read_text().splitlines())
    return tuple(each["event"] for each in lines if each["kilobytes"] == kilobytes)


def payload_bytes(event: Mapping[str, Any]) -> int:
    """The size of an event as it is delivered, but for its id."""
    return len(json.dumps(event, separators=(",", ":")).encode())


class _Author:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def event(self, kilobytes: int, kind: str) -> dict[str, Any]:
        """`kind` is what the table is for: its fields decide how much an event repeats itself."""
        event = self._skeleton()
        fields = event["data"]["fields"]
        makers = self._makers(kind)
        number = 0
        while payload_bytes(event) < kilobytes * 1024 - 40:
            name, make = makers[number % len(makers)]
            fields[name if number < len(makers) else f"{name} {number // len(makers) + 1}"] = make()
            number += 1
            if kind == "change" and payload_bytes(event) > kilobytes * 512:
                changed = self._random.choice(list(fields))
                event["data"]["previous_fields"] = {**fields, changed: None}
                break
        return event

    def _skeleton(self) -> dict[str, Any]:
        record, table = self._id("rec"), self._id("tbl")
        return {
            "type": self._random.choice(["record.created", "record.updated", "record.updated"]),
            "resource_id": record,
            "workspace_id": self._random.randrange(1, 5000),
            "user_id": self._random.randrange(1, 90_000),
            "timestamp": self._time(),
            "data": {"id": record, "table_id": table, "base_id": self._id("app"), "fields": {}},
            "metadata": {"source": "api", "version": "v1", "request_id": self._id("req")},
        }

    def _makers(self, kind: str) -> list[tuple[str, Any]]:
        chance = self._random
        person = [
            ("Name", lambda: f"{chance.choice(FIRST)} {chance.choice(LAST)}"),
            ("Company", lambda: chance.choice(COMPANIES)),
            ("Email", self._email),
        ]
        task = [
            ("Status", lambda: chance.choice(["Todo", "In progress", "In review", "Done", "Blocked"])),
            ("Amount", lambda: round(chance.uniform(5, 90_000), 2)),
            ("Due date", lambda: self._time()[:10]),
            ("Assignees", lambda: [{"id": self._id("usr"), "email": self._email()} for _ in range(2)]),
            ("Tags", lambda: chance.sample(["urgent", "q3", "import", "legal", "eu", "vip"], 3)),
            ("Linked records", lambda: [self._id("rec") for _ in range(3)]),
            ("Last modified", self._time),
            ("Score", lambda: chance.randrange(100)),
            ("Approved", lambda: chance.random() < 0.5),
        ]
        prose = [("Notes", lambda: self._prose(40)), ("Attachment", self._attachment)]
        return {
            "contact": [*person, *task, *prose],
            "notes": [*person[:1], ("Summary", lambda: self._prose(20)), *prose[:1]],
            "order": [*person, *task[:3], ("Lines", self._lines)],
            "survey": [*person[:1], *((f"Question {n}: {self._prose(5)}", self._rating) for n in range(1, 30))],
            "change": [*person, *task, *prose],
        }[kind]

    def _lines(self) -> list[dict[str, Any]]:
        chance = self._random
        return [
            {
                "sku": f"SKU-{chance.randrange(10_000):05d}",
                "description": f"{chance.choice(WORDS)} {chance.choice(WORDS)}",
                "quantity": chance.randrange(1, 20),
                "unit_price": round(chance.uniform(1, 400), 2),
                "taxable": chance.random() < 0.8,
            }
            for _ in range(6)
        ]

    def _rating(self) -> str:
        return self._random.choice(["Strongly agree", "Agree", "Neither agree nor disagree", "Disagree", "No answer"])

    def _attachment(self) -> list[dict[str, Any]]:
        identifier = self._id("att")
        name = f"{self._random.choice(WORDS)}-{self._random.choice(WORDS)}.pdf"
        url = f"https://files.example.com/v1/{identifier}/{name}"
        return [{"id": identifier, "url": url, "filename": name, "size": self._random.randrange(9_000_000)}]

    def _email(self) -> str:
        chance = self._random
        return f"{chance.choice(FIRST)}.{chance.choice(LAST)}@{chance.choice(COMPANIES)}.example".lower()

    def _prose(self, words: int) -> str:
        weights = [1 / (rank + 3) for rank in range(len(WORDS))]
        return " ".join(self._random.choices(WORDS, weights, k=words)).capitalize() + "."

    def _time(self) -> str:
        chance = self._random
        day = f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
        return f"{day}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}Z"

    def _id(self, prefix: str) -> str:
        return prefix + "".join(self._random.choices(ALPHABET, k=14))


def main() -> None:
    """Write the corpus anew: figures measured before and after can no longer be compared."""
    author = _Author(2026)
    made: list[tuple[int, dict[str, Any]]] = [
        (k, author.event(k, KINDS[n % len(KINDS)])) for k, count in COUNTS.items() for n in range(count)
    ]
    lines: Sequence[str] = [json.dumps({"kilobytes": k, "event": event}, separators=(",", ":")) for k, event in made]
    FILE.write_text("\n".join(lines) + "\n")
    sizes = {k: sorted(payload_bytes(event) for size, event in made if size == k) for k in COUNTS}
    sys.stdout.write(f"{FILE.name}: {sizes}\n")


if __name__ == "__main__":
    main()
