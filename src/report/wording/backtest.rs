//! What the backtest says of earlier years, of the forecast and of simpler ways to predict, in words. Each sentence is
//! without its full stop.

use super::verdict::{difference, simple_baseline};
use crate::card::{
    BacktestComparison, ForecastMethod, HorizonCard, Hyperparameters, Interval, TrialCard,
};
use crate::report::number::{counted, percent, points, signed_points};

/// The comparison that the base rate won by its whole interval; `None` where the model did not lose so clearly.
pub(crate) fn lost_to_base_rate(h: &HorizonCard) -> Option<&BacktestComparison> {
    better_baselines(h).find(|c| c.baseline == "base_rate")
}

/// The comparisons that a baseline won by the whole interval.
pub(crate) fn better_baselines(h: &HorizonCard) -> impl Iterator<Item = &BacktestComparison> {
    h.against_baselines
        .iter()
        .filter(|c| c.log_loss_difference.low > 0.0)
}

/// How the model did beside a simpler way to predict, with the interval.
pub(crate) fn comparison(c: &BacktestComparison) -> String {
    let Interval { value, low, high } = c.log_loss_difference;
    let side = if low > 0.0 {
        "better"
    } else if high < 0.0 {
        "worse"
    } else {
        "not told apart"
    };
    let name = simple_baseline(&c.baseline);
    let [value, low, high] = [value, low, high].map(difference);
    let dates = counted(c.dates as u64, "date");
    let than = if side == "not told apart" {
        "from"
    } else {
        "than"
    };
    format!(
        "At {dates} of the backtest, {name} is {side} {than} the model, whose log loss is {value} (95 % interval over dates: \
         {low} to {high})"
    )
}

/// What was done about a loss to the base rate; `None` where nothing was.
pub(crate) fn drawn_to_base_rate(h: &HorizonCard) -> Option<String> {
    let drawn = h.shrunk_to_base_rate;
    (drawn > 0.0).then(|| {
        format!(
            "The base rate predicted better at the dates of the backtest, so the log-odds of the model are drawn {} of the way \
             to those of the base rate",
            percent(drawn)
        )
    })
}

/// What the model uses of earlier years, and what that was worth in the backtest.
pub(crate) fn earlier_years(h: &HorizonCard) -> String {
    let used = h.hyperparameters;
    let pair = AnniversaryPair::new(&h.trials);
    if used.anniversaries == 0 {
        let lost = pair.and_then(|pair| pair.gain()).map(|gain| {
            format!(
                ": with anniversaries the log loss in the backtest is {}",
                difference(-gain)
            )
        });
        return format!(
            "Nothing of earlier years is used{}",
            lost.unwrap_or_default()
        );
    }
    let years = match used.anniversaries {
        1 => "The anniversary one year before the predicted day weighs".to_owned(),
        n => format!("The {n} anniversaries, 1 to {n} years before the predicted day, each weigh"),
    };
    let features = if used.seasonal_features {
        ", and activity in the same season of earlier years is a feature"
    } else {
        ""
    };
    let them = match (used.seasonal_features, used.anniversaries) {
        (true, _) => "both",
        (false, 1) => "it",
        (false, _) => "them",
    };
    let worth = pair.map(|pair| pair.worth(them));
    let worth = worth.unwrap_or_default();
    format!("{years} as much as the newest date{features}{worth}")
}

/// Two candidates that differ in nothing but the use of earlier years.
struct AnniversaryPair<'a> {
    with: &'a TrialCard,
    without: &'a TrialCard,
}

