//! What users are worth: the `[value]` table of the configuration.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::configuration::{SettingError, one_or_many};

/// The horizons of the expected spend, in days.
const HORIZON_DAYS: std::ops::RangeInclusive<u16> = 90..=1_095;

/// The most years that a residual value with an end looks ahead.
const MOST_RESIDUAL_YEARS: f64 = 100.0;

/// The most tiers.
const MOST_TIERS: usize = 10;

/// The longest name of a currency, in characters.
const MOST_CURRENCY_CHARACTERS: usize = 16;

/// How users' value is estimated: the `[value]` table of the configuration. Without the table there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueConfig {
    /// The kinds of events whose amounts are money that users spend; returns have negative amounts.
    #[serde(deserialize_with = "one_or_many::list")]
    pub kinds: Vec<String>,
    /// The share of an amount that is earned, above 0 and at most 1. It scales residual value and value at risk, not spend.
    #[serde(default = "default_margin")]
    pub margin: f64,
    /// Days of the expected spend, from the as-of day plus `churn.lead_days` on; 90 to 1095.
    #[serde(default = "default_horizon_days")]
    pub horizon_days: u16,
    /// The discount of a year, 0 to 1: with 0.1 an amount of 1.10 in a year is worth 1 now.
    #[serde(default = "default_annual_discount")]
    pub annual_discount: f64,
    /// Years that the residual value looks ahead, at least the horizon: 0 to 100, or infinite.
    #[serde(default = "default_residual_years")]
    pub residual_years: f64,
    /// The share of users whose spend lies in the interval, 0.5 to 0.99.
    #[serde(default = "default_interval")]
    pub interval: f64,
    /// The tiers of residual value, highest first.
    #[serde(default = "default_tiers")]
    pub tiers: Vec<TierConfig>,
    /// The model of the spend within the horizon.
    #[serde(default)]
    pub method: ValueMethod,
    /// The currency of the amounts, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whether the bounds of tiers are made anew where those of the bundle before could be kept.
    #[serde(default)]
    pub retier: bool,
}

fn default_margin() -> f64 {
    1.0
}

fn default_horizon_days() -> u16 {
    365
}

fn default_annual_discount() -> f64 {
    0.1
}

fn default_residual_years() -> f64 {
    3.0
}

fn default_interval() -> f64 {
    0.8
}

fn default_tiers() -> Vec<TierConfig> {
    let tier = |name: &str, top_share| TierConfig {
        name: name.to_owned(),
        top_share,
    };
    vec![
        tier("high", Some(0.2)),
        tier("medium", Some(0.5)),
        tier("low", None),
    ]
}

/// A tier of residual value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierConfig {
    /// The name.
    pub name: String,
    /// The share of users in this tier and those above it, between 0 and 1; the last tier has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_share: Option<f64>,
}

/// How the spend within the horizon is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueMethod {
    /// By a blend of both, whose weights dates in the past choose.
    #[default]
    Auto,
    /// By the regression on features.
    Glm,
    /// By Pareto/NBD and gamma-gamma.
    Btyd,
}

impl ValueMethod {
    /// Whether the regression is fitted.
    pub(crate) fn has_regression(self) -> bool {
        self != Self::Btyd
    }

    /// The method's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Glm => "glm",
            Self::Btyd => "btyd",
        }
    }
}

impl ValueConfig {
    /// The settings of these kinds, with the defaults of all others.
    pub fn of_kinds(kinds: Vec<String>) -> Self {
        Self {
            kinds,
            margin: default_margin(),
            horizon_days: default_horizon_days(),
            annual_discount: default_annual_discount(),
            residual_years: default_residual_years(),
            interval: default_interval(),
            tiers: default_tiers(),
            method: ValueMethod::default(),
            currency: None,
            retier: false,
        }
    }

