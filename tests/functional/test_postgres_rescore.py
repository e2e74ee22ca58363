"""PostgreSQL reads, scores and stores many leads at once as SQLite does: the same tests, on a database of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import testing
from connector.bootstrap import House
from connector.pipeline.deliver import HANDLERS
from tests.unit.connector.pipeline import test_pipeline_rescore as rescore
from tests.unit.connector.pipeline.scripted import Desk, open_desk
from tests.unit.connector.storage import test_storage_histories as histories

pytestmark = pytest.mark.needs_postgres


@pytest.fixture
def desk(tmp_path: Path, postgres_url: str) -> Iterator[Desk]:
    made = open_desk(tmp_path, database_url=postgres_url)
    yield made
    made.house.close()
    HANDLERS.clear()


@pytest.fixture
def home(tmp_path: Path, postgres_url: str) -> Iterator[House]:
    made = testing.house(tmp_path, database_url=postgres_url)
    yield made
    made.close()


test_whole_base = rescore.test_the_whole_base_is_scored_again_and_progress_is_told
test_time_is_news = rescore.test_time_passing_is_news_that_the_crm_is_told
test_a_day = rescore.test_a_day_must_pass_before_a_lead_is_due_and_only_open_leads_are
test_left_alone = rescore.test_what_waits_in_the_pipeline_or_is_gone_is_left_alone
test_many_at_once = histories.test_many_at_once_are_what_each_is_alone
test_past_moments = histories.test_a_past_moment_is_seen_as_it_was
test_told_again = histories.test_a_value_told_again_replaces_the_one_before
test_newest_thousand = histories.test_the_newest_thousand_acts_are_looked_at_on_every_way
