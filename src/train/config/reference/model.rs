//! The sections on the fit and on what is made of its answers.

use crate::configuration::reference::{Range, Setting};

const STRING: &str = "string";
const INTEGER: &str = "integer";
const NUMBER: &str = "number";
/// What holds for a hyperparameter that is not set.
const SELECTED: &str = "selected by a rolling-origin backtest";

pub(super) const MODEL: &[Setting] = &[
    Setting::new(
        "solver",
        STRING,
        "The solver of the logistic fit: Newton's method, or linfa-logistic to compare, which weighs all rows alike.",
    )
    .default("\"newton\"")
    .range(Range::OneOf(&["newton", "linfa"])),
    Setting::new("l2", NUMBER, "The L2 penalty on the summed loss.")
        .otherwise(SELECTED)
        .range(Range::Above(0.0)),
    Setting::new(
        "nonlinear_terms",
        "boolean",
        "Whether hinge and interaction terms of the features are weighed too.",
    )
    .otherwise(SELECTED),
    Setting::new(
        "half_life_windows",
        NUMBER,
        "After how many label windows (lead + horizon) a row counts half; 0: all rows count alike. Must be 0 with \
         `solver = \"linfa\"`.",
    )
    .unit("label windows")
    .otherwise(SELECTED)
    .range(Range::NumbersFrom(0.0)),
    Setting::new(
        "spacing_days",
        INTEGER,
        "Days between the dates at which users are described.",
    )
    .unit("days")
    .otherwise("half of lead + horizon")
    .range(Range::Integers(1, 65_535)),
    Setting::new(
        "most_rows",
        INTEGER,
        "The most rows (user, date) of a fit; beyond, every second, third, ... user is taken.",
    )
    .unit("rows")
    .default("200000")
    .range(Range::IntegersFrom(1_000)),
    Setting::new(
        "dates_from",
        "date",
        "No churn model is fitted on a date before this day, as a date or a text: the day of a release after which users \
         are others. Days before it are still read: they are what users did before a date.",
    )
    .otherwise("by the log"),
    Setting::new(
        "snapshots",
        INTEGER,
        "The most dates at even distances at which users are described; anniversaries come on top.",
    )
    .unit("dates")
    .default("26")
    .range(Range::Integers(1, 100)),
    Setting::new(
        "anniversaries",
        INTEGER,
        "How many years back the same day of the year is a date too, which weighs as much as the newest, and the same \
         season has features of its own (of two years at most). It is 0 with `solver = \"linfa\"`.",
    )
    .unit("years")
    .otherwise(SELECTED)
    .range(Range::Integers(0, 3)),
    Setting::new(
        "kinds",
        INTEGER,
        "The most kinds of events, beside activity, that get features of their own; the most widespread are taken.",
    )
    .unit("kinds")
    .default("12")
    .range(Range::IntegersFrom(0)),
    Setting::new(
        "seed",
        INTEGER,
        "The seed of everything that is drawn at random.",
    )
    .default("7")
    .range(Range::IntegersFrom(0)),
    Setting::new(
        "allow_leakage",
        "string or list of strings",
        "Features, kinds and columns (`events.kind`, `events.amount`) that a leakage check stops at and that are meant.",
    )
    .default("[]"),
    Setting::new(
        "signals",
        "string or list of strings",
        "Kinds of events whose amounts are answers and not money, such as the scores of a survey. The last amount, the days since \
         and whether there was one are features, with kinks, so that a middling answer may speak most for staying.",
    )
    .default("[]"),
];

