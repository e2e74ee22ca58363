"""PostgreSQL keeps to everything that SQLite keeps to: the same tests, on a database of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest

from connector.bootstrap import House
from connector.pipeline.deliver import HANDLERS
from tests.unit.connector import test_commands as people
from tests.unit.connector.pipeline import test_pipeline_bad_input as bad_input
from tests.unit.connector.pipeline import test_pipeline_identity as identity
from tests.unit.connector.pipeline import test_pipeline_importing as importing
from tests.unit.connector.pipeline import test_pipeline_order as order
from tests.unit.connector.pipeline import test_pipeline_privacy as privacy
from tests.unit.connector.pipeline import test_pipeline_sla as sla
from tests.unit.connector.pipeline import test_pipeline_waiting as waiting
from tests.unit.connector.pipeline.scripted import Desk, open_desk
from tests.unit.connector.storage import test_storage_audit as audit
from tests.unit.connector.storage import test_storage_effects as effects

pytestmark = pytest.mark.needs_postgres


@pytest.fixture
def desk(tmp_path: Path, postgres_url: str) -> Iterator[Desk]:
    made = open_desk(tmp_path, database_url=postgres_url)
    yield made
    made.house.close()
    HANDLERS.clear()


@pytest.fixture
def house(desk: Desk) -> House:
    return desk.house


lead = people.lead
policy, alerts = sla.policy, sla.alerts

test_any_value_in_any_field_is_data = bad_input.test_any_value_in_any_field_is_data
test_odd_keys_and_ids = bad_input.test_odd_keys_and_ids_are_kept_apart_and_stop_nothing
test_moments_at_the_ends_of_time = bad_input.test_moments_at_the_ends_of_time
test_a_delivery_that_cannot_be_read_holds_up_no_other = bad_input.test_a_delivery_that_cannot_be_read_holds_up_no_other
test_one_bad_event_in_a_hundred_stops_nothing = bad_input.test_one_bad_event_in_a_hundred_stops_nothing
test_any_order_and_any_repetition_gives_the_same_lead = order.test_any_order_and_any_repetition_gives_the_same_lead
test_one_person_from_two_sources = order.test_one_person_from_two_sources_in_any_order_is_one_lead
test_two_leads_join_with_everything_they_had = identity.test_two_leads_that_turn_out_to_be_one_person_join_with_everything_they_had
test_an_existing_owner_survives_a_merge = identity.test_an_existing_owner_survives_a_merge_and_holds_it_alone
test_clocks_and_what_was_put_off_go_along = identity.test_clocks_and_what_was_put_off_go_along_and_come_back
test_one_person_waits_once = identity.test_one_person_waits_once_in_the_older_place
test_a_merge_that_was_wrong_is_taken_back = identity.test_a_merge_that_was_wrong_is_taken_back_whole_and_stays_so
test_somebody_misspelt_in_a_file_is_one_lead = importing.test_somebody_misspelt_in_a_file_is_one_lead
test_an_import_that_was_cut_off_goes_on = importing.test_a_run_that_was_cut_off_goes_on_where_it_stopped
test_of_an_erased_person_nothing_can_be_read = privacy.test_of_an_erased_person_nothing_can_be_read_any_more
test_a_number_that_is_no_lead = people.test_a_number_that_is_no_lead
test_what_names_nobody_finds_nobody = people.test_what_names_nobody_finds_nobody
test_a_hundred_claims_and_repeated_webhooks = people.test_a_hundred_claims_and_repeated_webhooks
test_many_hands_on_one_lead = people.test_many_hands_on_one_lead
test_the_chain_holds_and_goes_on = audit.test_the_chain_holds_and_goes_on_where_it_stopped
test_sealers_at_once_make_one_chain = audit.test_sealers_at_once_make_one_chain
test_the_database_refuses_to_change_what_is_sealed = audit.test_the_database_refuses_to_change_what_is_sealed
test_meddling_behind_the_guards_is_found = audit.test_meddling_behind_the_guards_is_found_where_it_was_done
test_repeated_wishes_become_one_row = effects.test_repeated_wishes_become_one_row_and_a_wish_while_sending_a_second
test_a_lapsed_lease_comes_back_in_doubt = effects.test_a_lapsed_lease_comes_back_in_doubt_and_before_the_newer_wish
test_put_back_joins_a_newer_wish = effects.test_put_back_joins_a_newer_wish_and_keeps_the_doubt
test_many_senders_share_the_work = effects.test_many_senders_share_the_work_without_sharing_a_row

test_many_clocks_fire_each_step_once = sla.test_many_clocks_and_a_restart_fire_each_step_once
test_who_lost_a_lead_does_not_get_it_again = sla.test_who_lost_a_lead_by_a_deadline_does_not_get_it_again_and_no_credit_back
test_a_merged_lead_keeps_its_first_contact = sla.test_a_merged_lead_keeps_its_first_contact_and_its_deadlines
test_a_leaver_gives_up_every_open_lead = sla.test_a_rep_whom_the_crm_deleted_gives_up_every_open_lead
test_a_held_lead_leaves_the_list_with_its_rep = waiting.test_a_held_lead_is_on_the_list_with_its_reason_and_leaves_it_with_its_rep
test_a_lead_that_breaks_is_put_off = waiting.test_a_lead_that_breaks_is_put_off_and_the_others_go_on


def test_the_audit_cannot_be_emptied_at_a_stroke(house: House) -> None:
    audit.fill(house)
    house.audit.seal()
    with house.db.connected(), pytest.raises(peewee.DatabaseError, match="append-only"):
        house.db.raw.execute_sql("TRUNCATE audit")
    assert house.audit.verify() == (5, None)
