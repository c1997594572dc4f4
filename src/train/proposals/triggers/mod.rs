//! What is looked for in a log, one file for each trigger: each adds its proposals, and notes on what it did not find.

pub(super) mod arpu;
pub(super) mod cycle;
pub(super) mod release;
pub(super) mod shock;

use super::{
    LEAST_USERS, MOST_USERS, ProposalInput, Proposals, days_of, differing, newest, not_covered,
    observed_throughout, push,
};
