//! The store, on both databases: one list of checks, each run on SQLite and, where
//! `SWITCHYARD_TEST_POSTGRES` names a server, on PostgreSQL.

mod access;
mod answers;
mod audit;
mod backups;
mod checkpoints;
mod comparisons;
mod deliveries;
mod evidence;
mod exports;
mod health;
mod ledger;
mod migrations;
mod mirroring;
mod mirrors;
mod moves;
mod opening;
pub mod recordings;
mod repeats;
mod replays;
pub mod retention;
mod reviews;
mod routes;
mod rules;
mod runs;
pub mod same_rows;
pub mod samples;
mod served;
mod sharing;
mod spool;
mod sweeps;
mod told;
mod traces;
mod trail;

/// Makes two tests of each check.
macro_rules! on_both_databases {
    ($($module:ident::$check:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    super::run(crate::database::Kind::Sqlite, super::$module::$check).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    super::run(crate::database::Kind::Postgres, super::$module::$check).await;
                }
            )*
        }
    };
}

on_both_databases!(
    opening::a_store_answers_and_says_what_it_is,
    opening::opening_again_finds_the_rows,
    opening::what_is_written_after_a_transaction_that_was_given_up_midway_is_kept,
    opening::many_processes_may_open_an_empty_database_at_once,
    backups::a_backup_that_was_cut_short_or_changed_is_refused_whole,
    backups::a_backup_is_what_there_was_at_one_moment,
    backups::what_the_candidate_was_at_is_done_by_nobody_after_a_restore,
    backups::every_table_is_backed_up,
    access::a_token_is_read_as_it_was_written_and_revoked_once,
    access::a_sign_in_is_taken_once_in_time_and_by_one_of_many,
    access::a_session_is_read_as_it_was_written_until_it_is_ended,
    repeats::a_key_is_known_for_a_day_and_its_first_answer_stays,
    told::what_a_live_run_told_is_what_it_has_done_and_a_shadow_run_tells_what_it_would,
    told::runs_and_the_trail_are_read_on_from_where_a_page_ended,
    health::a_breaker_is_read_as_it_was_written_by_one_of_those_who_saw_it,
    health::what_is_seen_again_is_so_since_it_was_first_seen,
    ledger::an_effect_is_claimed_by_one_until_its_lease_ends,
    ledger::after_a_takeover_nothing_is_claimed_reserved_or_checked_in,
    ledger::a_later_generation_owns_in_a_later_epoch,
    evidence::a_recording_counts_once_by_its_first_run,
    evidence::what_a_soft_field_differs_by_beyond_the_controls_noise_decides,
    evidence::a_failure_without_a_field_known_counts_all_the_same,
    evidence::what_the_gate_said_then_is_worked_out_from_what_was_known_by_then,
    evidence::the_history_has_moves_breaker_holds_versions_and_how_runs_ended,
    evidence::second_runs_are_measured_once_and_of_the_newest_comparison,
    moves::evidence_is_what_counts_under_the_versions_as_they_are,
    moves::of_many_who_move_at_once_one_does_and_the_trail_stays_whole,
    moves::runs_of_a_step_are_counted_since_it_began,
    moves::what_rules_keep_from_the_candidate_is_known_to_moves,
    runs::a_run_is_read_as_it_was_written,
    runs::a_second_run_of_the_same_generation_is_refused,
    runs::of_two_dispatchers_at_once_one_inserts,
    runs::generations_and_environments_do_not_meet,
    runs::a_run_names_a_control_that_exists,
    runs::a_run_ends_once,
    runs::of_many_that_end_a_run_at_once_one_does,
    runs::a_failed_run_taken_up_again_is_running_and_has_no_failure,
    runs::a_start_is_claimed_from_nobody_who_may_be_at_it,
    runs::of_many_that_claim_a_start_at_once_one_gets_it,
    runs::open_runs_are_the_environments_starting_and_running_oldest_first,
    runs::recent_runs_are_the_newest_first_and_no_more_than_asked,
    runs::a_run_waits_for_comparison_until_one_is_written_after_its_end,
    checkpoints::a_checkpoint_is_read_as_it_was_written,
    checkpoints::a_checkpoint_of_other_input_replaces_the_first_with_its_intents,
    checkpoints::checkpoints_of_other_tasks_and_runs_stay,
    checkpoints::a_checkpoint_without_a_run_is_refused_whole,
    checkpoints::intents_come_in_the_order_they_would_have_happened,
    checkpoints::large_and_foreign_texts_come_back_unchanged,
    checkpoints::checkpoints_are_listed_by_reference_name,
    checkpoints::many_that_check_in_at_once_lose_nothing,
    answers::the_first_answer_stays,
    answers::an_answer_is_found_only_by_scope_kind_and_hash,
    answers::of_many_answers_at_once_all_readers_see_the_same,
    trail::an_attempt_is_read_as_it_was_noted,
    trail::an_attempt_begun_again_is_running_and_has_no_cause,
    trail::a_checkpoint_completes_its_attempt,
    trail::a_new_attempt_ends_the_one_that_fell_silent,
    trail::a_killed_worker_s_attempts_are_ended_and_nobody_else_s,
    trail::attempts_come_in_the_order_they_began,
    trail::usage_adds_up_over_attempts,
    trail::usage_of_other_things_is_kept_apart,
    spool::a_spooled_result_waits_until_it_is_forgotten,
    spool::a_result_spooled_again_replaces_the_first,
    sweeps::only_ended_runs_are_swept_page_by_page,
    sweeps::a_run_is_swept_until_nothing_of_it_can_be_at_work,
    sweeps::a_run_taken_up_after_its_sweep_is_swept_again_and_no_longer_withdrawn,
    sweeps::where_a_run_came_from_says_whether_missing_rows_mean_anything,
    comparisons::a_comparison_is_read_as_it_was_written,
    comparisons::what_is_not_known_first_may_be_known_later,
    comparisons::the_newest_comparison_counts,
    comparisons::compared_runs_are_listed_by_their_newest_comparison,
    comparisons::a_comparison_with_a_field_twice_is_refused_whole,
    comparisons::a_control_is_read_as_it_was_kept,
    rules::rules_are_changed_by_who_saw_them_as_they_are_and_every_change_is_on_record,
    rules::of_two_who_change_the_rules_at_once_one_is_told_to_look_again,
    rules::a_flip_and_a_rule_count_for_the_next_arrival_of_every_router,
    rules::over_a_cap_nothing_runs_beside_until_the_next_day,
    rules::buckets_that_do_not_fall_as_they_should_hold_the_migration_once,
    mirroring::what_may_be_mirrored_is_listed_until_something_came_of_it,
    mirrors::a_mirror_is_read_as_it_was_written,
    mirrors::an_environment_has_one_unfinished_mirror,
    mirrors::a_mirror_is_held_by_one_process_until_it_falls_silent,
    exports::an_export_is_read_as_it_was_noted,
    exports::an_export_holds_what_was_done_and_nothing_that_was_said,
    reviews::items_are_made_once_and_what_is_said_of_them_counts_and_is_on_record,
    reviews::of_two_who_waive_at_once_both_count_and_a_choice_is_made_once,
    reviews::rules_are_in_force_until_they_are_removed_or_over,
    reviews::a_test_of_the_comparison_is_read_as_it_was_kept,
    replays::a_replay_is_read_as_it_was_written,
    replays::a_run_belongs_to_one_recording_of_one_replay,
    replays::a_replay_that_is_over_stays_so,
    served::live_runs_count_under_the_versions_they_were_first_seen_under,
    served::a_run_that_failed_and_was_taken_up_again_has_failed,
    served::a_step_to_draining_asks_what_was_served,
    recordings::a_page_goes_on_where_the_one_before_ended_however_many_have_come_since,
    recordings::recordings_are_narrowed_by_what_is_sought,
    recordings::a_verdict_counts_until_the_run_goes_on_and_the_newest_does,
    recordings::of_many_who_take_up_a_run_at_once_one_does_and_that_is_on_record,
    recordings::ten_thousand_recordings_are_listed_at_once,
    sharing::an_answer_is_given_once_in_the_order_it_was_asked_for,
    sharing::the_oldest_answers_go_first_where_there_are_too_many,
    sharing::a_run_is_looked_into_once_for_each_comparison_that_finds_differences,
    deliveries::a_delivery_is_claimed_by_one_until_it_is_noted_or_its_time_is_over,
    deliveries::a_change_is_told_by_one_of_those_who_see_it,
    deliveries::a_storm_is_taken_by_one_and_each_notice_told_once,
    retention::texts_go_and_every_verdict_and_number_stays,
    retention::nothing_that_is_needed_goes_however_old_it_is,
    retention::numbers_go_after_their_time_and_the_gate_asks_for_the_same,
    retention::of_two_that_delete_at_once_one_does,
);

/// Runs a check on a fresh database of that kind.
async fn run(kind: crate::database::Kind, check: impl AsyncFnOnce(&crate::database::Database)) {
    let Some(database) = crate::database::Database::fresh(kind).await else {
        return;
    };
    check(&database).await;
    database.remove().await;
}
