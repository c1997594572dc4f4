//! A list of users as a table.

use crate::batch::top::{Order, Top, TopUser, UserValue, ValueTerms};
use crate::report::lines::{Line, Tone, left, right, width_of, wrapped};
use crate::report::number::{counted, thousands};

/// Columns of an id, a segment's name and a reason at most.
const ID_COLUMNS: usize = 40;
const SEGMENT_COLUMNS: usize = 28;
/// Columns of a reason at least; where there are fewer, it is left out.
const REASON_COLUMNS: usize = 16;
/// The rank of the column of reasons; see [`Column`].
const REASON_RANK: u8 = 2;
/// Blanks between two columns.
const GAP: usize = 2;

/// A column of the table.
struct Column {
    heading: &'static str,
    cells: Vec<String>,
    most: usize,
    is_number: bool,
    /// Columns of a lower rank give way where the terminal is too narrow.
    rank: u8,
}

impl Column {
    fn width(&self) -> usize {
        let widths = self.cells.iter().map(|cell| width_of(cell));
        let widest = widths.max().unwrap_or(0).max(width_of(self.heading));
        widest.min(self.most)
    }

    fn cell(&self, text: &str, width: usize) -> String {
        if self.is_number {
            right(text, width)
        } else {
            left(text, width)
        }
    }
}

/// The users in lines of at most `width` columns, or as long as they are.
pub fn list(top: &Top, width: Option<usize>) -> Vec<Line> {
    let columns = fitting(columns(top), width);
    let widths: Vec<usize> = widths(&columns, width);
    let row = |tone: Tone, cell: &dyn Fn(&Column) -> String| {
        let cells = columns.iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(c, width)| c.cell(&cell(c), *width)).collect();
        Line::new(tone, cells.join(&" ".repeat(GAP)).trim_end())
    };
    let mut lines = match width {
        Some(width) => wrapped(Tone::Plain, &summary(top), width),
        None => vec![Line::new(Tone::Plain, summary(top))],
    };
    lines.push(row(Tone::Heading, &|column| column.heading.to_owned()));
    lines.extend((0..top.users.len()).map(|k| {
        let tone = match top.users[k].risk_band {
            "high" => Tone::Raises,
            _ => Tone::Plain,
        };
        row(tone, &|column| column.cells[k].clone())
    }));
    lines
}

/// Which users are listed.
pub fn summary(top: &Top) -> String {
    let skipped: u64 = top.skipped.values().sum();
    let order = match top.order {
        Order::Risk => "churn probability",
        Order::Loss if top.value.is_some() => "value at risk",
        Order::Loss => "spend at risk",
    };
    let amounts = top.value.as_ref().map_or_else(String::new, amounts);
    format!(
        "The first {} of {} by {order} within {} days, as of {}; {} have a score, {} have none.{amounts}",
        thousands(top.users.len() as u64),
        counted(top.matching, "user"),
        top.horizon_days,
        top.as_of,
        thousands(top.scored),
        thousands(skipped)
    )
}

/// What the amounts of value are.
fn amounts(terms: &ValueTerms) -> String {
    let days = terms.horizon_days;
    match &terms.currency {
        Some(currency) => {
            format!(" Amounts are in {currency}; the spend is that expected in {days} days.")
        }
        None => format!(" The spend is that expected in {days} days."),
    }
}

