//! The section on the quality gate.

use crate::configuration::reference::{Range, Setting};

/// The type of thresholds of horizons.
const BY_HORIZON: &str = "number or numbers by horizon";
/// What holds where no threshold is set.
const UNCHECKED: &str = "not checked";
/// The unit of log loss.
const NATS: &str = "nats";

pub(super) const CHECK: &[Setting] = &[
    Setting::new(
        "min_auc",
        BY_HORIZON,
        "The smallest acceptable area under the ROC curve.",
    )
    .otherwise(UNCHECKED)
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "max_log_loss",
        BY_HORIZON,
        "The largest acceptable log loss.",
    )
    .unit(NATS)
    .otherwise(UNCHECKED)
    .range(Range::NumbersFrom(0.0)),
    Setting::new(
        "max_ece",
        BY_HORIZON,
        "The largest acceptable expected calibration error.",
    )
    .unit("probability")
    .otherwise(UNCHECKED)
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "max_bias",
        BY_HORIZON,
        "The largest acceptable distance of the mean prediction from the churn rate, either way.",
    )
    .unit("probability")
    .otherwise(UNCHECKED)
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "min_gain_over_base_rate",
        BY_HORIZON,
        "By how much the log loss must at least be below that of the base rate.",
    )
    .unit(NATS)
    .otherwise(UNCHECKED),
    Setting::new(
        "min_gain_over_recency",
        BY_HORIZON,
        "By how much it must at least be below that of recency alone.",
    )
    .unit(NATS)
    .otherwise(UNCHECKED),
    Setting::new(
        "min_gain_over_bg_nbd",
        BY_HORIZON,
        "By how much it must at least be below that of BG/NBD; fails where churn is an event, which BG/NBD does not predict.",
    )
    .unit(NATS)
    .otherwise(UNCHECKED),
    Setting::new(
        "max_regression",
        BY_HORIZON,
        "With `--against`: how far above that of the model in use the log loss may lie on the same users, by the upper end of \
         the 95 % interval. Below 0 the new model must be better.",
    )
    .unit(NATS)
    .otherwise("0.01"),
    Setting::new(
        "max_rejected_share",
        "number",
        "The largest acceptable share of the log's rows that were rejected, rows without a user apart.",
    )
    .unit("share of rows")
    .otherwise("0.05")
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "max_data_age_days",
        "integer",
        "How many days ago the log of the fit may have ended at most.",
    )
    .unit("days")
    .otherwise(UNCHECKED)
    .range(Range::Integers(0, 4_294_967_295)),
    Setting::new(
        "min_users_scored",
        "integer",
        "How many users must at least have a score at the as-of day of the fit.",
    )
    .unit("users")
    .otherwise(UNCHECKED)
    .range(Range::IntegersFrom(0)),
    Setting::new(
        "min_gini",
        "number",
        "The smallest acceptable normalised Gini of the expected spend out of time; fails where the value was not judged.",
    )
    .otherwise(UNCHECKED)
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "max_value_bias",
        "number",
        "The largest acceptable distance of the expected total spend from the actual one, either way; fails where the value was not \
         judged.",
    )
    .unit("share of the actual spend")
    .otherwise(UNCHECKED)
    .range(Range::NumbersFrom(0.0)),
    Setting::new(
        "min_conversion_auc",
        "number",
        "The smallest acceptable area under the ROC curve of conversion, at every horizon; fails where it was not judged.",
    )
    .otherwise(UNCHECKED)
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "max_conversion_log_loss",
        "number",
        "The largest acceptable log loss of conversion, at every horizon; fails where it was not judged.",
    )
    .unit(NATS)
    .otherwise(UNCHECKED)
    .range(Range::NumbersFrom(0.0)),
];