impl<'a> AnniversaryPair<'a> {
    /// The candidate without anything of earlier years beside the one that is like it otherwise.
    fn new(trials: &'a [TrialCard]) -> Option<Self> {
        let without = trials
            .iter()
            .find(|t| t.hyperparameters.anniversaries == 0)?;
        let alike = |t: &&TrialCard| {
            let stripped = Hyperparameters {
                anniversaries: 0,
                seasonal_features: false,
                ..t.hyperparameters
            };
            t.hyperparameters.anniversaries > 0 && stripped == without.hyperparameters
        };
        // With features of earlier years where there are some: the candidates come from the default, which has them.
        let with = trials
            .iter()
            .filter(alike)
            .max_by_key(|t| t.hyperparameters.seasonal_features)?;
        Some(Self { with, without })
    }

    /// How much higher the log loss is without; `None` where the two were not run at the same folds.
    fn gain(&self) -> Option<f64> {
        let Self { with, without } = self;
        (with.folds == without.folds).then_some(without.log_loss - with.log_loss)
    }

    fn worth(&self, them: &str) -> String {
        match self.gain() {
            Some(gain) => format!(
                "; without {them} the log loss in the backtest is {}",
                difference(gain)
            ),
            None => format!(
                "; the candidate without {them} was given up after {}, where its log loss is {} than that of the default",
                counted(self.without.folds as u64, "fold"),
                difference(self.without.log_loss_delta)
            ),
        }
    }
}

/// How the shift of the churn rate is forecast, and how far rates were off with the forecast and without.
pub(crate) fn forecast(h: &HorizonCard) -> String {
    let forecast = &h.forecast;
    let method = match forecast.method {
        Some(method) => format!(
            "Forecast of the shift: {} of {}",
            percent(forecast.share),
            shift_of(method)
        ),
        None => "Forecast of the shift: none was shown to help at two dates at least".to_owned(),
    };
    let (Some(with), Some(without)) = (forecast.bias, forecast.bias_without) else {
        return method;
    };
    let apart = "predicted and observed churn rates lie";
    let dates = counted(h.backtest.len() as u64, "date");
    // Nothing is added where neither a method nor a lasting shift was shown.
    if with == without {
        return format!(
            "{method}; {apart} {} percentage points apart over {dates} of the backtest",
            points(with)
        );
    }
    let interval = forecast.bias_difference.map_or_else(String::new, |d| {
        format!(
            " (difference {}, 95 % interval over dates: {} to {})",
            signed_points(d.value),
            signed_points(d.low),
            signed_points(d.high)
        )
    });
    format!(
        "{method}; {apart} {} percentage points apart with what is added and {} without, over {dates} of the \
         backtest{interval}",
        points(with),
        points(without)
    )
}

fn shift_of(method: ForecastMethod) -> &'static str {
    match method {
        ForecastMethod::LastWindow => "the shift at the newest known date",
        ForecastMethod::Trend => "the shift on the line through the last two windows",
        ForecastMethod::SameSeason => "the shift at the anniversaries of the predicted day",
    }
}

