"""Slack's documented limits of Block Kit, as a check that tests run over every payload.

https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

import re
from typing import Any

ENTITY = re.compile(r"&(?:amp|lt|gt);")
DATE_TOKEN = re.compile(r"<!date\^\d+\^[^|<>]+\|[^|<>]+>")


def width(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def check_text(part: dict[str, Any], limit: int) -> None:
    assert part["type"] in ("mrkdwn", "plain_text")
    text = part["text"]
    assert 0 < width(text) <= limit, (len(text), limit)
    bare = DATE_TOKEN.sub("", text) if part["type"] == "mrkdwn" else text
    assert not re.search("[<>]", bare), bare
    assert "&" not in ENTITY.sub("", bare), bare
    if part["type"] == "mrkdwn":
        assert part["verbatim"] is True
    else:
        assert part["emoji"] is False


def check_option(option: dict[str, Any]) -> None:
    check_text(option["text"], 75)
    if "description" in option:
        check_text(option["description"], 75)
    assert 0 < len(option["value"]) <= 150


def check_element(element: dict[str, Any]) -> None:
    assert 0 < len(element["action_id"]) <= 255
    kind = element["type"]
    if kind == "button":
        check_text(element["text"], 75)
        assert element["text"]["type"] == "plain_text"
        assert len(element["value"]) <= 2000
        assert len(element.get("url", "")) <= 3000
        assert element.get("style") in (None, "primary", "danger")
    elif kind == "overflow":
        assert 1 <= len(element["options"]) <= 5
        for option in element["options"]:
            check_option(option)
    elif kind in ("radio_buttons", "checkboxes"):
        assert 1 <= len(element["options"]) <= 10
        for option in element["options"]:
            check_option(option)
        assert all(option in element["options"] for option in element.get("initial_options", []))
    elif kind == "datepicker":
        pass
    elif kind == "number_input":
        assert element["is_decimal_allowed"] in (True, False)
        assert element.get("initial_value", "0").isdecimal()
    elif kind == "static_select":
        if "placeholder" in element:
            check_text(element["placeholder"], 150)
        assert ("options" in element) != ("option_groups" in element)
        groups = element.get("option_groups") or [{"options": element["options"]}]
        assert 1 <= len(groups) <= 100
        for group in groups:
            if "label" in group:
                check_text(group["label"], 75)
            assert 1 <= len(group["options"]) <= 100
            for option in group["options"]:
                check_option(option)
    else:
        assert kind == "plain_text_input"
        assert 1 <= element["max_length"] <= 3000


def check_block(block: dict[str, Any]) -> None:
    assert len(block.get("block_id", "")) <= 255
    kind = block["type"]
    if kind == "header":
        check_text(block["text"], 150)
        assert block["text"]["type"] == "plain_text"
    elif kind == "section":
        check_text(block["text"], 3000)
        if "accessory" in block:
            check_element(block["accessory"])
    elif kind == "context":
        assert 1 <= len(block["elements"]) <= 10
        for element in block["elements"]:
            check_text(element, 3000)
    elif kind == "actions":
        assert 1 <= len(block["elements"]) <= 25
        for element in block["elements"]:
            check_element(element)
        ids = [element["action_id"] for element in block["elements"]]
        assert len(ids) == len(set(ids))
    else:
        assert kind == "input"
        check_text(block["label"], 2000)
        check_element(block["element"])


def check_message(blocks: list[dict[str, Any]]) -> None:
    assert 1 <= len(blocks) <= 50
    for block in blocks:
        check_block(block)


def check_modal(view: dict[str, Any]) -> None:
    assert view["type"] == "modal"
    for part in ("title", "submit", "close"):
        check_text(view[part], 24)
    assert len(view["callback_id"]) <= 255
    assert len(view["private_metadata"]) <= 3000
    assert 1 <= len(view["blocks"]) <= 100
    for block in view["blocks"]:
        check_block(block)
