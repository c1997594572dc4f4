//! The section on what users are worth.

use crate::configuration::reference::{Range, Setting};

const NUMBER: &str = "number";

pub(super) const VALUE: &[Setting] = &[
    Setting::new(
        "kinds",
        "string or list of strings",
        "The kinds of events whose amounts are the money that users spend. Returns belong to them, with amounts below 0.",
    )
    .range(Range::Condition {
        words: "at least one, each once",
        legal: &["[\"purchase\"]", "[\"purchase\", \"return\"]"],
        illegal: &["[]", "[\"purchase\", \"purchase\"]"],
    }),
    Setting::new(
        "margin",
        NUMBER,
        "The share of an amount that is earned. Residual value and value at risk are multiplied by it, expected spend is not.",
    )
    .unit("share of an amount")
    .default("1.0")
    .range(Range::Condition {
        words: "above 0, at most 1",
        legal: &["0.000001", "1.0"],
        illegal: &["0.0", "1.000001", "nan"],
    }),
    Setting::new(
        "horizon_days",
        "integer",
        "Over how many days spend is expected, from the as-of day plus `churn.lead_days` on. Where it does not fit into the \
         log twice, the longest window that does is learnt, of 28 days at least, and the rest is extrapolated.",
    )
    .unit("days")
    .default("365")
    .range(Range::Integers(90, 1_095)),
    Setting::new(
        "annual_discount",
        NUMBER,
        "The discount of a year: with 0.1, 1.10 in a year is worth 1 now. Above 0 with `residual_years = inf`.",
    )
    .default("0.1")
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "residual_years",
        NUMBER,
        "How far the residual value looks ahead; never less than the horizon. 0: the horizon only; `inf`: without an end.",
    )
    .unit("years")
    .default("3.0")
    .range(Range::Condition {
        words: "0 to 100, or `inf`",
        legal: &["0", "100.0", "inf"],
        illegal: &["-0.1", "100.1", "nan"],
    }),
    Setting::new(
        "interval",
        NUMBER,
        "The share of users whose spend lies inside of the interval.",
    )
    .unit("share of users")
    .default("0.8")
    .range(Range::Closed(0.5, 0.99)),
    Setting::new(
        "tiers",
        "list of tables",
        "The tiers of residual value, highest first: names, and the share of users in the tier and those above. The bounds are \
         amounts that are fixed at the fit.",
    )
    .default(
        "[{ name = \"high\", top_share = 0.2 }, { name = \"medium\", top_share = 0.5 }, { name = \"low\" }]",
    )
    .range(Range::Condition {
        words: "1 to 10 with different names; shares between 0 and 1, increasing, the last tier without",
        legal: &[
            "[{ name = \"all\" }]",
            "[{ name = \"top\", top_share = 0.01 }, { name = \"rest\" }]",
        ],
        illegal: &[
            "[]",
            "[{ name = \"\" }]",
            "[{ name = \"all\", top_share = 1.0 }]",
            "[{ name = \"top\", top_share = 0.0 }, { name = \"rest\" }]",
            "[{ name = \"same\", top_share = 0.5 }, { name = \"same\" }]",
        ],
    }),
    Setting::new(
        "method",
        "string",
        "How spend is estimated: a blend of a regression on the features and of Pareto/NBD times gamma-gamma, or one of them.",
    )
    .default("\"auto\"")
    .range(Range::OneOf(&["auto", "glm", "btyd"])),
    Setting::new(
        "currency",
        "string",
        "The currency of the amounts, which answers and reports name.",
    )
    .otherwise("amounts have no currency")
    .range(Range::Condition {
        words: "1 to 16 characters without spaces",
        legal: &["\"GBP\"", "\"€\""],
        illegal: &["\"\"", "\"British pounds\"", "\"a b\""],
    }),
    Setting::new(
        "retier",
        "boolean",
        "Whether the bounds of tiers are made anew; otherwise a fit with `--previous` keeps those of the earlier bundle.",
    )
    .default("false"),
];
