//! Which columns hold the user, the time, the kind and the amount of an event: candidates by points, the best one taken.

pub(crate) mod amount;
pub(crate) mod expression;
pub(crate) mod kind;
pub(crate) mod returns;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod user;

use serde::Serialize;

use super::InitError;
use super::columns::profile::Profile;
use super::request::{Ask, Columns, Question};
use crate::events::config::{Field, Format, Mapping};
use crate::events::mapping::field::nearest_column;

/// Two candidates within so many points could both be meant; fewer where no names speak for them.
const CLOSE: i32 = 8;
const CLOSE_UNNAMED: i32 = 4;

/// Candidates that a finding lists beside the one taken.
const ALTERNATIVES: usize = 4;

/// A column, or an expression over columns, that could be meant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) mapping: Mapping,
    /// The columns in words.
    pub(crate) label: String,
    pub(crate) score: i32,
    /// What speaks for it.
    pub(crate) reason: String,
    /// The position of its column, or of the last of them, among the profiles.
    pub(crate) position: usize,
}

/// What a field is mapped to, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// A column, or an expression.
    pub mapping: Mapping,
    /// What speaks for it.
    pub reason: String,
    /// What else could be meant, the best first.
    pub alternatives: Vec<Alternative>,
    /// Whether the first of these could be meant just as well and nobody has chosen.
    pub is_doubtful: bool,
}

/// What else a field could be mapped to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// A column, or an expression.
    pub mapping: Mapping,
    /// What speaks for it.
    pub reason: String,
}

/// The columns of a log's fields.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    pub(crate) user: Finding,
    pub(crate) time: Finding,
    /// The position of the time's column among the profiles.
    pub(crate) time_position: usize,
    pub(crate) kind: Option<Finding>,
    pub(crate) amount: Option<Finding>,
    /// The position of the amount's column, or of one of them.
    pub(crate) amount_position: Option<usize>,
}

impl Roles {
    /// The fields that are mapped.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        let optional = [self.kind.as_ref(), self.amount.as_ref()];
        let required = [&self.user, &self.time];
        required.into_iter().chain(optional.into_iter().flatten())
    }
}

/// What a field needs.
struct Wanted {
    field: Field,
    name: &'static str,
    /// Points that a candidate must have.
    least: i32,
}

/// The profiles of a log, and what was given or can be asked.
pub(crate) struct Search<'p, 'f> {
    pub(crate) profiles: &'p [Profile],
    pub(crate) format: Format,
    /// Whether the columns have no names of their own.
    pub(crate) is_unnamed: bool,
    pub(crate) given: &'p Columns,
    pub(crate) ask: &'p mut Ask<'f>,
}

impl Search<'_, '_> {
    /// The fields of a log.
    ///
    /// # Errors
    /// [`InitError`] where there is no user or time, or a given column cannot serve.
    pub(crate) fn roles(mut self) -> Result<Roles, InitError> {
        let wanted = |field, name, least| Wanted { field, name, least };
        let times = time::candidates(self.profiles, self.is_unnamed);
        let least = if self.is_unnamed { 20 } else { 36 };
        let given = self.given.time.clone();
        let time = self.choose(wanted(Field::Time, "time", least), times, given)?;
        let Some((time, time_position)) = time else {
            return Err(self.no_column("time", "the time of an event"));
        };
        let users = user::candidates(self.profiles, self.is_unnamed, time_position);
        let least = if self.is_unnamed { -8 } else { 15 };
        let given = self.given.user.clone();
        let user = self.choose(wanted(Field::User, "user", least), users, given)?;
        let Some((user, user_position)) = user else {
            return Err(self.no_column("user", "the id of a user"));
        };
        let taken = [time_position, user_position];
        let kinds = kind::candidates(self.profiles, self.format, self.is_unnamed, &taken);
        let given = self.given.kind.clone();
        let kind = self.choose(wanted(Field::Kind, "kind", 20), kinds, given)?;
        let mut taken = taken.to_vec();
        taken.extend(kind.as_ref().map(|(_, position)| *position));
        let amounts = amount::candidates(self.profiles, self.format, self.is_unnamed, &taken);
        let given = self.given.amount.clone();
        let amount = self.choose(wanted(Field::Amount, "amount", 16), amounts, given)?;
        let returns = match &kind {
            None => returns::find(self.profiles, self.format, amount.as_ref().map(|a| a.1)),
            Some(_) => None,
        };
        Ok(Roles {
            user,
            time,
            time_position,
            amount_position: amount.as_ref().map(|(_, position)| *position),
            kind: returns.or(kind.map(|(finding, _)| finding)),
            amount: amount.map(|(finding, _)| finding),
        })
    }

