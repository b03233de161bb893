//! Draws a run as the workflow has it, from top to bottom: where each step stands, what it looks like
//! and what it says. How far a step is shows in its shape and its words as well as in its colour.

use serde::Serialize;

use super::{
    run_words::{step_name, step_sign},
    words,
};
use crate::controller::status::{Graph, Members, Node, StepState};

/// As wide as the narrowest window has room for.
const WIDTH: usize = 320;
/// A step that nothing goes on beside.
const ALONE: usize = 228;
/// Between steps that go on side by side.
const GAP: usize = 12;
const HEIGHT: usize = 58;
/// From one layer to the next.
const STEP: usize = 84;
/// Around everything; shapes have strokes.
const MARGIN: usize = 4;
/// Letters on a line of a step that nothing goes on beside.
const LETTERS_ALONE: usize = 30;
const LETTERS: usize = 16;

/// A run to be drawn.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Drawing {
    width: usize,
    height: usize,
    edges: Vec<Edge>,
    steps: Vec<Step>,
}

/// A line from one step to another.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Edge {
    /// The path's commands.
    path: String,
    /// What it comes from is done.
    is_done: bool,
}

/// A step where it stands.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Step {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    /// The middle, where its words are.
    middle: usize,
    /// `round`, `pill`, `cut` or `box`.
    shape: &'static str,
    /// The corners of what is no rectangle.
    corners: String,
    /// How round the corners of a rectangle are.
    radius: usize,
    /// Several members are one step.
    is_stack: bool,
    state: StepState,
    /// Its reference name, by which it is known when the page is fetched anew.
    task_ref: String,
    /// Its label on one line or two.
    lines: Vec<Line>,
    /// The line below: sign, counts, attempt, duration.
    detail: Line,
    /// The row that says more.
    line: String,
    /// All of it, for those who do not see it.
    told: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    y: usize,
    text: String,
}

/// Where everything stands.
pub(super) fn draw(graph: &Graph) -> Drawing {
    let steps: Vec<Step> = graph.nodes.iter().map(step).collect();
    let edges = graph.edges.iter().map(|(from, to)| {
        let (above, below) = (&steps[*from], &steps[*to]);
        let (x, y) = (above.middle, above.y + above.height);
        let (to_x, to_y) = (below.middle, below.y);
        let bend = (STEP - HEIGHT) / 2;
        Edge {
            path: format!(
                "M{x} {y}C{x} {} {to_x} {} {to_x} {to_y}",
                y + bend,
                to_y.saturating_sub(bend)
            ),
            is_done: above.state == StepState::Completed,
        }
    });
    let edges = edges.collect();
    let layers = graph.nodes.iter().map(|node| node.layer + 1).max();
    Drawing {
        width: WIDTH + 2 * MARGIN,
        height: (layers.unwrap_or(0) * STEP).saturating_sub(STEP - HEIGHT) + 2 * MARGIN,
        edges,
        steps,
    }
}

fn step(node: &Node) -> Step {
    let lanes = node.lanes.max(1);
    let share = WIDTH / lanes;
    let (width, letters) = if lanes == 1 {
        (ALONE, LETTERS_ALONE)
    } else {
        (share.saturating_sub(GAP), LETTERS)
    };
    let x = MARGIN + node.lane * share + (share - width) / 2;
    let y = MARGIN + node.layer * STEP;
    let (outline, radius) = match node.state {
        StepState::Completed => ("round", 10),
        StepState::Running | StepState::Retrying => ("pill", HEIGHT / 2),
        StepState::Failed => ("cut", 0),
        StepState::Pending | StepState::CutOff | StepState::NotReached => ("box", 0),
    };
    let label = wrapped(&node.label, letters);
    let first = if label.len() == 1 { y + 24 } else { y + 18 };
    let count = label.len();
    Step {
        x,
        y,
        width,
        height: HEIGHT,
        middle: x + width / 2,
        shape: outline,
        corners: if outline == "cut" {
            cut(x, y, width)
        } else {
            String::new()
        },
        radius,
        is_stack: node.members.is_some_and(|members| members.all > 1),
        state: node.state,
        task_ref: node.task_ref.clone(),
        lines: label
            .into_iter()
            .enumerate()
            .map(|(index, text)| Line {
                y: first + index * 15,
                text,
            })
            .collect(),
        detail: Line {
            y: if count == 1 { y + 44 } else { y + 50 },
            text: detail(node),
        },
        line: node.line.clone(),
        told: told(node),
    }
}

/// A rectangle without its corners.
fn cut(x: usize, y: usize, width: usize) -> String {
    const CORNER: usize = 12;
    let (right, bottom) = (x + width, y + HEIGHT);
    [
        (x + CORNER, y),
        (right - CORNER, y),
        (right, y + CORNER),
        (right, bottom - CORNER),
        (right - CORNER, bottom),
        (x + CORNER, bottom),
        (x, bottom - CORNER),
        (x, y + CORNER),
    ]
    .map(|(x, y)| format!("{x},{y}"))
    .join(" ")
}

