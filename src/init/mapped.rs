//! How a log is to be read: the settings of `[events]` with their reasons.

use super::columns::profile::Profile;
use super::columns::time::Times;
use super::columns::zone::Zone;
use super::proposal::{LayoutFound, TimesFound};
use super::request::{Ask, Question};
use super::roles::{Finding, Roles};
use super::sample::Layout;
use super::vocabulary::Table;
use crate::events::EventsConfig;
use crate::events::config::{Decimal, Delimiter, Format, Mapping, TimeZoneName};

/// The kind of all events where none is mapped and they are bought.
const PURCHASE: &str = "purchase";
/// The same where nothing says that they are.
const EVENT: &str = "event";

/// How a log is to be read, and why.
#[derive(Clone, Debug, Default)]
pub struct Mapped {
    /// The settings, all but the paths.
    pub(crate) events: EventsConfig,
    pub(crate) layout: LayoutFound,
    pub(crate) user: Option<Finding>,
    pub(crate) time: Option<Finding>,
    pub(crate) times: TimesFound,
    pub(crate) kind: Option<Finding>,
    pub(crate) amount: Option<Finding>,
    /// The kind of all events, where none is mapped.
    pub(crate) kind_of_all: Option<String>,
    pub(crate) doubts: Vec<String>,
}

impl Mapped {
    /// A roll-up, which needs no mapping.
    pub(crate) fn rollup(layout: &Layout) -> Self {
        let format = layout.is_format_set.then_some(Format::Rollup);
        Self {
            layout: LayoutFound {
                format: format.map(|format| format.to_string()),
                ..LayoutFound::default()
            },
            events: EventsConfig {
                format,
                ..EventsConfig::default()
            },
            ..Self::default()
        }
    }

    /// The settings for the columns of a log; asks how dates are meant where they could be either.
    pub(crate) fn new(
        mut roles: Roles,
        profiles: &[Profile],
        layout: &Layout,
        ask: &mut Ask<'_>,
    ) -> Self {
        let kind_of_all = roles
            .kind
            .is_none()
            .then(|| kind_of_all(&roles, profiles).to_owned());
        let times = profiles
            .get(roles.time_position)
            .and_then(|p| p.times.as_ref());
        let times = times
            .map(|times| times_found(times, ask))
            .unwrap_or_default();
        let mut doubts = Vec::new();
        let decimal = decimal(&roles, profiles, &mut doubts);
        let columns = layout
            .columns
            .as_ref()
            .map(|columns| named(columns, &mut roles));
        doubts.extend(encoding_doubt(layout, columns.as_deref(), &roles));
        let format = layout.is_format_set.then_some(layout.format);
        let Roles {
            user,
            time,
            kind,
            amount,
            ..
        } = roles;
        let mapping = |finding: &Option<Finding>| finding.as_ref().map(|f| f.mapping.clone());
        Self {
            events: EventsConfig {
                user: Some(user.mapping.clone()),
                time: Some(time.mapping.clone()),
                time_format: times.format.clone(),
                kind: mapping(&kind),
                amount: mapping(&amount),
                decimal,
                timezone: TimeZoneName(times.timezone.clone().unwrap_or_else(|| "UTC".to_owned())),
                format,
                delimiter: layout.delimiter,
                columns: columns.clone(),
                ..EventsConfig::default()
            },
            layout: LayoutFound {
                format: format.map(|format| format.to_string()),
                delimiter: layout.delimiter.map(written),
                columns,
                decimal: decimal.map(|decimal| decimal.mark().to_string()),
            },
            user: Some(user),
            time: Some(time),
            times,
            kind,
            amount,
            kind_of_all,
            doubts,
        }
    }
}

/// A delimiter as the setting writes it.
fn written(delimiter: Delimiter) -> String {
    match delimiter {
        Delimiter::Whitespace => "whitespace".to_owned(),
        Delimiter::Byte(b'\t') => "tab".to_owned(),
        Delimiter::Byte(byte) => char::from(byte).to_string(),
    }
}

/// The kind of all events: purchases where there is an amount, or where a name speaks of orders.
fn kind_of_all(roles: &Roles, profiles: &[Profile]) -> &'static str {
    let is_order = |profile: &Profile| Table::Order.has_any(&profile.words);
    match roles.amount.is_some() || profiles.iter().any(is_order) {
        true => PURCHASE,
        false => EVENT,
    }
}

/// What separates fractions in the amount's column. A product of columns takes care of it itself.
fn decimal(roles: &Roles, profiles: &[Profile], doubts: &mut Vec<String>) -> Option<Decimal> {
    let amount = roles.amount.as_ref()?;
    if matches!(&amount.mapping, Mapping::Expression(text) if text.contains("double(")) {
        return None;
    }
    let profile = profiles.get(roles.amount_position?)?;
    let numbers = profile.numbers.as_ref()?;
    let decimal = numbers.decimal?;
    if !numbers.is_certain {
        doubts.push(format!(
            "in `{}` nothing shows whether `{}` separates fractions or groups of three digits; see events.decimal",
            profile.name,
            match decimal {
                Decimal::Comma => ',',
                Decimal::Point => decimal.group_marks()[0],
            }
        ));
    }
    Some(decimal)
}

