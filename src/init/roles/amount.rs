//! Which column, or which product of columns, holds the amount.

use super::Candidate;
use super::expression::Operand;
use crate::events::config::{Format, Mapping};
use crate::init::columns::number::Numbers;
use crate::init::columns::profile::Profile;
use crate::init::sample::Nature;
use crate::init::vocabulary::Table;

/// Rows by which products are compared.
const ROWS: usize = 1_000;
/// Points for a column that is the product of two others.
const PRODUCT: i32 = 20;

/// The columns and products that could hold the amount.
pub(super) fn candidates(
    profiles: &[Profile],
    format: Format,
    is_unnamed: bool,
    taken: &[usize],
) -> Vec<Candidate> {
    let numeric: Vec<(&Profile, &Numbers)> = profiles
        .iter()
        .filter(|p| !taken.contains(&p.position) && may_be(p))
        .filter_map(|p| Some((p, p.numbers.as_ref()?)))
        .collect();
    let mut candidates: Vec<Candidate> = numeric
        .iter()
        .filter_map(|(p, numbers)| single(p, numbers, format, is_unnamed))
        .collect();
    if !is_unnamed {
        let products = product(&numeric, format, &mut candidates);
        candidates.extend(products);
    }
    candidates
}

fn may_be(profile: &Profile) -> bool {
    let is_number = matches!(profile.nature, Nature::Text | Nature::Number);
    !profile.is_doubled && is_number && profile.distinct > 1 && profile.times.is_none()
}

fn single(
    profile: &Profile,
    numbers: &Numbers,
    format: Format,
    is_unnamed: bool,
) -> Option<Candidate> {
    let (name, quantity) = (
        Table::Amount.points(&profile.words),
        Table::Quantity.points(&profile.words),
    );
    let mut reasons = Vec::new();
    let has_fractions = numbers.whole < 0.9;
    let mut score = if is_unnamed {
        if has_fractions { 20 } else { 0 }
    } else {
        name.best + name.worst
    };
    if name.best > 0 && !is_unnamed {
        reasons.push(format!("the name says `{}`", name.word));
    }
    if has_fractions {
        score += 6;
        reasons.push("numbers with fractions".to_owned());
    } else if numbers.whole > 0.999 && numbers.median <= 3.0 {
        score -= 10;
        reasons.push("small whole numbers".to_owned());
    }
    if quantity.best >= 20 {
        score -= 20;
    }
    if let Some(currency) = numbers.currency {
        score += 10;
        reasons.push(format!("written with `{currency}`"));
    }
    score -= if profile.filled < 0.3 { 6 } else { 0 };
    let mapping = match numbers.currency {
        None => profile.mapping.clone(),
        // The reader takes the fraction's mark from the setting.
        Some(currency) => Mapping::Expression(Operand::new(profile, format)?.bare(currency)),
    };
    Some(Candidate {
        mapping,
        label: format!("`{}`", profile.name),
        score,
        reason: reasons.join(", "),
        position: profile.position,
    })
}

/// Quantity times price, where there are such columns. A column that is this product already gets points instead.
fn product(
    numeric: &[(&Profile, &Numbers)],
    format: Format,
    singles: &mut [Candidate],
) -> Option<Candidate> {
    let (quantity, quantities) =
        best(numeric, Table::Quantity).filter(|(_, numbers)| numbers.whole > 0.9)?;
    let (price, prices) =
        best(numeric, Table::Price).filter(|(p, _)| p.position != quantity.position)?;
    let total = numeric.iter().find(|(total, totals)| {
        total.position != quantity.position
            && total.position != price.position
            && is_product((quantity, quantities), (price, prices), (total, totals))
    });
    if let Some((total, _)) = total {
        let own = |candidate: &&mut Candidate| candidate.position == total.position;
        if let Some(candidate) = singles.iter_mut().find(own) {
            candidate.score += PRODUCT;
            candidate.reason = format!("`{}` times `{}`", quantity.name, price.name);
        }
        return None;
    }
    let (q, p) = (
        Operand::new(quantity, format)?,
        Operand::new(price, format)?,
    );
    let value = format!("{} * {}", q.number(quantities), p.number(prices));
    let gaps: Vec<&str> = [(&q, quantity), (&p, price)]
        .into_iter()
        .filter(|(_, profile)| profile.filled < 1.0)
        .map(|(operand, _)| operand.missing.as_str())
        .collect();
    let expression = match gaps.is_empty() {
        true => value,
        false => format!("{} ? 0.0 : {value}", gaps.join(" || ")),
    };
    let is_unit = Table::Unit.has_any(&price.words);
    Some(Candidate {
        mapping: Mapping::Expression(expression),
        label: format!("`{}` times `{}`", quantity.name, price.name),
        score: if is_unit { 36 } else { 30 },
        reason: format!(
            "`{}` is a number of pieces, `{}` the price of one",
            quantity.name, price.name
        ),
        position: price.position.max(quantity.position),
    })
}

/// The column whose name says most for a role.
fn best<'p>(
    numeric: &[(&'p Profile, &'p Numbers)],
    table: Table,
) -> Option<(&'p Profile, &'p Numbers)> {
    let score = |profile: &Profile| table.points(&profile.words).sum();
    let enough = numeric.iter().filter(|(profile, _)| score(profile) >= 20);
    enough
        .max_by_key(|(p, _)| (score(p), std::cmp::Reverse(p.position)))
        .copied()
}

/// Whether a column is the product of two others in nearly all rows.
fn is_product(
    (one, ones): (&Profile, &Numbers),
    (other, others): (&Profile, &Numbers),
    (total, totals): (&Profile, &Numbers),
) -> bool {
    let rows = one.values.iter().zip(&other.values).zip(&total.values);
    let read = rows.filter_map(|((a, b), c)| {
        let a = ones.read(&a.text)?;
        Some((a, a * others.read(&b.text)?, totals.read(&c.text)?))
    });
    // One piece costs what it costs: only several show a product.
    let several = read.filter(|(pieces, ..)| pieces.abs() > 1.0).take(ROWS);
    let (mut all, mut equal) = (0, 0);
    for (_, product, total) in several {
        all += 1;
        equal += usize::from((product - total).abs() <= 0.005 + 0.005 * product.abs());
    }
    all >= 5 && equal * 10 >= all * 9
}