/// The prediction for the window that nobody has seen yet; `None` without users to predict.
pub(crate) fn next_window(h: &HorizonCard) -> Option<String> {
    let next = h.next_window?;
    let users = counted(next.users, "user");
    let churn = percent(next.predicted);
    Some(format!(
        "Next window, from {}: predicted churn {churn} of {users}",
        next.date
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::card;
    use crate::report::number::THIN;

    fn against(baseline: &str, low: f64, high: f64) -> BacktestComparison {
        BacktestComparison {
            baseline: baseline.to_owned(),
            dates: 8,
            log_loss_difference: Interval {
                value: (low + high) / 2.0,
                low,
                high,
            },
        }
    }

    /// The horizon of the fixture that has two years of dates.
    fn horizon() -> HorizonCard {
        card().horizons.remove(0)
    }

    #[test]
    fn a_loss_counts_only_by_its_whole_interval_and_to_the_base_rate() {
        let lost = |against_baselines| {
            let h = HorizonCard {
                against_baselines,
                ..horizon()
            };
            lost_to_base_rate(&h).is_some()
        };
        assert!(lost(vec![against("base_rate", 0.001, 0.02)]));
        assert!(!lost(vec![against("base_rate", 0.0, 0.02)]));
        assert!(!lost(vec![against("base_rate", -0.001, 0.02)]));
        assert!(!lost(vec![against("bg_nbd", 0.001, 0.02)]));
        assert!(!lost(Vec::new()));
    }

    #[test]
    fn a_comparison_names_the_better_one_if_either_is() {
        let said = |low, high| comparison(&against("bg_nbd", low, high));
        assert_eq!(
            said(0.01, 0.03),
            "At 8 dates of the backtest, BG/NBD is better than the model, whose log loss is 0.0200 higher (95 % interval over \
             dates: 0.0100 higher to 0.0300 higher)"
        );
        assert!(said(-0.03, -0.01).contains("BG/NBD is worse than the model"));
        assert!(said(-0.01, 0.03).contains("BG/NBD is not told apart from the model"));
    }

    #[test]
    fn a_model_is_said_to_be_drawn_only_where_it_is() {
        let mut h = horizon();
        assert_eq!(drawn_to_base_rate(&h), None);
        h.shrunk_to_base_rate = 0.35;
        let said = drawn_to_base_rate(&h).unwrap().replace(THIN, " ");
        assert!(said.contains("drawn 35 % of the way"), "{said}");
    }

    #[test]
    fn anniversaries_are_worth_what_candidates_that_differ_in_nothing_else_say() {
        let mut h = horizon();
        let said = earlier_years(&h);
        assert_eq!(
            said,
            "The 2 anniversaries, 1 to 2 years before the predicted day, each weigh as much as the newest date, and activity in \
             the same season of earlier years is a feature; without both the log loss in the backtest is 0.0115 higher"
        );
        // Losses at other folds are not compared.
        for t in &mut h.trials {
            if t.hyperparameters.anniversaries == 0 {
                t.folds = 2;
            }
        }
        let given_up = "the candidate without both was given up after 2 folds, where its log loss is 0.0048 higher than";
        assert!(
            earlier_years(&h).contains(given_up),
            "{}",
            earlier_years(&h)
        );
        // A penalty of its own makes them another pair: nothing can be said.
        for t in &mut h.trials {
            if t.hyperparameters.anniversaries == 0 {
                t.hyperparameters.l2 = 7.0;
            }
        }
        assert!(!earlier_years(&h).contains("without"));
        h.hyperparameters.anniversaries = 0;
        assert_eq!(earlier_years(&h), "Nothing of earlier years is used");
    }

    #[test]
    fn anniversaries_that_lost_are_said_to_have_lost() {
        let mut h = horizon();
        let (anniversaries, seasonal_features) = (0, false);
        h.hyperparameters = Hyperparameters {
            anniversaries,
            seasonal_features,
            ..h.hyperparameters
        };
        for t in &mut h.trials {
            let without = t.hyperparameters.anniversaries == 0;
            t.log_loss = if without { 0.5 } else { 0.51 };
        }
        assert_eq!(
            earlier_years(&h),
            "Nothing of earlier years is used: with anniversaries the log loss in the backtest is 0.0100 higher"
        );
    }

    #[test]
    fn a_forecast_has_its_method_share_and_bias() {
        let mut h = horizon();
        let said = forecast(&h).replace(THIN, " ");
        assert!(
            said.starts_with("Forecast of the shift: 83 % of the shift at the anniversaries"),
            "{said}"
        );
        assert!(
            said.contains("lie 1.8 percentage points apart with what is added and 3.9 without")
        );
        assert!(said.contains("(difference −2.1, 95 % interval over dates: −3.5 to −0.7)"));
        h.forecast.method = None;
        h.forecast.bias = h.forecast.bias_without;
        let said = forecast(&h);
        assert!(
            said.contains("none was shown") && !said.contains("without"),
            "{said}"
        );
        h.forecast.bias = None;
        assert!(!forecast(&h).contains("apart"));
    }
}