/// A doubt where a column in use has bytes that the reader takes for damage.
fn encoding_doubt(layout: &Layout, columns: Option<&[String]>, roles: &Roles) -> Option<String> {
    let in_use = |name: &&str| {
        roles.findings().any(|finding| match &finding.mapping {
            Mapping::Column(column) => column == *name,
            Mapping::Expression(text) => text.contains(*name),
        })
    };
    let found = layout.not_utf8.iter();
    let mut damaged = found.map(|name| configured_name(layout, columns, name));
    let damaged = damaged.find(in_use)?;
    Some(format!(
        "values of `{damaged}` are not UTF-8, and rows with them are rejected: convert the files, as `iconv -f WINDOWS-1252 -t \
         UTF-8` does"
    ))
}

/// What the configuration, which may name the `columns`, calls a column of the files.
fn configured_name<'n>(layout: &Layout, columns: Option<&'n [String]>, name: &'n str) -> &'n str {
    let mut own = layout.columns.iter().flatten();
    let position = own.position(|own| own == name);
    let configured = columns.zip(position).and_then(|(all, at)| all.get(at));
    configured.map_or(name, String::as_str)
}

/// Names for the columns of files without a header: those of the fields where columns are mapped as they are. The findings
/// are changed with them.
fn named(columns: &[String], roles: &mut Roles) -> Vec<String> {
    let mut names = columns.to_vec();
    let is_plain = roles
        .findings()
        .all(|finding| matches!(finding.mapping, Mapping::Column(_)));
    // An expression names other columns too, and by their own names they are found in it.
    if !is_plain {
        return names;
    }
    let fields = [
        ("user", Some(&mut roles.user)),
        ("time", Some(&mut roles.time)),
        ("kind", roles.kind.as_mut()),
        ("amount", roles.amount.as_mut()),
    ];
    for (field, finding) in fields {
        let Some(finding) = finding else { continue };
        let Mapping::Column(column) = &finding.mapping else {
            continue;
        };
        if let Some(name) = names.iter_mut().find(|name| *name == column) {
            field.clone_into(name);
            finding.mapping = Mapping::Column(field.to_owned());
        }
    }
    names
}

/// A format with a word on what comes first in it.
fn with_order(format: &str) -> String {
    match format.starts_with("%d") {
        true => format!("{format} (the day first)"),
        false => format!("{format} (the month first)"),
    }
}

/// How times are written, and what there is to say about their zone.
fn times_found(times: &Times, ask: &mut Ask<'_>) -> TimesFound {
    let mut found = TimesFound {
        format: times.format.clone(),
        other_format: times.other_format.clone(),
        order_reason: times.order_reason.map(str::to_owned),
        are_instants: times.are_instants,
        ..TimesFound::default()
    };
    if let (Some(format), Some(other)) = (&times.format, &times.other_format) {
        let question = Question {
            field: "time_format",
            text: format!(
                "How are dates written? Both ways read them all; {}.",
                times.order_reason.unwrap_or_default()
            ),
            options: [format, other].map(|format| with_order(format)).to_vec(),
        };
        match ask(&question) {
            Some(1) => {
                std::mem::swap(&mut found.format, &mut found.other_format);
                found.order_reason =
                    Some("The day and the month are in the order that was chosen".to_owned());
            }
            Some(_) => {
                found.order_reason =
                    Some("The day and the month are in the order that was chosen".to_owned())
            }
            None => found.is_order_doubtful = true,
        }
    }
    let (zone, note) = match (times.are_instants, &times.zone) {
        (false, _) => (
            None,
            "Times have no offset, so that days are those that are written. `timezone` decides when today is over.".to_owned(),
        ),
        (true, Some(Zone::Named(name))) => (
            Some((*name).to_owned()),
            format!("The offsets of the times are those of {name}, among others: its days are counted."),
        ),
        (true, Some(Zone::Unknown)) => (
            Some("UTC".to_owned()),
            "Doubt: the offsets of the times are those of several zones; name the one whose days are to be counted, such as \
             \"Europe/Berlin\"."
                .to_owned(),
        ),
        (true, _) => (
            Some("UTC".to_owned()),
            "Times are instants, and days those of UTC: name the zone of the users where another one is meant, such as \
             \"Europe/Berlin\"."
                .to_owned(),
        ),
    };
    found.timezone = zone;
    found.zone_note = times.has_clock.then_some(note);
    found
}
