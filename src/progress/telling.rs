//! What browsers are to be told of a run's progress: every step that began and ended, each once, in
//! order, whatever of it was looked at.

use super::{Progress, STEPS};
use crate::model::{StepStatus, TaskName};

/// A step moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The step, from 1.
    pub step_index: u32,
    /// The kind of task at work there.
    pub task: TaskName,
    /// How far it is now.
    pub status: StepStatus,
}

impl Moved {
    /// Grows with everything that moves; a lower one is old news.
    pub const fn sequence(self) -> i64 {
        let rank = match self.status {
            StepStatus::Pending => 0,
            StepStatus::InProgress => 1,
            StepStatus::Failed => 2,
            StepStatus::Completed => 3,
        };
        // A step's number fits in an i64 on any machine.
        self.step_index as i64 * 4 + rank
    }
}

/// Everything that moved since `sequence` was told, up to where the run is now.
pub fn moved_since(sequence: i64, now: &Progress) -> Vec<Moved> {
    let mut moved = Vec::new();
    for (step_index, step) in (1..).zip(&STEPS) {
        let mut push = |task, status| {
            moved.push(Moved {
                step_index,
                task,
                status,
            });
        };
        if step_index < now.step_index {
            push(step.tasks[0], StepStatus::InProgress);
            push(step.tasks[step.tasks.len() - 1], StepStatus::Completed);
        } else if step_index == now.step_index && now.step_status != StepStatus::Pending {
            push(now.current_step, StepStatus::InProgress);
            if now.step_status != StepStatus::InProgress {
                push(now.current_step, now.step_status);
            }
        }
    }
    moved.retain(|step| step.sequence() > sequence);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step_index: u32, step_status: StepStatus) -> Progress {
        let step = &STEPS[step_index as usize - 1];
        Progress {
            step_index,
            total_steps: 13,
            current_step: step.tasks[0],
            step_status,
            label: String::new(),
            percent: 0,
        }
    }

    fn told(sequence: i64, now: &Progress) -> Vec<(u32, StepStatus)> {
        let moved = moved_since(sequence, now).into_iter();
        moved.map(|step| (step.step_index, step.status)).collect()
    }

    #[test]
    fn steps_nobody_looked_at_are_told_all_the_same() {
        use StepStatus::{Completed, InProgress};
        let expected = [
            (1, InProgress),
            (1, Completed),
            (2, InProgress),
            (2, Completed),
            (3, InProgress),
        ];
        assert_eq!(told(0, &at(3, InProgress)), expected);
    }

    #[test]
    fn nothing_is_told_twice_and_nothing_goes_back() {
        let mut sequence = 0;
        let mut all = Vec::new();
        let looks = [
            at(1, StepStatus::Pending),
            at(2, StepStatus::InProgress),
            at(2, StepStatus::InProgress),
            at(5, StepStatus::InProgress),
            // Looked at by somebody whose answer came late.
            at(3, StepStatus::InProgress),
            at(8, StepStatus::Failed),
            // Taken up again.
            at(8, StepStatus::InProgress),
            at(13, StepStatus::Completed),
        ];
        for look in &looks {
            for step in moved_since(sequence, look) {
                sequence = step.sequence();
                all.push(step);
            }
        }
        assert!(all.is_sorted_by(|one, next| one.sequence() < next.sequence()));
        let count = |status| all.iter().filter(|step| step.status == status).count();
        assert_eq!(count(StepStatus::InProgress), 13);
        assert_eq!(count(StepStatus::Completed), 13);
        assert_eq!(count(StepStatus::Failed), 1);
    }

    #[test]
    fn a_run_nothing_has_begun_of_tells_nothing() {
        assert!(told(0, &at(1, StepStatus::Pending)).is_empty());
    }
}