fn columns(top: &Top) -> Vec<Column> {
    let column = |heading, rank, most, is_number, cell: &dyn Fn(&TopUser) -> String| Column {
        heading,
        cells: top.users.iter().map(cell).collect(),
        most,
        is_number,
        rank,
    };
    let mut columns = vec![
        column("user", 9, ID_COLUMNS, false, &|user| user.user_id.clone()),
        column("churn", 8, 20, true, &|user| share(user.churn_probability)),
        column("band", 5, 10, false, &|user| user.risk_band.to_owned()),
    ];
    if top.value.is_some() {
        let value = |user: &TopUser, of: fn(&UserValue) -> Option<f64>| {
            amount(user.value.as_ref().and_then(of))
        };
        columns.push(column("at risk", 7, 20, true, &|user| {
            value(user, |value| value.at_risk)
        }));
        columns.push(column("value", 4, 20, true, &|user| {
            value(user, |value| value.residual)
        }));
        columns.push(column("spend", 4, 20, true, &|user| {
            value(user, |value| value.expected_spend)
        }));
        columns.push(column("tier", 6, 16, false, &|user| {
            let tier = user.value.as_ref().and_then(|value| value.tier.clone());
            tier.unwrap_or_default()
        }));
    }
    if top.users.iter().any(|user| user.expected_spend.is_some()) {
        columns.push(column("at risk", 7, 20, true, &|user| {
            amount(user.spend_at_risk())
        }));
        columns.push(column("spend", 4, 20, true, &|user| {
            amount(user.expected_spend)
        }));
    }
    columns.push(column("stage", 3, 12, false, &|user| user.stage.to_owned()));
    columns.push(column("segment", 1, SEGMENT_COLUMNS, false, &|user| {
        let segment = user.segment.as_ref();
        segment.map_or_else(String::new, |s| format!("{} {}", s.id, s.name))
    }));
    columns.push(column(
        "first reason",
        REASON_RANK,
        usize::MAX,
        false,
        &|user| {
            let reason = user.reasons.first();
            reason.map_or_else(String::new, |reason| reason.description.clone())
        },
    ));
    columns
}

/// A probability with the digits that tell the first users apart.
fn share(probability: f64) -> String {
    match probability * 100.0 {
        p if p > 99.9 => ">99.9 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// A sum of money: whole from 100 on.
fn amount(amount: Option<f64>) -> String {
    match amount {
        None => String::new(),
        Some(amount) if amount >= 99.995 => thousands(amount.round() as u64),
        Some(amount) => format!("{amount:.2}"),
    }
}

/// The columns that have room, the others left out from the lowest rank on.
fn fitting(mut columns: Vec<Column>, width: Option<usize>) -> Vec<Column> {
    let Some(width) = width else { return columns };
    let least = |column: &Column| match column.rank {
        REASON_RANK => column.width().min(REASON_COLUMNS),
        _ => column.width(),
    };
    while columns.len() > 1 {
        let needed: usize = columns.iter().map(|column| least(column) + GAP).sum();
        if needed - GAP <= width {
            break;
        }
        let lowest = columns.iter().map(|column| column.rank).min();
        columns.retain(|column| Some(column.rank) != lowest);
    }
    columns
}

/// The widths of columns: the last takes what is left.
fn widths(columns: &[Column], width: Option<usize>) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(Column::width).collect();
    let Some((last, others)) = widths.split_last_mut() else {
        return widths;
    };
    if let Some(width) = width {
        let taken: usize = others.iter().map(|width| width + GAP).sum();
        *last = (*last).min(width.saturating_sub(taken)).max(1);
    }
    widths
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn user(id: &str, at_risk: Option<f64>) -> TopUser {
        TopUser {
            user_id: id.to_owned(),
            churn_probability: 0.25,
            risk_band: "low",
            stage: "mature",
            segment: None,
            expected_spend: None,
            value: Some(UserValue {
                expected_spend: Some(620.5),
                residual: Some(512.25),
                at_risk,
                tier: at_risk.map(|_| "high".to_owned()),
            }),
            reasons: Vec::new(),
        }
    }

    fn lines(currency: Option<&str>) -> Vec<String> {
        let top = Top {
            model: "test".to_owned(),
            as_of: "2024-06-01".parse().unwrap(),
            order: Order::Loss,
            horizon_days: 30,
            value: Some(ValueTerms {
                currency: currency.map(str::to_owned),
                horizon_days: 365,
            }),
            scored: 2,
            matching: 2,
            skipped: BTreeMap::new(),
            users: vec![user("u1", Some(99.5)), user("u2", None)],
        };
        list(&top, None).iter().map(Line::text).collect()
    }

    #[test]
    fn value_at_risk_is_listed_with_its_currency_and_tier() {
        insta::assert_snapshot!(lines(Some("GBP")).join("\n"), @r"
        The first 2 of 2 users by value at risk within 30 days, as of 2024-06-01; 2 have a score, 0 have none. Amounts are in GBP; the spend is that expected in 365 days.
        user   churn  band  at risk  value  spend  tier  stage   segment  first reason
        u1    25.0 %  low     99.50    512    621  high  mature
        u2    25.0 %  low              512    621        mature
        ");
        assert!(lines(None)[0].ends_with("0 have none. The spend is that expected in 365 days."));
    }
}
