//! What a move changes for people, before it is made: in sentences, from where to where.

use super::{Percent, Position};

/// What follows from going there, the most visible first.
pub fn consequences(from: Position, to: Position) -> Vec<String> {
    let mut told = vec![serves(from, to), beside(to)];
    if to < from {
        told.extend(back(from, to));
    } else {
        told.extend(celery(to).map(str::to_owned));
    }
    told.push(
        "It concerns recordings that arrive from then on; earlier ones stay with whoever serves them."
            .to_owned(),
    );
    told
}

/// Who serves users.
fn serves(from: Position, to: Position) -> String {
    let same = from.phase().lets_candidate_serve() == to.phase().lets_candidate_serve();
    match to {
        Position::Infrastructure | Position::Parallel | Position::Shadow(_) if same => {
            "The control goes on serving everybody.".to_owned()
        }
        Position::Infrastructure | Position::Parallel | Position::Shadow(_) => {
            "The control serves everybody again.".to_owned()
        }
        Position::Cutover(Percent::NONE) => {
            "The candidate serves no room; the control serves all.".to_owned()
        }
        Position::Cutover(Percent::ALL) => format!("The candidate serves all rooms: {SERVING}."),
        Position::Cutover(percent) => format!(
            "The candidate serves {percent} % of rooms: {SERVING}. The control serves the others."
        ),
        Position::Soak => {
            "The candidate serves all rooms but those that rules of routing keep from it."
                .to_owned()
        }
        Position::Draining | Position::Archived | Position::Removed => {
            "The candidate serves everybody, whatever rules of routing say.".to_owned()
        }
    }
}

const SERVING: &str =
    "it writes Reflector's rows, tells browsers, posts to Zulip and calls webhooks";

/// Who else runs.
fn beside(to: Position) -> String {
    match to {
        Position::Infrastructure => "The candidate does not run; Conductor is watched.".to_owned(),
        Position::Parallel => {
            "The candidate runs on replays and on what is dispatched by hand, and nobody sees what it makes."
                .to_owned()
        }
        Position::Shadow(percent) => format!(
            "The candidate runs beside {percent} % of recordings. It changes nothing that others see: what it would have done is kept and compared."
        ),
        Position::Cutover(Percent::ALL) => "Nothing runs beside what the candidate serves but the control on a sample, afterwards.".to_owned(),
        Position::Cutover(_) => {
            "Beside what the control serves the candidate runs as in shadow.".to_owned()
        }
        Position::Soak => "It is watched whether that lasts.".to_owned(),
        Position::Draining | Position::Archived | Position::Removed => {
            "Nothing runs beside.".to_owned()
        }
    }
}

/// What becomes of Celery where a migration goes forward.
const fn celery(to: Position) -> Option<&'static str> {
    match to {
        Position::Infrastructure
        | Position::Parallel
        | Position::Shadow(_)
        | Position::Cutover(_)
        | Position::Soak => None,
        Position::Draining => Some(
            "What Celery is at ends there. While Conductor is not well, Celery still gets what arrives.",
        ),
        Position::Archived => Some(
            "What Celery did can be exported, which the last step asks for. While Conductor is not well, Celery still gets what arrives.",
        ),
        Position::Removed => Some(
            "Nothing can be dispatched to Celery any more, in doubt neither: while Conductor is not well, what arrives waits for it.",
        ),
    }
}

/// What becomes of recordings in flight, and of Celery, where it goes back.
fn back(from: Position, to: Position) -> Vec<String> {
    let mut told = Vec::new();
    if from.phase().lets_candidate_serve() && !to.phase().lets_candidate_serve() {
        told.push("Recordings that the candidate is at stay with it; `switchyard takeover RUN` gives one to Celery.".to_owned());
    }
    if !from.has_celery() {
        told.push(
            "Celery may be given work again: see that legacy workers run before it is.".to_owned(),
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_says_who_serves_and_going_back_who_serves_again() {
        let percent = |whole: u16| Percent::from_hundredths(whole * 100).expect("a percentage");
        let (shadow, cutover) = (Position::Shadow(percent(10)), Position::Cutover(percent(5)));
        for (from, to, expected) in [
            (
                Position::Parallel,
                shadow,
                "The control goes on serving everybody.",
            ),
            (cutover, shadow, "The control serves everybody again."),
            (
                Position::Removed,
                Position::Parallel,
                "The control serves everybody again.",
            ),
            (
                Position::Soak,
                Position::Draining,
                "The candidate serves everybody, whatever rules of routing say.",
            ),
        ] {
            assert_eq!(consequences(from, to)[0], expected, "{from} to {to}");
        }
        let told = consequences(shadow, cutover);
        assert!(
            told[0].starts_with("The candidate serves 5 % of rooms: it writes"),
            "{told:?}"
        );
    }

    #[test]
    fn what_is_in_flight_and_celery_are_told_of_where_they_matter_alone() {
        let half = Percent::from_hundredths(5000).expect("a percentage");
        let says = |from, to, word: &str| consequences(from, to).join(" ").contains(word);
        let (shadow, cutover) = (Position::Shadow(half), Position::Cutover(half));
        assert!(says(cutover, shadow, "takeover RUN"));
        assert!(
            !says(Position::Soak, cutover, "takeover RUN"),
            "it serves on"
        );
        assert!(
            !says(shadow, Position::Parallel, "takeover RUN"),
            "it never served"
        );
        assert!(says(
            Position::Removed,
            Position::Archived,
            "legacy workers"
        ));
        assert!(says(Position::Archived, Position::Removed, "waits for it"));
    }
}