    /// Checks every key of `[value]` against its range.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self {
            kinds,
            margin,
            horizon_days,
            annual_discount,
            residual_years,
            interval,
            tiers,
            method: _,
            currency,
            retier: _,
        } = self;
        if kinds.is_empty() {
            let problem = "value.kinds names no kind of event";
            return Err(SettingError::new("value", "kinds", problem));
        }
        if let Some(twice) = repeated(kinds.iter().map(String::as_str)) {
            let problem = format!("value.kinds names `{twice}` twice");
            return Err(SettingError::new("value", "kinds", problem));
        }
        if !(*margin > 0.0 && *margin <= 1.0) {
            return illegal("margin", margin, "be above 0 and at most 1");
        }
        if !HORIZON_DAYS.contains(horizon_days) {
            return illegal("horizon_days", horizon_days, "lie between 90 and 1095");
        }
        if !(0.0..=1.0).contains(annual_discount) {
            return illegal("annual_discount", annual_discount, "lie between 0 and 1");
        }
        let years = 0.0..=MOST_RESIDUAL_YEARS;
        if !(years.contains(residual_years) || *residual_years == f64::INFINITY) {
            return illegal(
                "residual_years",
                residual_years,
                "lie between 0 and 100, or be inf",
            );
        }
        if *residual_years == f64::INFINITY && *annual_discount == 0.0 {
            let problem = "value.annual_discount must be above 0 with value.residual_years = inf: \
                           without a discount the value of all years to come has no end";
            return Err(SettingError::new("value", "annual_discount", problem));
        }
        if !(0.5..=0.99).contains(interval) {
            return illegal("interval", interval, "lie between 0.5 and 0.99");
        }
        let is_named = |name: &String| {
            (1..=MOST_CURRENCY_CHARACTERS).contains(&name.chars().count())
                && !name.chars().any(|c| c.is_control() || c.is_whitespace())
        };
        if let Some(name) = currency.as_ref().filter(|name| !is_named(name)) {
            return illegal(
                "currency",
                &format_args!("{name:?}"),
                "have 1 to 16 characters, none of them a space",
            );
        }
        validate_tiers(tiers)
    }

    /// Years that the residual value looks ahead; `None` without an end.
    pub fn residual_years(&self) -> Option<f64> {
        Some(self.residual_years).filter(|years| years.is_finite())
    }
}

fn illegal(
    key: &'static str,
    value: &dyn fmt::Display,
    requirement: &str,
) -> Result<(), SettingError> {
    Err(SettingError::illegal("value", key, value, requirement))
}

fn validate_tiers(tiers: &[TierConfig]) -> Result<(), SettingError> {
    let refused = |problem: String| Err(SettingError::new("value", "tiers", problem));
    let Some((last, others)) = tiers.split_last() else {
        return refused("value.tiers is empty: there must be one tier at least".to_owned());
    };
    if tiers.len() > MOST_TIERS {
        let found = tiers.len();
        return refused(format!(
            "value.tiers has {found} tiers: there can be {MOST_TIERS} at most"
        ));
    }
    if tiers.iter().any(|tier| tier.name.trim().is_empty()) {
        return refused("value.tiers has a tier with an empty name".to_owned());
    }
    if let Some(twice) = repeated(tiers.iter().map(|tier| tier.name.as_str())) {
        return refused(format!("value.tiers has two tiers called `{twice}`"));
    }
    if let Some(share) = last.top_share {
        let name = &last.name;
        return refused(format!(
            "value.tiers: the last tier, `{name}`, is everybody else and has no top_share; it has {share}"
        ));
    }
    let mut above = 0.0;
    for TierConfig { name, top_share } in others {
        let Some(share) = *top_share else {
            return refused(format!(
                "value.tiers: `{name}` has no top_share; only the last tier goes without"
            ));
        };
        if !(share > above && share < 1.0) {
            return refused(format!(
                "value.tiers: the top_share of `{name}` is {share}: it must be above {above} and below 1, for it holds the \
                 tiers above too"
            ));
        }
        above = share;
    }
    Ok(())
}

