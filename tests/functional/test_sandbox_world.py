"""The made-up world: repeatable, of the promised size, and with something in it to learn."""

from __future__ import annotations

from collections import Counter

from sklearn.metrics import roc_auc_score

from connector.sandbox.world.acts import weigh
from connector.sandbox.world.campaign import draw_campaign
from connector.sandbox.world.history import draw_history
from connector.sandbox.world.team import reps, team

NOW_MS = 1_795_000_000_000
OWNERS = ("7000001", "7000002")


def test_same_seed_same_world() -> None:
    assert draw_campaign(3) == draw_campaign(3)
    assert draw_history(3, 50, NOW_MS, OWNERS) == draw_history(3, 50, NOW_MS, OWNERS)
    assert draw_campaign(3) != draw_campaign(4)


def test_the_campaign_has_the_promised_size_and_stays_within_its_time() -> None:
    campaign = draw_campaign(7, leads=500, events=5_000, seconds=60.0)
    assert len(campaign.leads) == 500
    assert len(campaign.mail) + len(campaign.crm) == 5_000
    assert all(0 <= step.at <= 60.5 for step in (*campaign.mail, *campaign.crm, *campaign.trouble))


def test_every_step_of_the_crm_comes_after_its_lead() -> None:
    campaign = draw_campaign(7)
    assert all(step.at > campaign.leads[step.lead].at for step in campaign.crm)


def test_some_mail_events_are_quicker_than_the_crm_and_some_leads_are_awkward() -> None:
    campaign = draw_campaign(7)
    assert any(step.at < campaign.leads[step.lead].at for step in campaign.mail)
    names = [lead.person.properties["firstname"] for lead in campaign.leads]
    assert any(len(name) == 10_000 for name in names)
    assert any("<script>" in name for name in names)
    assert any(name.startswith("=") for name in names)
    assert any("\u0600" <= name[0] <= "\u06ff" for name in names if name)
    assert any(lead.person.email is None for lead in campaign.leads)
    assert any(lead.owner_id for lead in campaign.leads)


def test_nobody_shares_an_address_or_a_telephone_number() -> None:
    past = [contact.person.properties for contact in draw_history(7, 2_500, NOW_MS, OWNERS)]
    live = [lead.person.properties for lead in draw_campaign(7).leads]
    for name in ("email", "phone"):
        counts = Counter(properties[name] for properties in [*past, *live] if name in properties)
        assert counts.most_common(1)[0][1] == 1, name


def test_the_past_can_be_learned_from() -> None:
    past = [contact for contact in draw_history(7, 2_500, NOW_MS, OWNERS) if contact.outcome != "open"]
    won = [contact.outcome == "won" for contact in past]
    truth = [contact.person.chance(weigh(contact.acts)) for contact in past]
    assert 0.1 < sum(won) / len(won) < 0.4
    assert roc_auc_score(won, truth) > 0.85


def test_outcomes_and_acts_are_dated_before_now_and_in_order() -> None:
    for contact in draw_history(7, 300, NOW_MS, OWNERS):
        moments = [at for at, _, _ in contact.changes]
        assert moments == sorted(moments)
        assert contact.created_ms <= moments[0]
        assert moments[-1] <= NOW_MS + 86_400_000


def test_twenty_reps_in_four_teams_with_the_same_addresses_in_crm_and_chat() -> None:
    assert len(reps()) == 20
    assert Counter(rep.team for rep in reps()).most_common(4) == [(name, 5) for name in ("Americas", "EMEA", "APAC", "Enterprise")]
    assert len({member.email for member in team()}) == len(team())
