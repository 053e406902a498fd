"""Opening and saving changes nothing: documents come out of the editors byte for byte, and nothing typed is lost."""

import json
import random
from typing import Any, get_args

import pytest
from playwright.sync_api import Request, Route, expect

from tests.browser.look import Look
from tests.support.service import Service, User
from webhooks.matching.filter_document import ListOperator, Operator

DOCUMENTS, SEED = 200, 16
NUMBERS = ("9007199254740993", "1234567890123456789", "1.10", "1e-400", "-0", "-0.0", "1E5", "0.30000000000000004", "7")
STRINGS = ("", " a", "a ", "[x", "y", "one, two", "two\nlines", "12", "true", "null", '"quoted"', "{}", "\r\n", "Ж 🙂")
NAMES = ("status", "10", "2", "b", "a", "__proto__", "constructor", "data.fields.x", "toJSON")
OPERATORS = get_args(Operator)

# In the page: each document into the editor of filters and out again, and laid out as JSON and read again.
THROUGH_EDITOR = """async (texts) => {
  const at = (name) => new URL(`dashboard/js/${name}`, location.origin + "/").href;
  const { parse, write } = await import(at("exact.js"));
  const { filterEditor } = await import(at("filter_editor.js"));
  return texts.map((text) => {
    const webhook = { workspace_id: null, user_id: 1 };
    const editor = filterEditor({ filters: parse(text), webhook, eventType: () => "*" });
    const ruled = editor.element.querySelector(".rules") !== null;
    return [write(editor.read()), write(parse(write(parse(text), 2))), ruled];
  });
}"""

# In the page: each text typed as the value of a rule, and what a save would send of it.
TYPED = """async (texts) => {
  const at = (name) => new URL(`dashboard/js/${name}`, location.origin + "/").href;
  const { write } = await import(at("exact.js"));
  const { filterEditor } = await import(at("filter_editor.js"));
  const rule = (operator) => ({ conditions: { operator: "and", rules: [{ field: "f", operator, value: ["0"] }] } });
  return texts.map(([operator, text]) => {
    const webhook = { workspace_id: null, user_id: 1 };
    const editor = filterEditor({ filters: rule(operator), webhook, eventType: () => "*" });
    editor.element.querySelector("[aria-label=Value]").value = text;
    return write(editor.read().conditions.rules[0].value);
  });
}"""


def _scalar(chance: random.Random) -> str:
    """The JSON text of one value."""
    return chance.choice(
        (chance.choice(NUMBERS), json.dumps(chance.choice(STRINGS), ensure_ascii=False), "null", "true")
    )


def _object(chance: random.Random, value: Any) -> str:
    names = chance.sample(NAMES, chance.randrange(1, len(NAMES)))
    return "{" + ",".join(f'"{name}":{value(chance)}' for name in names) + "}"


def _list(chance: random.Random) -> str:
    return "[" + ",".join(_scalar(chance) for _ in range(chance.randrange(4))) + "]"


def _rule(chance: random.Random) -> str:
    if chance.random() < 0.2:
        operator = chance.choice(get_args(ListOperator))
        return f'{{"field":"rows","operator":"{operator}","where":{_rule(chance)}}}'
    operator = chance.choice(OPERATORS)
    if operator in ("exists", "not_exists", "blank", "not_blank", "changed"):
        return f'{{"field":"status","operator":"{operator}"}}'
    value = _list(chance) if operator in ("in", "not_in") else _scalar(chance)
    folds = ',"ignore_case":true' if chance.random() < 0.2 else ""
    return f'{{"field":"{chance.choice(NAMES)}","operator":"{operator}","value":{value}{folds}}}'


def _rules(chance: random.Random) -> str:
    rules = ",".join(_rule(chance) for _ in range(chance.randrange(1, 4)))
    return f'{{"conditions":{{"operator":"{chance.choice(("and", "or", "not"))}","rules":[{rules}]}}}}'


def _document(chance: random.Random) -> str:
    """Compact JSON: plain rules, filters that rules cannot show, or metadata."""
    kind = chance.randrange(4)
    if kind < 2:
        return _rules(chance)
    if kind == 2:
        return f'{{"user_id":[9007199254740993],"fields":{_object(chance, _scalar)}}}'
    return _object(chance, lambda more: _object(more, _list))