/// The first text that comes a second time.
fn repeated<'t>(texts: impl Iterator<Item = &'t str>) -> Option<&'t str> {
    let mut seen = BTreeSet::new();
    texts.into_iter().find(|text| !seen.insert(*text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ValueConfig, String> {
        let config: ValueConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        config.validate().map_err(|e| e.to_string())?;
        Ok(config)
    }

    const BLOCK: &str = r#"
        kinds = ["purchase", "return"]
        margin = 0.35
        horizon_days = 365
        annual_discount = 0.10
        residual_years = 3
        interval = 0.8
        tiers = [{ name = "high", top_share = 0.2 }, { name = "medium", top_share = 0.5 }, { name = "low" }]
        method = "auto"
        currency = "GBP"
    "#;

    #[test]
    fn the_kinds_are_enough_and_one_value_is_a_list_of_one() {
        let small = read("kinds = 'purchase'").unwrap();
        assert_eq!(small, ValueConfig::of_kinds(vec!["purchase".to_owned()]));
        assert!(
            read("margin = 0.5")
                .unwrap_err()
                .contains("missing field `kinds`")
        );
        let whole = read(BLOCK).unwrap();
        let expected = ValueConfig {
            margin: 0.35,
            currency: Some("GBP".to_owned()),
            ..ValueConfig::of_kinds(vec!["purchase".to_owned(), "return".to_owned()])
        };
        assert_eq!(whole, expected);
        assert_eq!(whole.residual_years(), Some(3.0));
        let endless = read("kinds = 'purchase'\nresidual_years = inf").unwrap();
        assert_eq!(endless.residual_years(), None);
    }

    #[test]
    fn every_setting_out_of_range_is_named_with_what_is_legal() {
        let message = |from: &str, to: &str| {
            assert!(BLOCK.contains(from), "{from}");
            read(&BLOCK.replace(from, to)).unwrap_err()
        };
        for (from, to, part) in [
            ("[\"purchase\", \"return\"]", "[]", "value.kinds names no"),
            ("\"return\"]", "\"purchase\"]", "`purchase` twice"),
            ("0.35", "0.0", "value.margin is 0: it must be above 0"),
            ("0.35", "1.01", "value.margin is 1.01"),
            ("0.35", "nan", "value.margin is NaN"),
            ("365", "89", "value.horizon_days is 89"),
            ("365", "1096", "lie between 90 and 1095"),
            ("0.10", "-0.1", "value.annual_discount is -0.1"),
            ("0.10", "nan", "value.annual_discount is NaN"),
            ("years = 3", "years = -1", "value.residual_years is -1"),
            ("years = 3", "years = nan", "value.residual_years is NaN"),
            ("years = 3", "years = 101", "or be inf"),
            ("0.8", "0.4", "value.interval is 0.4"),
            ("0.8", "1.0", "lie between 0.5 and 0.99"),
            ("GBP", "", "value.currency is \"\""),
            ("GBP", "a b", "none of them a space"),
            ("\"low\" }", "\"high\" }", "two tiers called `high`"),
            ("\"low\" }", "\" \" }", "an empty name"),
            (
                "\"low\" }",
                "\"low\", top_share = 0.9 }",
                "has no top_share; it has 0.9",
            ),
            (", top_share = 0.5", "", "`medium` has no top_share"),
            ("0.5 }", "0.2 }", "`medium` is 0.2: it must be above 0.2"),
            ("0.5 }", "1.0 }", "and below 1"),
            ("0.2 }", "0.0 }", "`high` is 0: it must be above 0"),
            ("0.2 }", "nan }", "`high` is NaN"),
            ("\"auto\"", "\"best\"", "`auto`, `glm`, `btyd`"),
            (
                "name = \"low\" ",
                "name = \"low\", share = 1",
                "unknown field `share`",
            ),
        ] {
            let found = message(from, to);
            assert!(found.contains(part), "{to}: {found}");
        }
        assert!(
            read("kinds = 'a'\ntiers = []")
                .unwrap_err()
                .contains("value.tiers is empty")
        );
        let endless = "kinds = 'a'\nresidual_years = inf\nannual_discount = 0";
        assert!(read(endless).unwrap_err().contains("has no end"));
        // The negative control: each of the ends is legal.
        for (from, to) in [
            ("0.35", "1.0"),
            ("365", "90"),
            ("365", "1095"),
            ("0.10", "0.0"),
            ("years = 3", "years = 0"),
            ("0.8", "0.99"),
        ] {
            read(&BLOCK.replace(from, to)).unwrap();
        }
    }
}
