//! Every section and key of `ebb.toml`, as the page of the reference describes it. Tests compare the rows with the types: names,
//! defaults, and both sides of every range.

mod attributes;
mod check;
mod conversion;
mod kpi;
mod log;
mod model;
mod privacy;
mod releases;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

use crate::configuration::reference::{Section, Setting};

/// The sections in the order of the page.
pub static SECTIONS: [Section; 14] = [
    Section {
        name: "events",
        purpose: "Which files hold the log, and what their columns mean. `user`, `time`, `kind` and `amount` are mapped: to a \
                  column by its name, or to an expression in the Common Expression Language, `{ expr = '...' }`.",
        settings: Cow::Borrowed(log::EVENTS),
    },
    Section {
        name: "attributes",
        purpose: "What is known of users beside the log, such as a plan or an age: a table with a row for each user and day of \
                  change. Without the table nothing of it is weighed.",
        settings: Cow::Borrowed(attributes::ATTRIBUTES),
    },
    Section {
        name: "churn",
        purpose: "What churn is, and for which users it is predicted.",
        settings: Cow::Borrowed(log::CHURN),
    },
    Section {
        name: "model",
        purpose: "How the churn models are fitted.",
        settings: Cow::Borrowed(model::MODEL),
    },
    Section {
        name: "segments",
        purpose: "How users are grouped by k-means.",
        settings: Cow::Borrowed(model::SEGMENTS),
    },
    Section {
        name: "risk_bands",
        purpose: "The churn probabilities from which the risk is called medium and high; below, it is low.",
        settings: Cow::Borrowed(model::RISK_BANDS),
    },
    Section {
        name: "lifecycle",
        purpose: "The thresholds of the lifecycle rules, which are tried in this order: inactive (`churn.active_within_days`), \
                  overdue, activity drop, then tenure.",
        settings: Cow::Borrowed(model::LIFECYCLE),
    },
    Section {
        name: "value",
        purpose: "What users are worth. Without the table no value is estimated. An order is a day on which the amounts of \
                  `kinds` add up to more than 0.",
        settings: Cow::Borrowed(value::VALUE),
    },
    Section {
        name: "conversion",
        purpose: "Which people who never bought are asked about, and what is predicted of them. Without the table nothing is. Dates, \
                  features and models are made as for churn, see `[model]`.",
        settings: Cow::Borrowed(conversion::CONVERSION),
    },
    Section {
        name: "privacy",
        purpose: "What may be published about groups of users.",
        settings: Cow::Borrowed(privacy::PRIVACY),
    },
    Section {
        name: "releases",
        purpose: "Days on which the product changed so much that its users may have changed too, a table `[[releases]]` for each: \
                  `ebb-train propose` looks whether they have.",
        settings: Cow::Borrowed(releases::RELEASES),
    },
    Section {
        name: "kpi",
        purpose: "How the indicators of `ebb-train kpi` are defined.",
        settings: Cow::Borrowed(kpi::KPI),
    },
    Section {
        name: "costs",
        purpose: "What the acquisition of users cost, for the indicators of costs.",
        settings: Cow::Borrowed(kpi::COSTS),
    },
    Section {
        name: "check",
        purpose: "What `ebb-train check` holds a model against: the figures of its card on the test date, and a comparison with \
                  the model in use. A threshold is a number for all horizons, or numbers by horizon: `{ 30 = 0.8, 90 = 0.75 }`. \
                  The figure itself is compared, of `max_regression` the upper end of its interval.",
        settings: Cow::Borrowed(check::CHECK),
    },
];

/// The description of a key.
pub fn find(section: &str, key: &str) -> Option<&'static Setting> {
    let section = SECTIONS.iter().find(|s| s.name == section)?;
    section.settings.iter().find(|setting| setting.key == key)
}
