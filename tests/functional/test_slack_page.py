"""The whole product's Slack end in a real browser: cards, forms, commands and App Home, clicked as a person would.

With LEADSWITCH_TEST_SCREENSHOTS set to a folder the pictures for the documentation are written there.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from connector.actors import handle_command
from connector.bootstrap import House
from connector.pipeline.deliver import deliver
from connector.pipeline.homes import HomeWatch
from connector.testing import RecordingBell
from leads.enums import EffectKind, Tier
from tests.functional.test_slack_round_trip import MANAGER, REP, house, ports, web, workspace  # noqa: F401 - fixtures
from tests.unit.bots.slack_fakes import add_lead

pytestmark = pytest.mark.needs_chromium

PICTURES = os.environ.get("LEADSWITCH_TEST_SCREENSHOTS")


@pytest.fixture
def working(house: House, web: httpx.Client) -> Iterator[None]:  # noqa: F811
    """Worker and clock, in a thread of their own."""
    stop = threading.Event()
    watch = HomeWatch(house)

    def work() -> None:
        bell = cast(RecordingBell, house.queue)
        while not stop.wait(0.05):
            rung, bell.rung = bell.rung, []
            for actor, arguments in rung:
                if actor == "handle_command":
                    handle_command(house, *arguments)
            watch.turn()
            deliver(house, "slack")

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join(10)


@pytest.fixture
def leads(house: House) -> list[int]:  # noqa: F811
    """Three hot leads and two others, all of one rep."""
    people = [("Jane", Tier.A), ("Ravi", Tier.A), ("Lena", Tier.A), ("Omar", Tier.B), ("Ines", Tier.D)]
    return [
        add_lead(house, cast(Any, house.clock), str(51 + number), name, f"{name.lower()}@acme.example", tier)
        for number, (name, tier) in enumerate(people)
    ]


@pytest.fixture
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page_of(browser: Any, workspace: httpx.Client, working: None, leads: list[int]) -> Iterator[Callable[[str], Any]]:  # noqa: F811
    """Opens the workspace as somebody sees it; faults of the page fail the test."""
    faults: list[str] = []

    def open_page(user: str) -> Any:
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{workspace.base_url}?as={user}")
        return page

    yield open_page
    assert faults == []


def picture(page: Any, name: str) -> None:
    """A picture of the Slack pane, for the documentation."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.locator("section.slack").screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def card_of(page: Any, name: str) -> Any:
    """The message that is the card of a lead."""
    return page.locator(".message", has=page.locator(".b-header", has_text=f"{name} Doe"))


def fill_in(page: Any) -> Any:
    """Choose and write something in every field of the form that is open."""
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    for select in dialog.locator("select").all():
        if not select.input_value():
            select.select_option(index=1)
    for field in dialog.locator("textarea, input[type=text]").all():
        if not field.input_value():
            field.fill("Said in the test")
    return dialog


def test_a_rep_accepts_and_passes(page_of: Callable[[str], Any], house: House, leads: list[int]) -> None:  # noqa: F811
    page = page_of(REP.slack_id)
    card = card_of(page, "Jane")
    card.get_by_role("button", name="Accept").wait_for()
    picture(page, "card")
    card.get_by_role("button", name="Accept").click()
    card.get_by_text("Accepted").first.wait_for()
    assert card.get_by_role("button", name="Accept").count() == 0
    picture(page, "accepted")

    passed = card_of(page, "Ravi")
    passed.get_by_role("button", name="Pass", exact=True).click()
    dialog = fill_in(page)
    picture(page, "pass")
    dialog.locator("button.s-primary").click()
    dialog.wait_for(state="detached")
    assert_soon(page, lambda: (house.leads.get(leads[1]) or pytest.fail("gone")).owner_id != "1")
    passed.get_by_role("button", name="Accept").wait_for(state="detached")
    picture(page, "passed")


