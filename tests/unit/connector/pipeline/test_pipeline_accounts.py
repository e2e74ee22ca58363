"""Companies are read from the CRM, and a lead that came without one goes to whoever owns its company."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from connector.errors import Configuration
from connector.pipeline import backfill, reconcile
from connector.pipeline.accounts import match_account, newest_reading, read_accounts
from connector.ports import BackfillPage
from leads.records import AccountRecord
from tests.unit.connector.pipeline.scripted import CRM, Desk, change

ACME = AccountRecord("c1", "Acme Systems GmbH", ("https://www.acme.com",), "Germany", "102")


def companies(desk: Desk, *records: AccountRecord) -> None:
    """Let the CRM keep these companies, and no others."""

    def read() -> Iterator[Sequence[AccountRecord]]:
        for record in records:
            yield [record]

    desk.crm.accounts = read  # type: ignore[attr-defined]
    desk.clock.move(24 * 3600)
    read_accounts(desk.house, CRM)


def owner(desk: Desk, external_id: str) -> str | None:
    lead = desk.house.leads.get(desk.lead(external_id))
    assert lead is not None
    return lead.owner_id


@pytest.fixture
def owners_first(desk: Desk) -> None:
    (desk.house.settings.home / "policy.toml").write_text(
        '[teams.sales]\nreps = ["*"]\n[owners]\norder = ["existing", "account"]\n'
    )
    desk.house.policy_shelf.look_again()


def test_a_lead_goes_to_the_owner_of_its_company_and_the_decision_says_why(desk: Desk, owners_first: None) -> None:
    companies(desk, ACME)
    desk.tell(
        CRM,
        change("1", desk.clock.now(), email="ann@mail.acme.com"),
        change("2", desk.clock.now(), company="Acme Systems", country="DE"),
    )
    desk.run()
    assert (owner(desk, "1"), owner(desk, "2")) == ("3", "3")
    decision = desk.house.decisions.newest(desk.lead("1"))
    assert decision is not None
    assert decision.because == "Owns the account this lead belongs to, found by same domain"


def test_the_crms_own_word_comes_first(desk: Desk, owners_first: None) -> None:
    companies(desk, ACME)
    desk.tell(CRM, change("1", desk.clock.now(), email="ann@acme.com", account_owner_id="101"))
    desk.run()
    assert owner(desk, "1") == "2"


def test_companies_are_read_once_a_day_and_with_the_backfill(desk: Desk) -> None:
    companies(desk, ACME)
    assert desk.house.accounts.count(CRM) == 1
    assert read_accounts(desk.house, CRM) == 0, "fresh enough"
    desk.crm.backfill = lambda cursor=None: iter([BackfillPage([], [], {}, None)])  # type: ignore[attr-defined]
    desk.crm.owners = lambda: iter(())  # type: ignore[attr-defined]
    desk.crm.changed_since = lambda *_: iter(())  # type: ignore[attr-defined]
    for again in (backfill.run, reconcile.reconcile):
        desk.clock.move(24 * 3600)
        before = newest_reading(desk.house, CRM)
        again(desk.house, CRM)
        assert newest_reading(desk.house, CRM) != before


def test_a_company_that_changed_is_found_by_what_it_is_now_and_one_that_is_gone_is_not(desk: Desk) -> None:
    companies(desk, ACME, AccountRecord("c2", "Zenith", ("zenith.org",)))
    companies(desk, AccountRecord("c1", "Acme Systems GmbH", ("acme.io",), "Germany", "101"))
    assert desk.house.accounts.count(CRM) == 1
    desk.tell(
        CRM,
        *(
            change(str(place), desk.clock.now(), email=f"a@{host}")
            for place, host in enumerate(("acme.com", "acme.io", "zenith.org"))
        ),
    )
    found = []
    for place in range(3):
        lead = desk.house.leads.get(desk.lead(str(place)))
        assert lead is not None
        matched = match_account(desk.house, lead)
        found.append(matched.account.owner if matched else None)
    assert found == [None, "101", None]


def test_a_crm_that_keeps_its_companies_from_us_is_said_and_stops_nothing(desk: Desk) -> None:
    def refuse() -> Iterator[Sequence[AccountRecord]]:
        raise Configuration("HubSpot does not let us read companies.", "Add the scope.")
        yield

    desk.crm.accounts = refuse  # type: ignore[attr-defined]
    assert read_accounts(desk.house, CRM) == 0
    newest = newest_reading(desk.house, CRM)
    assert newest is not None
    assert newest[1] == "HubSpot does not let us read companies. Add the scope."


@pytest.mark.parametrize("site", ["n/a", "none", "https://www.linkedin.com/company/zenith", "zenith.uk.com"])
def test_a_site_that_many_have_matches_nobody_elses_company(desk: Desk, site: str) -> None:
    noted = {"zenith.uk.com": "acme.uk.com"}.get(site, site.replace("zenith", "acme"))
    companies(desk, AccountRecord("c1", "Acme Systems", (noted,), "DE", "102"))
    desk.tell(CRM, change("1", desk.clock.now(), website=site, email="ann@gmail.com"))
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert match_account(desk.house, lead) is None


def test_nothing_of_a_company_stands_in_the_clear(desk: Desk) -> None:
    companies(desk, ACME)
    stored = [*desk.house.db.run("SELECT * FROM account").fetchall(), *desk.house.db.run("SELECT * FROM account_name").fetchall()]
    assert "acme" not in str(stored).casefold()
