//! The ids that an unknown one may have meant.

use crate::history::{Histories, HistoryError};

/// Ids that are offered.
const OFFERED: usize = 3;
/// The least similarity of an id that is offered, from 0 to 1.
const LEAST_SIMILARITY: f64 = 0.7;
/// Shorter beginnings are no sign of anything.
const LEAST_PREFIX: usize = 3;
/// Longer ids are not compared: the comparison takes the product of both lengths.
const LONGEST_CHARS: usize = 100;

/// The ids of a log that are most similar to one that it does not have, the nearest first and equally near ones in order.
pub(crate) fn similar_ids(histories: &Histories, id: &str) -> Result<Vec<String>, HistoryError> {
    if id.chars().count() > LONGEST_CHARS {
        return Ok(Vec::new());
    }
    let wanted = id.trim().to_lowercase();
    let blocks = histories.map_blocks(|block| {
        let ids = block.iter().map(|(_, user, _)| user);
        nearest(ids.map(|user| (similarity(&wanted, user), user.to_owned())))
    })?;
    let all = nearest(blocks.into_iter().flatten());
    Ok(all.into_iter().map(|(_, user)| user).collect())
}

/// The share of an id that need not be edited to get another one, letters of either case alike; enough to be offered where one
/// begins with the other, as `12345.0` does with `12345`.
fn similarity(wanted: &str, user: &str) -> f64 {
    if user.len() > 4 * LONGEST_CHARS {
        return 0.0;
    }
    let user = user.to_lowercase();
    let similarity = strsim::normalized_damerau_levenshtein(wanted, &user);
    let shorter = wanted.len().min(user.len());
    let is_longer = user.starts_with(wanted) || wanted.starts_with(user.as_str());
    if is_longer && shorter >= LEAST_PREFIX {
        similarity.max(LEAST_SIMILARITY)
    } else {
        similarity
    }
}

fn nearest(ids: impl Iterator<Item = (f64, String)>) -> Vec<(f64, String)> {
    let mut near: Vec<(f64, String)> = ids
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    near.truncate(OFFERED);
    near
}
