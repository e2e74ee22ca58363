"""Block Kit's rules: what Slack refuses with `invalid_blocks`.

Source: Slack "Block Kit" reference: blocks, block elements and composition objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]

MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100
_SELECTS: Final = ("static_select", "external_select", "users_select", "conversations_select", "channels_select")
_INPUTS: Final = (
    *_SELECTS,
    *("multi_" + name for name in _SELECTS),
    "plain_text_input",
    "number_input",
    "email_text_input",
    "url_text_input",
    "radio_buttons",
    "checkboxes",
    "datepicker",
    "timepicker",
    "datetimepicker",
)
_PRESSED: Final = ("button", "overflow", *_INPUTS)


def _text(at: str, value: Any, most: int, plain: bool = False) -> Iterator[str]:
    """A text object of at most so many characters."""
    if not isinstance(value, Mapping) or value.get("type") not in ("plain_text", "mrkdwn"):
        yield f"{at} must be a text object"
        return
    if plain and value["type"] != "plain_text":
        yield f"{at} must be plain_text"
    words = value.get("text")
    if not isinstance(words, str) or not words:
        yield f"{at}.text must not be empty"
    elif len(words) > most:
        yield f"{at}.text is longer than {most} characters"


def _word(at: str, value: Any, most: int) -> Iterator[str]:
    if value is not None and (not isinstance(value, str) or len(value) > most):
        yield f"{at} must be a string of at most {most} characters"


def _options(at: str, options: Any, least: int, most: int, value_most: int = 150) -> Iterator[str]:
    if not isinstance(options, Sequence) or not least <= len(options) <= most:
        yield f"{at}.options must hold {least} to {most} entries"
        return
    for index, option in enumerate(options):
        yield from _text(f"{at}.options[{index}].text", option.get("text"), 75)
        yield from _word(f"{at}.options[{index}].value", option.get("value"), value_most)
        if option.get("description") is not None:
            yield from _text(f"{at}.options[{index}].description", option["description"], 75, plain=True)


def _confirm(at: str, confirm: Json) -> Iterator[str]:
    for key, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text(f"{at}.confirm.{key}", confirm.get(key), most)


def _element(at: str, element: Any, allowed: Sequence[str]) -> Iterator[str]:
    if not isinstance(element, Mapping) or element.get("type") not in allowed:
        kind = element.get("type") if isinstance(element, Mapping) else element
        yield f"{at}: unsupported element {kind!r}"
        return
    kind = element["type"]
    yield from _word(f"{at}.action_id", element.get("action_id"), 255)
    if kind == "button":
        yield from _text(f"{at}.text", element.get("text"), 75, plain=True)
        yield from _word(f"{at}.value", element.get("value"), 2000)
        yield from _word(f"{at}.url", element.get("url"), 3000)
        if element.get("style") not in (None, "primary", "danger"):
            yield f"{at}.style must be primary or danger"
    elif kind == "overflow":
        yield from _options(at, element.get("options"), 1, 5)
    elif kind in ("radio_buttons", "checkboxes"):
        yield from _options(at, element.get("options"), 1, 10)
    elif kind in ("static_select", "multi_static_select") and "option_groups" not in element:
        yield from _options(at, element.get("options"), 1, 100)
    if element.get("placeholder") is not None:
        yield from _text(f"{at}.placeholder", element["placeholder"], 150, plain=True)
    if element.get("confirm") is not None:
        yield from _confirm(at, element["confirm"])
    initial, options = element.get("initial_option"), element.get("options")
    if initial is not None and kind in ("static_select", "radio_buttons") and initial not in (options or []):
        yield f"{at}.initial_option must be one of the options"


def _section(at: str, block: Json) -> Iterator[str]:
    if block.get("text") is None and not block.get("fields"):
        yield f"{at} needs text or fields"
    if block.get("text") is not None:
        yield from _text(f"{at}.text", block["text"], 3000)
    fields = block.get("fields") or []
    if len(fields) > 10:
        yield f"{at}.fields holds more than 10"
    for index, field in enumerate(fields):
        yield from _text(f"{at}.fields[{index}]", field, 2000)
    if block.get("accessory") is not None:
        yield from _element(f"{at}.accessory", block["accessory"], (*_PRESSED, "image"))


def _header(at: str, block: Json) -> Iterator[str]:
    yield from _text(f"{at}.text", block.get("text"), 150, plain=True)


def _context(at: str, block: Json) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, Sequence) or not 1 <= len(elements) <= 10:
        yield f"{at}.elements must hold 1 to 10"
        return
    for index, element in enumerate(elements):
        if isinstance(element, Mapping) and element.get("type") == "image":
            continue
        yield from _text(f"{at}.elements[{index}]", element, 3000)


def _actions(at: str, block: Json) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, Sequence) or not 1 <= len(elements) <= 25:
        yield f"{at}.elements must hold 1 to 25"
        return
    for index, element in enumerate(elements):
        yield from _element(f"{at}.elements[{index}]", element, _PRESSED)


def _input(at: str, block: Json) -> Iterator[str]:
    yield from _text(f"{at}.label", block.get("label"), 2000, plain=True)
    yield from _element(f"{at}.element", block.get("element"), _INPUTS)
    if block.get("hint") is not None:
        yield from _text(f"{at}.hint", block["hint"], 2000, plain=True)


def _nothing(at: str, block: Json) -> Iterator[str]:
    return iter(())


_BLOCKS: Final[Mapping[str, Callable[[str, Json], Iterator[str]]]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "divider": _nothing,
    "image": _nothing,
    "rich_text": _nothing,
}


def _elements(block: Json) -> Iterator[Json]:
    """Everything in a block that can be pressed or filled in."""
    found = [*(block.get("elements") or []), block.get("accessory"), block.get("element")]
    return (one for one in found if isinstance(one, Mapping) and one.get("action_id"))


def faults_of_blocks(blocks: Any, most: int = MESSAGE_BLOCKS) -> list[str]:
    """Everything Slack would refuse, with where it stands. Empty when the blocks are fine."""
    if not isinstance(blocks, list):
        return ["blocks must be an array"]
    faults = [f"more than {most} blocks"] if len(blocks) > most else []
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        at = f"blocks[{index}]"
        kind = str(block.get("type")) if isinstance(block, Mapping) else ""
        if kind not in _BLOCKS:
            faults.append(f"{at}: unsupported block {kind!r}")
            continue
        faults += _word(f"{at}.block_id", block.get("block_id"), 255)
        faults += _BLOCKS[kind](at, block)
        block_id = block.get("block_id")
        if block_id and block_id in seen:
            faults.append(f"{at}.block_id is used twice")
        seen.add(block_id or "")
        ids = [element["action_id"] for element in _elements(block)]
        if len(ids) != len(set(ids)):
            faults.append(f"{at}: an action_id is used twice in one block")
    return faults


def faults_of_view(view: Any) -> list[str]:
    """The same for a modal or a home tab."""
    if not isinstance(view, Mapping) or view.get("type") not in ("modal", "home"):
        return ["view.type must be modal or home"]
    faults = faults_of_blocks(view.get("blocks"), VIEW_BLOCKS)
    if view["type"] == "modal":
        faults += _text("view.title", view.get("title"), 24, plain=True)
        for key in ("submit", "close"):
            if view.get(key) is not None:
                faults += _text(f"view.{key}", view[key], 24, plain=True)
        if any(block.get("type") == "input" for block in view.get("blocks") or []) and view.get("submit") is None:
            faults.append("view.submit is required when there is an input block")
    faults += _word("view.callback_id", view.get("callback_id"), 255)
    faults += _word("view.private_metadata", view.get("private_metadata"), 3000)
    return faults
