use super::bg_nbd::PARAMETER_RANGE;

/// Figures of a model that are not legal, wherever they were read from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FigureError {
    /// Risk bands that are out of order.
    #[error("medium = {medium} and high = {high} must be 0 < medium < high < 1")]
    Bands {
        /// Where the medium band starts.
        medium: f64,
        /// Where the high band starts.
        high: f64,
    },
    /// A parameter of BG/NBD out of range.
    #[error("{name} is {value}: it must lie between {low:e} and {high:e}", low = PARAMETER_RANGE.start(), high = PARAMETER_RANGE.end())]
    BgNbd {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A parameter of Pareto/NBD or gamma-gamma out of range.
    #[error("{name} is {value}: it must lie between {low:e} and {high:e}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The least that is legal.
        low: f64,
        /// The most that is legal.
        high: f64,
    },
    /// A column that cannot be standardised.
    #[error("needs finite numbers, a positive std_dev and clip_min <= clip_max")]
    Column,
    /// A figure of the value model that is not legal.
    #[error("{what}")]
    Value {
        /// What is wrong.
        what: &'static str,
    },
    /// Hinges or interactions that cannot be computed.
    #[error("needs finite numbers, positive std_devs and columns that exist")]
    Expansion,
    /// A number of weights that is not the number of columns and terms.
    #[error("has {found} weights for {expected} numbers")]
    Weights {
        /// How many weights there are.
        found: usize,
        /// How many columns, hinges and interactions.
        expected: usize,
    },
    /// Weights or a calibration that give no log-odds.
    #[error("needs finite numbers and a positive calibration slope")]
    Churn,
    /// A segment whose centroid is no point of the segments' features.
    #[error("needs one finite number for each segment feature")]
    Segment,
    /// Scales of segments that are not those of their features.
    #[error("needs one column for each segment feature, in their order")]
    SegmentScales,
    /// Keys of segments that are not unique, or above the last one.
    #[error("needs keys that are all different and at most `last_key`")]
    SegmentKeys,
}

pub(crate) fn all_finite(figures: &[f64]) -> bool {
    figures.iter().all(|x| x.is_finite())
}