def test_a_manager_reassigns_by_form(page_of: Callable[[str], Any], house: House, leads: list[int]) -> None:  # noqa: F811
    page = page_of(MANAGER.slack_id)
    page.get_by_role("button", name="# leads", exact=True).click()
    card = card_of(page, "Lena")
    card.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Reassign").click()
    dialog = fill_in(page)
    picture(page, "reassign")
    dialog.locator("button.s-primary").click()
    dialog.wait_for(state="detached")
    assert_soon(page, lambda: (house.leads.get(leads[2]) or pytest.fail("gone")).owner_id != "1")


def test_why_is_answered(page_of: Callable[[str], Any]) -> None:
    page = page_of(REP.slack_id)
    card_of(page, "Jane").wait_for()
    page.get_by_label("Message", exact=True).fill("/lead why jane@acme.example")
    page.keyboard.press("Enter")
    answer = page.locator(".message.private")
    answer.wait_for()
    assert "chosen" in answer.inner_text()
    picture(page, "why")


def test_the_digest_names_the_rest_and_says_what_became_of_them(
    page_of: Callable[[str], Any],
    house: House,  # noqa: F811
    leads: list[int],
) -> None:
    for number, name in enumerate(("Noor", "Pavel", "Yuki")):
        leads.append(add_lead(house, cast(Any, house.clock), str(71 + number), name, f"{name.lower()}@acme.example", Tier.D))
    with house.db.transaction():
        house.effects.move(EffectKind.SLACK_DIGEST, "digest:1", house.clock.now())
    page = page_of(REP.slack_id)
    digest = page.locator(".message", has=page.locator(".b-header", has_text="more leads for you to look at"))
    digest.get_by_text("Yuki Doe").wait_for()
    row = digest.locator(".b-section", has_text="Noor Doe")
    row.get_by_role("button", name="Show").click()
    answer = page.locator(".message.private")
    answer.get_by_role("button", name="Accept").click()
    row.get_by_text("Accepted by Alex Rivera").wait_for()  # the digest is edited
    digest.scroll_into_view_if_needed()
    picture(page, "digest")


def test_a_rep_logs_an_outcome_and_corrects_a_score(page_of: Callable[[str], Any], house: House, leads: list[int]) -> None:  # noqa: F811
    page = page_of(REP.slack_id)
    card = card_of(page, "Jane")
    card.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Wrong score").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Too high").click()
    dialog.locator("button.s-primary").click()
    dialog.wait_for(state="detached")
    assert_soon(page, lambda: house.feedback.newest(leads[0], "wrong_score") is not None)
    card.get_by_role("button", name="Log outcome").click()
    dialog.get_by_text("Meeting booked").click()
    picture(page, "outcome")
    dialog.locator("button.s-primary").click()
    dialog.wait_for(state="detached")
    card.get_by_text("Contacted").first.wait_for()


def test_home_shows_the_queue_and_its_controls_work(page_of: Callable[[str], Any], house: House) -> None:  # noqa: F811
    page = page_of(REP.slack_id)
    card_of(page, "Jane").wait_for()
    page.get_by_role("button", name="Leadswitch · Home").click()
    page.get_by_text("Your queue (5)").wait_for()
    picture(page, "home-rep")
    row = page.locator(".b-section", has_text="Omar Doe")
    row.get_by_role("button", name="Accept").click()
    row.get_by_role("button", name="Show").wait_for()  # within five seconds, without asking for it
    page.get_by_role("button", name="Pause for an hour").click()
    page.get_by_text("paused").first.wait_for()
    page.get_by_role("button", name="Get leads again").click()
    page.get_by_role("button", name="Pause until tomorrow").wait_for()
    page.get_by_label("Direct messages about warm leads").check()
    assert_soon(page, lambda: (house.reps.get("1") or pytest.fail("gone")).settings.get("mutes") == ["warm"])
    page.locator("input[type=time]").fill("16:15")
    page.locator("input[type=time]").blur()
    assert_soon(page, lambda: (house.reps.get("1") or pytest.fail("gone")).settings.get("digest_at") == "16:15")


def test_home_of_a_manager(page_of: Callable[[str], Any]) -> None:
    page = page_of(MANAGER.slack_id)
    page.get_by_role("button", name="Leadswitch · Home").click()
    page.get_by_text("Fairness, 7 days").wait_for()
    picture(page, "home-manager")


def assert_soon(page: Any, holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen")