    /// The candidate that is given, asked for, or the best; with the position of its column.
    fn choose(
        &mut self,
        wanted: Wanted,
        mut candidates: Vec<Candidate>,
        given: Option<String>,
    ) -> Result<Option<(Finding, usize)>, InitError> {
        // Of equals, the column that comes first.
        candidates.sort_by_key(|candidate| (-candidate.score, candidate.position));
        if let Some(name) = given {
            return self.given(&wanted, &candidates, &name).map(Some);
        }
        candidates.retain(|candidate| candidate.score >= wanted.least);
        let Some(best) = candidates.first() else {
            return Ok(None);
        };
        let close = match self.is_unnamed {
            true => CLOSE_UNNAMED,
            false => CLOSE,
        };
        let close = candidates
            .iter()
            .filter(|other| other.score + close > best.score)
            .count();
        let answer =
            (close > 1).then(|| self.answer(&wanted, candidates.get(..close).unwrap_or_default()));
        let is_doubtful = answer == Some(None);
        let chosen = candidates.remove(answer.flatten().unwrap_or(0));
        Ok(Some(finding(chosen, &candidates, is_doubtful)))
    }

    /// Which of some candidates is meant; `None` where nobody can be asked.
    fn answer(&mut self, wanted: &Wanted, candidates: &[Candidate]) -> Option<usize> {
        let option = |c: &Candidate| format!("{} ({})", c.label, c.reason);
        let question = Question {
            field: wanted.name,
            text: format!("Which column is the {} of an event?", wanted.name),
            options: candidates.iter().map(option).collect(),
        };
        (self.ask)(&question).filter(|answer| *answer < candidates.len())
    }

    /// The column that was given for a field.
    fn given(
        &self,
        wanted: &Wanted,
        candidates: &[Candidate],
        name: &str,
    ) -> Result<(Finding, usize), InitError> {
        let by = |is: &dyn Fn(&&Profile) -> bool| self.profiles.iter().find(is);
        let found = by(&|p| p.name == name).or_else(|| by(&|p| p.name.eq_ignore_ascii_case(name)));
        let Some(profile) = found else {
            let columns = self.profiles.iter().map(|p| p.name.as_str());
            return Err(InitError::UnknownColumn {
                field: wanted.name,
                column: name.to_owned(),
                nearest: nearest_column(name, columns).map(str::to_owned),
                columns: self.listed(),
            });
        };
        let is_fit = match wanted.field {
            Field::Time => profile.times.is_some(),
            Field::Amount => profile.numbers.is_some(),
            _ => profile.distinct > 0 && !profile.is_doubled,
        };
        if !is_fit {
            return Err(InitError::Unfit {
                field: wanted.name,
                column: profile.name.clone(),
                looks: profile.looks(),
            });
        }
        let label = format!("`{}`", profile.name);
        let mut fitted = Candidate {
            mapping: profile.mapping.clone(),
            label: label.clone(),
            score: 0,
            reason: String::new(),
            position: profile.position,
        };
        if let Some(own) = candidates.iter().find(|candidate| candidate.label == label) {
            fitted.clone_from(own);
        }
        "as given".clone_into(&mut fitted.reason);
        let others: Vec<Candidate> = candidates
            .iter()
            .filter(|other| other.label != label && other.score >= wanted.least)
            .cloned()
            .collect();
        Ok(finding(fitted, &others, false))
    }

    /// A line for each column with what it looks like.
    fn listed(&self) -> String {
        let line = |p: &Profile| format!("  {}: {}", p.name, p.looks());
        self.profiles
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn no_column(&self, field: &'static str, wanted: &'static str) -> InitError {
        InitError::NoColumn {
            field,
            wanted,
            columns: self.listed(),
        }
    }
}

/// A candidate with the others as alternatives, and the position of its column.
fn finding(chosen: Candidate, others: &[Candidate], is_doubtful: bool) -> (Finding, usize) {
    let alternatives = others.iter().take(ALTERNATIVES).map(|other| Alternative {
        mapping: other.mapping.clone(),
        reason: other.reason.clone(),
    });
    let finding = Finding {
        mapping: chosen.mapping,
        reason: chosen.reason,
        alternatives: alternatives.collect(),
        is_doubtful,
    };
    (finding, chosen.position)
}
