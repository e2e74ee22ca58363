"""The desk in a real browser: cards are drawn, clicked, modals filled in, commands typed; hostile names stay text."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import uvicorn
from pytest_httpserver import HTTPServer
from starlette.types import ASGIApp
from werkzeug import Request, Response

from connector.sandbox.hubspot.service import Options as CrmOptions
from connector.sandbox.hubspot.service import build as build_crm
from connector.sandbox.show.children import free_ports
from connector.sandbox.slack.service import Options as SlackOptions
from connector.sandbox.slack.service import build as build_slack

Json = dict[str, Any]
pytestmark = pytest.mark.needs_chromium

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


class Serving:
    """An application on a port of its own, in a thread."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        pause = threading.Event()
        while not self.server.started:
            assert self.thread.is_alive()
            pause.wait(0.02)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


@dataclass
class Desk:
    url: str
    crm: str
    app_requests: list[Json] = field(default_factory=list)

    def slack(self, method: str, **arguments: Any) -> Json:
        answer = httpx.post(
            f"{self.url}/api/{method}", json=arguments, headers={"authorization": "Bearer x"}, trust_env=False
        ).json()
        assert answer["ok"], answer
        read: Json = answer
        return read


@pytest.fixture
def desk(httpserver: HTTPServer) -> Iterator[Desk]:
    crm_port, slack_port = free_ports(2)
    url, crm = f"http://127.0.0.1:{slack_port}", f"http://127.0.0.1:{crm_port}"
    found = Desk(url, crm)

    def take(request: Request) -> Response:
        form = parse_qs(request.get_data().decode())
        payload = json.loads(form["payload"][0]) if "payload" in form else {name: values[0] for name, values in form.items()}
        found.app_requests.append(payload)
        if payload.get("actions", [{}])[0].get("action_id") == "pass":
            reason = {"type": "static_select", "action_id": "r", "options": [{"text": plain("No capacity"), "value": "nc"}]}
            block = {"type": "input", "block_id": "reason", "label": plain("Why?"), "element": reason}
            view = {"type": "modal", "title": plain("Pass"), "submit": plain("Pass it on"), "blocks": [block]}
            found.slack("views.open", trigger_id=payload["trigger_id"], view=view)
        return Response(status=200)

    httpserver.expect_request("/slack/events").respond_with_handler(take)
    options = SlackOptions("x", url, httpserver.url_for("/slack/events"), "shh", crm)
    servers = [Serving(build_crm(CrmOptions("t", history=0)), crm_port), Serving(build_slack(options), slack_port)]
    try:
        yield found
    finally:
        for server in servers:
            server.stop()


def plain(words: str) -> Json:
    return {"type": "plain_text", "text": words}


def card(name: str) -> list[Json]:
    buttons = [
        {"type": "button", "text": plain("Accept"), "action_id": "accept", "value": "7", "style": "primary"},
        {"type": "button", "text": plain("Pass"), "action_id": "pass", "value": "7"},
        {"type": "overflow", "action_id": "more", "options": [{"text": plain("Reassign"), "value": "reassign:7"}]},
    ]
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return [
        {"type": "header", "text": plain(name[:150])},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*VP Sales* at _{escaped}_"}},
        {"type": "actions", "block_id": "lead:7", "elements": buttons},
    ]


@pytest.fixture
def page(desk: Desk) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1400, "height": 850})
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.goto(desk.url)
        yield opened
        browser.close()
        assert faults == []


def wait_until(page: Any, holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(25)
    raise AssertionError("it did not happen")


def test_a_rep_clicks_fills_in_and_types(desk: Desk, page: Any) -> None:
    posted = desk.slack("chat.postMessage", channel="U0REP00000", text="New A lead", blocks=card("Ada Wang"))
    page.get_by_role("button", name="Accept").click()
    wait_until(page, lambda: any(one.get("type") == "block_actions" for one in desk.app_requests))
    assert desk.app_requests[0]["actions"][0] | {"action_ts": ""} == {
        "type": "button", "action_id": "accept", "block_id": "lead:7", "value": "7", "text": plain("Accept"), "action_ts": "",
    }  # fmt: skip

    desk.slack("chat.update", channel=posted["channel"], ts=posted["ts"], text="x", blocks=card("Ada Wang, accepted"))
    page.locator(".b-header", has_text="Ada Wang, accepted").wait_for()

    page.get_by_role("button", name="Pass", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").select_option(label="No capacity")
    dialog.get_by_role("button", name="Pass it on").click()
    wait_until(page, lambda: any(one.get("type") == "view_submission" for one in desk.app_requests))
    values = desk.app_requests[-1]["view"]["state"]["values"]
    assert values["reason"]["r"]["selected_option"]["value"] == "nc"
    dialog.wait_for(state="detached")

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Reassign").click()
    wait_until(page, lambda: desk.app_requests[-1].get("actions", [{}])[0].get("selected_option", {}).get("value") == "reassign:7")

    page.get_by_label("Message", exact=True).fill("/lead show Ada")
    page.keyboard.press("Enter")
    wait_until(page, lambda: desk.app_requests[-1].get("command") == "/lead")
    assert desk.app_requests[-1]["text"] == "show Ada"


def test_hostile_names_stay_text_on_both_sides(desk: Desk, page: Any) -> None:
    httpx.post(f"{desk.crm}/sandbox/contacts", json={"firstname": HOSTILE, "company": HOSTILE}, trust_env=False).raise_for_status()
    desk.slack("chat.postMessage", channel="U0REP00000", text="x", blocks=card(HOSTILE))
    page.locator("#crm-rows tr").wait_for()
    page.locator("#crm-rows tr").click()
    page.locator(".drawer h3").wait_for()
    page.locator("#messages .message").wait_for()
    assert HOSTILE in page.locator("#crm-rows").inner_text()
    assert HOSTILE in page.locator("#messages").inner_text()
    assert page.title() == "Leadswitch sandbox"
    assert page.locator("img[src=x]").count() == 0
