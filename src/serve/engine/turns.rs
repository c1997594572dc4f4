//! The queue of computations, in which callers take turns.
//!
//! Each caller has a line of its own, and the lines are served in turn by deficit round robin (Shreedhar and Varghese,
//! "Efficient fair queueing using deficit round robin", SIGCOMM 1995): at its turn a line gets credit, and as many of its
//! jobs as the credit pays for are done. So every caller gets the same share of the processor while it has work, whether
//! it asks for much at once or for little often.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::serve::quota::Owner;

/// The credit of a turn, in units of work: users, or rows.
const TURN_UNITS: usize = 256;
/// No job counts as more than so many turns: what a request claims to hold is not known yet.
const TURNS_MOST: usize = 64;

/// How a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Its caller waits for an answer.
    Waiting,
    /// It belongs to a stream, whose client is held back for as long as it takes.
    Stream,
}

/// A job of a queue.
struct Job<J> {
    units: usize,
    job: J,
}

/// The jobs of one caller that wait in one way.
struct Line<J> {
    owner: Arc<Owner>,
    patience: Patience,
    credit: usize,
    jobs: VecDeque<Job<J>>,
}

/// A queue of jobs.
pub(super) struct TurnQueue<J> {
    /// None of them empty; the first one's turn is next.
    lines: VecDeque<Line<J>>,
}

impl<J> Default for TurnQueue<J> {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
        }
    }
}

impl<J> TurnQueue<J> {
    /// Adds a job of so many units to its caller's line.
    pub(super) fn push(&mut self, owner: &Arc<Owner>, patience: Patience, units: usize, job: J) {
        let job = Job {
            units: units.min(TURNS_MOST * TURN_UNITS),
            job,
        };
        let is_own =
            |line: &&mut Line<J>| Arc::ptr_eq(&line.owner, owner) && line.patience == patience;
        match self.lines.iter_mut().find(is_own) {
            Some(line) => line.jobs.push_back(job),
            None => self.lines.push_back(Line {
                owner: Arc::clone(owner),
                patience,
                credit: 0,
                jobs: VecDeque::from([job]),
            }),
        }
    }

    /// The next job.
    pub(super) fn pop(&mut self) -> Option<J> {
        loop {
            let mut line = self.lines.pop_front()?;
            match line.jobs.pop_front() {
                Some(Job { units, job }) if units <= line.credit => {
                    line.credit -= units;
                    // A line that is empty leaves its credit behind, so that nobody saves any up.
                    if !line.jobs.is_empty() {
                        self.lines.push_front(line);
                    }
                    return Some(job);
                }
                Some(job) => {
                    line.jobs.push_front(job);
                    line.credit += TURN_UNITS;
                    self.lines.push_back(line);
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners<const N: usize>() -> [Arc<Owner>; N] {
        std::array::from_fn(|_| Arc::default())
    }

    #[test]
    fn one_callers_jobs_are_done_in_order() {
        let ([owner], mut queue) = (owners(), TurnQueue::default());
        for n in 0..100 {
            queue.push(&owner, Patience::Waiting, 1 + 300 * (n % 3), n);
        }
        let order: Vec<usize> = std::iter::from_fn(|| queue.pop()).collect();
        assert!(order.is_sorted() && order.len() == 100);
        assert!(queue.lines.is_empty());
    }

    #[test]
    fn a_caller_that_comes_later_does_not_wait_for_all_of_anothers_jobs() {
        let ([greedy, polite], mut queue) = (owners(), TurnQueue::default());
        for _ in 0..1_000 {
            queue.push(&greedy, Patience::Waiting, 100, "greedy");
        }
        assert_eq!(queue.pop(), Some("greedy"));
        queue.push(&polite, Patience::Waiting, 100, "polite");
        let before = std::iter::from_fn(|| queue.pop())
            .take_while(|job| *job == "greedy")
            .count();
        assert!(before <= 5, "{before} jobs went first");
    }

    #[test]
    fn a_job_of_any_size_has_its_turn() {
        let ([huge, small], mut queue) = (owners(), TurnQueue::default());
        queue.push(&huge, Patience::Waiting, usize::MAX, "huge");
        for _ in 0..100_000 {
            queue.push(&small, Patience::Waiting, 1, "small");
        }
        let before = std::iter::from_fn(|| queue.pop())
            .take_while(|job| *job == "small")
            .count();
        assert!((256..=20_000).contains(&before), "{before} jobs went first");
    }

    #[test]
    fn who_asks_for_much_at_once_gets_no_more_than_who_asks_for_little() {
        let ([large, small], mut queue) = (owners(), TurnQueue::default());
        for _ in 0..1_000 {
            queue.push(&large, Patience::Stream, 1_000, 1_000);
            queue.push(&small, Patience::Waiting, 10, 10);
        }
        let mut done = [0_usize; 2];
        while done[1] < 5_000 {
            let units = queue.pop().unwrap();
            done[usize::from(units == 10)] += units;
        }
        assert!((3_000..=7_000).contains(&done[0]), "{done:?}");
    }
}
