"""The tracking script in a real browser, on a page of another site: what it sends, when, and of whom not."""

from __future__ import annotations

import io
import threading
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from pytest_httpserver import HTTPServer

from connector import testing
from connector.bootstrap import House
from connector.clock import SystemClock
from connector.testing import run_bells
from leads.enums import EngagementKind as Kind

pytestmark = pytest.mark.needs_chromium

KEY = "a-long-key-in-the-address"
#: Without the word by which a browser that nobody looks at tells itself: its acts would be a machine's.
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
PAGE = """<!doctype html><title>Shop</title>
<a id="guide" href="/files/guide.pdf?campaign=x" onclick="return false">Guide</a>
<video id="clip" src="/clip.wav" muted></video>
<form id="contact"><input name="email"></form>
<script>document.getElementById("contact").addEventListener("submit", function (event) {
  event.preventDefault(); leadswitch.identify(event.target.email.value);
});</script>
<script src="SCRIPT" CONSENT></script>
"""


def sound() -> bytes:
    """A tenth of a second of silence, which a browser plays like any film."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8_000)
        file.writeframes(b"\x80" * 800)
    return made.getvalue()


@pytest.fixture
def site(httpserver: HTTPServer, free_port: Callable[[], int]) -> str:
    """Somebody's web site: `/ask` waits for consent, `/free` need not."""
    port = free_port()
    script = f"http://127.0.0.1:{port}/webhooks/site/{KEY}/leadswitch.js"
    for path, consent in (("/ask", 'data-consent="required"'), ("/free", "")):
        page = PAGE.replace("SCRIPT", script).replace("CONSENT", consent)
        httpserver.expect_request(path).respond_with_data(page, content_type="text/html")
    httpserver.expect_request("/clip.wav").respond_with_data(sound(), content_type="audio/wav")
    httpserver.expect_request("/favicon.ico").respond_with_data(b"", status=204)
    httpserver.leadswitch_port = port  # type: ignore[attr-defined]
    return httpserver.url_for("").rstrip("/")


@pytest.fixture
def house(site: str, httpserver: HTTPServer, tmp_path: Path) -> Iterator[House]:
    """A house with the site's connection and its web process on a thread."""
    from webhooks.app import create_app

    connection = {"name": "site", "adapter": "web_tracking", "webhook_secrets": [KEY], "allowed_origins": [site]}
    built = testing.house(tmp_path, clock=cast(Any, SystemClock()), connections={"site": connection})
    port = httpserver.leadswitch_port  # type: ignore[attr-defined]
    server = uvicorn.Server(uvicorn.Config(create_app(built), host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield built
    server.should_exit = True
    thread.join()
    built.close()


@pytest.fixture
def visit(chromium: str, house: House, site: str, eventually: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Opens a page of the site in a fresh browser profile; faults of the page fail the test."""
    from playwright.sync_api import sync_playwright

    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def open_page(path: str, before: str = "") -> Any:
            page = browser.new_context(user_agent=PERSON).new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.add_init_script(before)
            eventually(lambda: _loads(page, f"{site}{path}"), what="the script is served")
            return page

        yield open_page
        browser.close()
    assert faults == []


def _loads(page: Any, address: str) -> bool:
    page.goto(address)
    return bool(page.evaluate("typeof window.leadswitch === 'object'"))


def deliveries(house: House) -> int:
    with house.db.connected():
        return int(house.db.run("SELECT COUNT(*) FROM inbox").fetchone()[0])


def identify(page: Any, email: str) -> None:
    """Send the form of the page."""
    page.fill("#contact input", email)
    page.press("#contact input", "Enter")


def lead_of(house: House, email: str) -> Any:
    [lead_id] = house.leads.find(house.leads.tokens("site", None, {"email": email}))
    return house.histories.at(lead_id, house.clock.now())


def kept(page: Any) -> list[str]:
    """The kinds of the events that wait in the visitor's browser."""
    found = page.evaluate("(JSON.parse(localStorage.getItem('leadswitch') || '{}').events || []).map(one => one.k)")
    return cast(list[str], found)


def test_what_a_visitor_did_is_kept_in_the_browser_and_sent_when_they_say_who_they_are(
    visit: Callable[..., Any], house: House, site: str, eventually: Callable[..., Any]
) -> None:
    page = visit("/free")
    page.click("#guide")
    page.evaluate("document.getElementById('clip').play()")
    eventually(lambda: "video" in kept(page))
    page.evaluate("history.pushState({}, '', '/pricing?plan=team')")
    assert kept(page) == ["page", "download", "video", "page"]
    assert deliveries(house) == 0, "nobody said who they are"
    identify(page, "ada@example.com")
    eventually(lambda: deliveries(house) == 1)
    eventually(lambda: run_bells(house), what="the bell rings once a delivery is stored")
    history = lead_of(house, "ada@example.com")
    told = [(act.kind, act.properties["url"], act.machine) for act in history.engagements]
    assert told == [
        (Kind.PAGE_VIEWED, "localhost/free", False),
        (Kind.CONTENT_DOWNLOADED, "localhost/files/guide.pdf", False),
        (Kind.VIDEO_WATCHED, "localhost/clip.wav", False),
        (Kind.PAGE_VIEWED, "localhost/pricing", False),
    ]
    assert history.engagements[2].properties["percent"] == 100
    assert len({act.properties["session"] for act in history.engagements}) == 1
    page.evaluate("leadswitch.download('/files/prices.xlsx')")
    eventually(lambda: deliveries(house) == 2)
    eventually(lambda: run_bells(house), what="the bell rings once a delivery is stored")
    assert len(lead_of(house, "ada@example.com").engagements) == 5, "a visitor who is known stays known"


def test_nothing_is_kept_or_sent_before_consent_and_nothing_after_it_is_taken_back(
    visit: Callable[..., Any], house: House, eventually: Callable[..., Any]
) -> None:
    page = visit("/ask")
    page.click("#guide")
    identify(page, "ada@example.com")
    assert page.evaluate("localStorage.getItem('leadswitch')") is None
    page.evaluate("leadswitch.consent(true)")
    assert kept(page) == ["page"], "what came before stays unknown"
    identify(page, "ada@example.com")
    eventually(lambda: deliveries(house) == 1)
    page.evaluate("leadswitch.consent(false)")
    page.click("#guide")
    identify(page, "ada@example.com")
    assert page.evaluate("localStorage.getItem('leadswitch')") == '{"consent":false}'
    assert deliveries(house) == 1


@pytest.mark.parametrize(("name", "value"), [("doNotTrack", "'1'"), ("globalPrivacyControl", "true")])
def test_who_refuses_is_left_alone(visit: Callable[..., Any], house: House, name: str, value: str) -> None:
    page = visit("/free", f"Object.defineProperty(Navigator.prototype, '{name}', {{ get: () => {value} }});")
    page.click("#guide")
    page.evaluate("leadswitch.consent(true)")
    identify(page, "ada@example.com")
    assert kept(page) == []
    assert page.evaluate("performance.getEntriesByType('resource').filter(one => one.initiatorType === 'beacon').length") == 0
    assert deliveries(house) == 0