def test_generated_documents_come_out_byte_for_byte(look: Look, service: Service) -> None:
    chance = random.Random(SEED)
    texts = [_document(chance) for _ in range(DOCUMENTS)]
    look.sign_in(service.user())
    found = look.page.evaluate(THROUGH_EDITOR, texts)
    assert [(text, text) for text in texts] == [(read, laid_out) for read, laid_out, _ in found]
    shown_as_rules = sum(ruled for *_, ruled in found)
    assert DOCUMENTS // 5 < shown_as_rules < DOCUMENTS, "both ways of showing filters are to be tried"


@pytest.mark.parametrize("operator", ["in", "not_in"])
def test_what_is_typed_as_a_value_is_sent_as_it_was_typed(look: Look, service: Service, operator: str) -> None:
    typed = {
        "1234567890123456789": "[1234567890123456789]",
        "9007199254740993, 1.10": "[9007199254740993,1.10]",
        '["", "x"]': '["","x"]',
        '[" a"]': '[" a"]',
        '["[x","y"]': '["[x","y"]',
        '["two\\nlines"]': '["two\\nlines"]',
        "12345678901234567890.12345": "[12345678901234567890.12345]",
    }
    look.sign_in(service.user())
    assert look.page.evaluate(TYPED, [[operator, text] for text in typed]) == list(typed.values())