pub(super) const SEGMENTS: &[Setting] = &[
    Setting::new(
        "solver",
        STRING,
        "The solver of k-means: Lloyd's method, or linfa-clustering to compare.",
    )
    .default("\"lloyd\"")
    .range(Range::OneOf(&["lloyd", "linfa"])),
    Setting::new("k_min", INTEGER, "The fewest segments to try.")
        .unit("segments")
        .default("3")
        .range(Range::Condition {
            words: "2 to `k_max`",
            legal: &["2", "6"],
            illegal: &["1", "7"],
        }),
    Setting::new(
        "k_max",
        INTEGER,
        "The most segments to try; the number with the best silhouette is taken. With `fit --previous` the number of the \
         bundle before stays, unless another one is clearly better.",
    )
    .unit("segments")
    .default("6")
    .range(Range::Condition {
        words: "`k_min` to 20",
        legal: &["3", "20"],
        illegal: &["2", "21"],
    }),
    Setting::new(
        "sample_users",
        INTEGER,
        "The most users that centres are fitted on; afterwards every user is assigned to the nearest centre.",
    )
    .unit("users")
    .default("10000")
    .range(Range::IntegersFrom(100)),
];

pub(super) const RISK_BANDS: &[Setting] = &[
    Setting::new("medium", NUMBER, "From here on the risk is medium.")
        .unit("probability")
        .default("0.3")
        .range(Range::Condition {
            words: "between 0 and `high`, both excluded",
            legal: &["0.01", "0.59"],
            illegal: &["0.0", "0.6"],
        }),
    Setting::new("high", NUMBER, "From here on the risk is high.")
        .unit("probability")
        .default("0.6")
        .range(Range::Condition {
            words: "between `medium` and 1, both excluded",
            legal: &["0.31", "0.99"],
            illegal: &["0.3", "1.0"],
        }),
];

pub(super) const LIFECYCLE: &[Setting] = &[
    Setting::new(
        "overdue_factor",
        NUMBER,
        "Overdue: silent for more than this many times the user's mean gap between active days,",
    )
    .unit("mean gaps")
    .default("3.0")
    .range(Range::NumbersFrom(1.0)),
    Setting::new(
        "overdue_active_days",
        INTEGER,
        "with at least so many active days",
    )
    .unit("days")
    .default("3")
    .range(Range::Integers(0, 4_294_967_295)),
    Setting::new(
        "overdue_min_days",
        INTEGER,
        "and at least so many days of silence.",
    )
    .unit("days")
    .default("14")
    .range(Range::Integers(0, 4_294_967_295)),
    Setting::new(
        "drop_share",
        NUMBER,
        "Activity drop: the rate over the shortest horizon is more than this share below the user's earlier rate,",
    )
    .unit("share of the rate")
    .default("0.3")
    .range(Range::Open(0.0, 1.0)),
    Setting::new(
        "drop_probability",
        NUMBER,
        "and so few active days have less than this probability under the earlier rate.",
    )
    .unit("probability")
    .default("0.05")
    .range(Range::Open(0.0, 1.0)),
    Setting::new(
        "exploration_from_days",
        INTEGER,
        "Tenure, the days since the user's first event: up to here every user is in acquisition;",
    )
    .unit("days")
    .default("14")
    .range(Range::Condition {
        words: "0 to `acquisition_days`",
        legal: &["0", "28"],
        illegal: &["29", "-1"],
    }),
    Setting::new(
        "acquisition_days",
        INTEGER,
        "a user seen on one day only stays in acquisition up to here;",
    )
    .unit("days")
    .default("28")
    .range(Range::Condition {
        words: "`exploration_from_days` to `exploration_days`",
        legal: &["14", "56"],
        illegal: &["13", "57"],
    }),
    Setting::new(
        "exploration_days",
        INTEGER,
        "users are in exploration up to here",
    )
    .unit("days")
    .default("56")
    .range(Range::Condition {
        words: "`acquisition_days` to `growth_days`",
        legal: &["28", "182"],
        illegal: &["27", "183"],
    }),
    Setting::new(
        "growth_days",
        INTEGER,
        "and in growth up to here; beyond, they are mature.",
    )
    .unit("days")
    .default("182")
    .range(Range::Condition {
        words: "at least `exploration_days`",
        legal: &["56"],
        illegal: &["55"],
    }),
    Setting::new(
        "mature_review_days",
        INTEGER,
        "A mature user of this tenure or a longer one is due for review: counted by the indicator `mature_review_due` of \
         `ebb-train kpi`. No stage depends on it.",
    )
    .unit("days")
    .default("365")
    .range(Range::Integers(1, 36_600)),
];
