//! The sections on key performance indicators.

use crate::configuration::reference::{Range, Setting};

pub(super) const KPI: &[Setting] = &[
    Setting::new(
        "order_kinds",
        "string or list of strings",
        "The kinds of events that are orders, and whose amounts are revenue. Returns belong to them, with amounts below 0.",
    )
    .otherwise("`value.kinds`, or else `churn.activity`"),
    Setting::new(
        "activation",
        "list of tables",
        "The steps of activation: days with activity, and days since the first event, its own day the first of them.",
    )
    .default("[{ uses = 1, days = 7 }, { uses = 3, days = 14 }, { uses = 5, days = 28 }]")
    .range(Range::Condition {
        words: "at most 10 different ones; days from 1 to 3660, uses from 1 to days",
        legal: &["[]", "[{ uses = 1, days = 1 }]", "[{ uses = 3660, days = 3660 }]"],
        illegal: &[
            "[{ uses = 0, days = 7 }]",
            "[{ uses = 8, days = 7 }]",
            "[{ uses = 1, days = 3661 }]",
            "[{ uses = 1, days = 7 }, { uses = 1, days = 7 }]",
        ],
    }),
    Setting::new(
        "repurchase_days",
        "integer or list of integers",
        "Windows after a user's first order: a second order day in one of them is a repurchase.",
    )
    .unit("days")
    .default("[30, 90, 180]")
    .range(Range::Condition {
        words: "at most 10, increasing, from 1 to 3660",
        legal: &["[]", "[1]", "[1, 3660]"],
        illegal: &["[0]", "[3661]", "[30, 30]", "[90, 30]"],
    }),
    Setting::new(
        "lapsed_after_days",
        "integer",
        "Users whose last activity is more days ago have lapsed; they can be won back.",
    )
    .unit("days")
    .otherwise("`churn.active_within_days`")
    .range(Range::Integers(1, 3_660)),
    Setting::new(
        "nps_kind",
        "string",
        "The kind of events whose amounts, 0 to 10, answer how likely a user is to recommend the product.",
    )
    .default("\"nps\"")
    .range(Range::Condition {
        words: "not empty",
        legal: &["\"survey\""],
        illegal: &["\"\""],
    }),
];

pub(super) const COSTS: &[Setting] = &[
    Setting::new(
        "file",
        "string",
        "A CSV file with the columns `month` (`YYYY-MM`), `channel` and `cost`, relative to this file; amounts as in the log.",
    )
    .otherwise("there are no costs")
    .range(Range::Condition {
        words: "not empty",
        legal: &["\"costs.csv\""],
        illegal: &["\"\""],
    }),
    Setting::new(
        "channel_attribute",
        "string",
        "A category of `[attributes]` that names the channel by which a user came, as `channel` in the file does.",
    )
    .otherwise("costs are those of all channels together"),
];