/// A label on one line, or on two where it is longer.
fn wrapped(label: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in label.split(' ') {
        let count = lines.len();
        match lines.last_mut() {
            Some(line)
                if count == 2 || line.chars().count() + 1 + word.chars().count() <= letters =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `✓ 3.4 s`, `● 2 of 3`, `✗ attempt 4/4`.
fn detail(node: &Node) -> String {
    let mut parts = Vec::new();
    if let Some(members) = node.members {
        parts.push(format!("{} of {}", members.completed, members.all));
    }
    // A first attempt that went well is nothing to speak of.
    let attempt = node.attempt.filter(|attempt| {
        *attempt > 1 || matches!(node.state, StepState::Failed | StepState::Retrying)
    });
    if let Some(attempt) = attempt {
        parts.push(format!("attempt {attempt}/{}", node.attempts_allowed));
    }
    if let Some(milliseconds) = node.duration_ms {
        parts.push(words::took(milliseconds));
    }
    let state = words::label(step_name(node.state));
    let said = match (parts.is_empty(), node.state) {
        (true, _) | (_, StepState::Failed) => {
            parts.insert(0, state);
            parts.join(", ")
        }
        (false, _) => parts.join(", "),
    };
    format!("{} {said}", step_sign(node.state))
}

/// Everything a step says, in words.
fn told(node: &Node) -> String {
    let state = words::label(step_name(node.state)).to_lowercase();
    let mut told = format!("{}: {state}", node.label);
    if let Some(members) = node.members {
        let Members {
            all,
            completed,
            running,
            failed,
        } = members;
        told = format!("{told}, {completed} of {all} done");
        for (count, what) in [(running, "under way"), (failed, "failed")] {
            if count > 0 {
                told = format!("{told}, {count} {what}");
            }
        }
    }
    if let Some(attempt) = node.attempt {
        told = format!("{told}, attempt {attempt} of {}", node.attempts_allowed);
    }
    if let Some(milliseconds) = node.duration_ms {
        told = format!("{told}, took {}", words::took(milliseconds));
    }
    if node.state == StepState::Failed {
        told = format!("{told}; failed during {}", node.during);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(label: &str, state: StepState) -> Node {
        Node {
            task_ref: "step".to_owned(),
            label: label.to_owned(),
            layer: 0,
            lane: 0,
            lanes: 1,
            state,
            during: "summary generation",
            attempt: None,
            attempts_allowed: 4,
            started_at: None,
            duration_ms: None,
            members: None,
            line: "step".to_owned(),
        }
    }

    #[test]
    fn each_state_has_a_shape_and_words_of_its_own() {
        let shown = [
            StepState::Completed,
            StepState::Running,
            StepState::Retrying,
            StepState::Failed,
            StepState::Pending,
        ]
        .map(|state| {
            let step = step(&node("Mixing", state));
            (step.shape, step.detail.text)
        });
        assert_eq!(
            shown
                .each_ref()
                .map(|(shape, said)| (*shape, said.as_str())),
            [
                ("round", "✓ Completed"),
                ("pill", "● Running"),
                ("pill", "↻ Retrying"),
                ("cut", "✗ Failed"),
                ("box", "· Pending"),
            ]
        );
    }

    #[test]
    fn counts_attempts_and_durations_are_told_where_there_are_any() {
        let tracks = Node {
            members: Some(Members {
                all: 3,
                completed: 1,
                running: 1,
                failed: 0,
            }),
            attempt: Some(2),
            ..node("Transcribing tracks", StepState::Running)
        };
        assert_eq!(detail(&tracks), "● 1 of 3, attempt 2/4");
        assert_eq!(
            told(&tracks),
            "Transcribing tracks: running, 1 of 3 done, 1 under way, attempt 2 of 4"
        );
        let failed = Node {
            attempt: Some(4),
            duration_ms: Some(1_449),
            ..node("Generating summary", StepState::Failed)
        };
        assert_eq!(detail(&failed), "✗ Failed, attempt 4/4, 1.4 s");
        assert!(told(&failed).ends_with("failed during summary generation"));
        let done = Node {
            attempt: Some(1),
            duration_ms: Some(70),
            ..node("Mixing", StepState::Completed)
        };
        assert_eq!(detail(&done), "✓ 70 ms");
    }

    #[test]
    fn steps_side_by_side_do_not_touch_and_nothing_leaves_the_drawing() {
        let at = |lane, layer| Node {
            lane,
            lanes: 2,
            layer,
            ..node("Looking up the participants", StepState::Failed)
        };
        let graph = Graph {
            nodes: vec![node("First", StepState::Completed), at(0, 1), at(1, 1)],
            edges: vec![(0, 1), (0, 2)],
        };
        let drawing = draw(&graph);
        let [_, left, right] = &drawing.steps[..] else {
            panic!("there are three");
        };
        assert!(left.x + left.width < right.x);
        assert!(right.x + right.width < drawing.width);
        assert!(right.y + right.height < drawing.height);
        assert_eq!(left.lines.len(), 2, "a long label has two lines");
        assert!(drawing.edges.iter().all(|edge| edge.is_done));
        assert!(
            drawing.edges[0].path.starts_with("M164 62C164 "),
            "{drawing:?}"
        );
    }

    #[test]
    fn a_run_without_steps_is_drawn_empty() {
        let drawing = draw(&Graph::default());
        assert_eq!((drawing.height, drawing.steps.len()), (2 * MARGIN, 0));
    }
}