def _webhook(user: User, service: Service, filters: str, metadata: str) -> tuple[str, str]:
    """Registered as written: the addresses of a webhook and of its subscription."""
    webhook = user.register(service.receiver.url(service.path()), "record.created")
    read = f"/webhooks/{webhook['id']}"
    (subscription,) = user.items(f"{read}/subscriptions")
    at = f"{read}/subscriptions/{subscription['id']}"
    for path, name, text in ((at, "filters", filters), (read, "metadata", metadata)):
        body = f'{{"{name}":{text}}}'
        answer = user.request("PUT", path, content=body.encode(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 200, answer.text
    return read, at


RULES = '{"conditions":{"operator":"and","rules":[{"field":"f","operator":"%s","value":%s}]}}'


@pytest.mark.parametrize(
    "filters",
    [
        '{"fields":{"deleted_at":null}}',
        RULES % ("in", '["","x"]'),
        RULES % ("in", '[" a"]'),
        RULES % ("in", '["[x","y"]'),
        RULES % ("equals", '"two\\nlines"'),
        RULES % ("equals", "9007199254740993"),
        RULES % ("greater_than", "1234567890123456789"),
        RULES % ("equals", "1.10"),
    ],
)
def test_a_save_sends_only_what_was_changed_and_that_exactly(look: Look, service: Service, filters: str) -> None:
    metadata = '{"10":9007199254740993,"2":[1.10,12345678901234567890.12345,-0],"b":"two\\nlines"}'
    user = service.user()
    read, at = _webhook(user, service, filters, metadata)
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "PUT":
            sent.append(request.post_data or "")

    look.page.on("request", note)
    look.sign_in(user, f"#{read}?tab=subscriptions")
    look.press("Change record.created")
    look.press("Save")
    look.toast("Saved")
    assert sent == []

    look.press("Change record.created")
    look.front.get_by_label("Resource id").fill("rec_1")
    look.press("Save")
    expect(look.page.locator("td", has_text="rec_1")).to_be_visible()
    assert sent == ['{"resource_id":"rec_1"}']
    assert f'"filters":{filters}' in user.get(at).text

    look.open(f"#{read}/edit")
    shown = look.page.get_by_label("Metadata")
    assert "9007199254740993" in shown.input_value()
    assert "12345678901234567890.12345" in shown.input_value()
    assert shown.input_value().index('"10"') < shown.input_value().index('"2"')
    shown.fill(metadata.replace("two", "three"))
    with look.page.expect_response(lambda answer: answer.request.method == "PUT"):
        look.press("Save")
    assert sent[1:] == [f'{{"metadata":{metadata.replace("two", "three")}}}']
    assert f'"metadata":{metadata.replace("two", "three")}' in user.get(read).text


def test_json_that_rules_cannot_show_stays_json(look: Look, service: Service) -> None:
    user = service.user()
    read, _ = _webhook(user, service, '{"fields":{"deleted_at":null}}', "{}")
    look.sign_in(user, f"#{read}?tab=subscriptions")
    look.press("Change record.created")
    source = look.front.get_by_label("Filters as JSON")
    for text in ('{"fields": {"deleted_at": null}}', '{"fields": {'):
        source.fill(text)
        look.press("Rules")
        expect(look.front.locator(".filter-editor > .field-error")).not_to_be_empty()
        expect(source).to_have_value(text)


def test_an_event_is_shown_as_published_and_what_came_under_its_id_too(look: Look, service: Service) -> None:
    user = service.user()
    user.register(service.receiver.url(service.path()), "record.created")
    text = '{"id":"%s","type":"record.created","data":{"a":1.10,"b":12345678901234567890.12345}}'
    event_id = service.path().strip("/").replace("/", "-")
    headers = {"Content-Type": "application/json"}
    user.request("POST", "/events", content=(text % event_id).encode(), headers=headers)
    look.sign_in(user, f"#/events/{event_id}")
    expect(look.page.get_by_label("Payload", exact=True)).to_contain_text('"b": 12345678901234567890.12345')
    expect(look.page.get_by_label("Payload", exact=True)).to_contain_text('"a": 1.10')
    other = (text % event_id).replace("1.10", "1.1").encode()
    answer = user.request("POST", "/events", content=other, headers=headers)
    assert answer.status_code == 409, answer.text
    look.page.reload()
    expect(look.page.get_by_text("It differs in data.a.")).to_be_visible()


def test_what_was_typed_is_lost_only_when_somebody_says_so(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), "record.created", name="Before")
    read = f"/webhooks/{webhook['id']}"
    question = look.page.get_by_role("dialog", name="Leave without saving?")
    look.sign_in(user, f"#{read}/edit")
    name = look.page.get_by_label("Name", exact=True)
    name.fill("After")
    for answer in ("Cancel", "Leave"):
        look.page.get_by_role("link", name="Events").click()
        expect(name).to_have_value("After")
        question.get_by_role("button", name=answer).click()
        expect(question).to_have_count(0)
    expect(look.page).to_have_url(f"{look.base_url}/dashboard#/events")
    look.settled()

    look.open(f"#{read}?tab=subscriptions")
    look.press("Change record.created")
    resource = look.front.get_by_label("Resource id")
    resource.fill("rec_1")
    for key in ("Escape", "Escape"):
        look.page.keyboard.press(key)
        expect(question).to_be_visible()
        look.page.keyboard.press(key)
        expect(question).to_have_count(0)
        expect(resource).to_have_value("rec_1")
    look.page.keyboard.press("Escape")
    question.get_by_role("button", name="Leave").click()
    expect(look.page.locator("dialog[open]")).to_have_count(0)

    look.press("Change record.created")
    expect(resource).to_be_visible()  # before it opens, the key would go to the page
    look.page.keyboard.press("Escape")
    expect(look.page.locator("dialog[open]")).to_have_count(0)


def test_who_leaves_while_it_is_saved_is_not_called_back(look: Look, service: Service) -> None:
    user = service.user()
    webhook = user.register(service.receiver.url(service.path()), "record.created", name="Before")
    look.sign_in(user, f"#/webhooks/{webhook['id']}/edit")
    look.page.get_by_label("Name", exact=True).fill("After")
    held: list[Route] = []
    look.page.route(f"**/api/v1/webhooks/{webhook['id']}", lambda route: held.append(route))
    look.page.get_by_role("button", name="Save", exact=True).click()
    look.page.get_by_role("link", name="Events").click()
    question = look.page.get_by_role("dialog", name="Leave without saving?")
    question.get_by_role("button", name="Leave").click()
    expect(question).to_have_count(0)
    held.pop().continue_()
    expect(look.page.locator(".toast:has-text('Saved')")).to_be_visible()
    look.settled()
    expect(look.page).to_have_url(f"{look.base_url}/dashboard#/events")
    assert user.read(f"/webhooks/{webhook['id']}")["name"] == "After"
