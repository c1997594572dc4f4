//! How many churners a contact budget reaches.

use maud::{Markup, html};

use super::axis::{Axis, short};
use super::plot::Plot;
use super::text::nowrap;
use crate::card::{Card, Evaluation, HorizonCard};
use crate::report::number::{counted_share, decimals, percent, thousands};
use crate::report::reach::Reach;

/// The budget that is shown first, in percent of users.
const BUDGET: usize = 20;

/// Gains for every horizon with a test.
pub(crate) fn section(card: &Card) -> Markup {
    super::horizon::panels(card, 'b', |h: &HorizonCard| match &h.evaluation {
        Some(e) => figure(h.horizon_days, e),
        None => super::horizon::untested(card, h),
    })
}

/// Reached churners as an integer, as the page's script counts them.
fn found(reach: Reach) -> u64 {
    reach.churners.round() as u64
}

/// How many times more churners than at random, of whole churners.
fn lift(e: &Evaluation, reach: Reach) -> f64 {
    found(reach) as f64 / reach.contacted as f64 * e.users as f64 / e.churners() as f64
}

/// The gains curve with a slider for the budget.
pub(crate) fn figure(horizon_days: u16, e: &Evaluation) -> Markup {
    let content = html! {
        (super::curves::legend(&super::curves::lines(e)))
        (chart(horizon_days, e))
        (budget(horizon_days, e))
    };
    super::figure(
        "gains",
        "How many churners does a contact budget reach?",
        content,
        caption(e),
    )
}

/// The share of churners reached by the riskiest `percent` of users.
fn gain(gains: &[f64], percent: usize) -> f64 {
    gains.get(percent - 1).copied().unwrap_or(0.0)
}

/// Gains as points of a line from the origin.
fn curve(gains: &[f64]) -> Vec<(f64, f64)> {
    let points = gains
        .iter()
        .enumerate()
        .map(|(i, share)| ((i + 1) as f64 / 100.0, *share));
    std::iter::once((0.0, 0.0)).chain(points).collect()
}

fn chart(horizon_days: u16, e: &Evaluation) -> Markup {
    let axis = |label| Axis::new(0.0, 1.0, label, percent);
    let mut plot = Plot::new(
        format!("gains-{horizon_days}"),
        format!("Gains curve within {horizon_days} days"),
        axis("users contacted, riskiest first"),
        axis("churners reached"),
    );
    let model = curve(&e.gains);
    plot.area(&model, "wash");
    plot.line(&[(0.0, 0.0), (1.0, 1.0)], "reference");
    // The best that any order can do: churners only, until there are none left.
    let rate = e.churn_rate.clamp(0.0, 1.0);
    plot.line(&[(0.0, 0.0), (rate, 1.0), (1.0, 1.0)], "reference faint");
    // Its name stands right of the bend, or left of the line where that lies at the edge.
    if rate > 0.7 {
        plot.text((0.8 * rate, 0.8), (-10, -8), "end", "perfect");
    } else {
        plot.text((rate, 1.0), (6, 16), "start", "perfect");
    }
    plot.text((1.0, 0.55), (-8, 0), "end", "random");
    // The model's line comes last, above the others.
    for line in super::curves::lines(e).iter().rev() {
        plot.line(
            &curve(&line.baseline.gains),
            &format!("baseline {}", line.class),
        );
    }
    plot.line(&model, "model");
    let (x, share) = (BUDGET as f64 / 100.0, gain(&e.gains, BUDGET));
    plot.segment((x, 0.0), (x, share), "marker-line");
    plot.dot((x, share), 6.0, "marker", "The contact budget set below");
    let description = [5, 10, 20, 30, 50].map(|p| {
        format!(
            "the riskiest {} hold {} of the churners",
            percent(p as f64 / 100.0),
            percent(gain(&e.gains, p))
        )
    });
    plot.finish(&description.join("; "))
}

/// The slider and its figures. The counts for every budget travel with it, so the script does no arithmetic on
/// shares and shows what is printed here.
fn budget(horizon_days: u16, e: &Evaluation) -> Markup {
    let reached: Vec<String> = (1..=100)
        .map(|p| found(e.reach(&e.gains, p)).to_string())
        .collect();
    let gains: Vec<String> = e.gains.iter().map(|g| short(g * 100.0)).collect();
    let id = format!("budget-{horizon_days}");
    html! {
        div.budget data-users=(e.users) data-churners=(e.churners()) data-reached=(reached.join(" "))
            data-gains=(gains.join(" ")) {
            label for=(id) {
                "Contact budget " output data-out="budget" { (percent(BUDGET as f64 / 100.0)) } " of users"
            }
            input type="range" id=(id) min="1" max="100" step="1" value=(BUDGET);
            dl aria-live="polite" {
                @for (key, name, value) in budget_figures(e) {
                    div { dd data-out=(key) { (value) } dt { (name) } }
                }
            }
        }
    }
}

/// The figures of the first budget: the script's key, the name and the value of each.
fn budget_figures(e: &Evaluation) -> [(&'static str, &'static str, String); 5] {
    let reach = e.reach(&e.gains, BUDGET);
    let found = found(reach);
    let share = found as f64 / e.churners().max(1) as f64;
    [
        ("contacted", "users contacted", thousands(reach.contacted)),
        (
            "reached",
            "churners reached",
            format!("{} ({})", thousands(found), percent(share)),
        ),
        (
            "false_positives",
            "false positives (retained users contacted)",
            thousands(reach.contacted - found),
        ),
        (
            "lift",
            "lift over random",
            format!("{}×", decimals(lift(e, reach), 2)),
        ),
        (
            "possible",
            "lift of a perfect order",
            format!("{}×", decimals(reach.possible_lift, 2)),
        ),
    ]
}

fn caption(e: &Evaluation) -> Markup {
    let reach = e.reach(&e.gains, 10);
    let precision = found(reach) as f64 / reach.contacted.max(1) as f64;
    html! {
        "Riskiest " (percent(0.1)) " of users on " (nowrap(e.test)) ": " (counted_share(precision))
        " churned, of all users " (counted_share(e.churn_rate)) ". Dashed: a random order; dotted: a perfect one, churners first."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, snapshot};
    use super::*;

    fn evaluation() -> Evaluation {
        card().horizons[0].evaluation.clone().unwrap()
    }

    #[test]
    fn gains_have_a_curve_and_a_budget() {
        snapshot("gains", figure(30, &evaluation()));
    }

    #[test]
    fn a_budget_of_everyone_reaches_every_churner_without_lift() {
        let e = evaluation();
        let all = e.reach(&e.gains, 100);
        assert_eq!((all.contacted, found(all)), (e.users, e.churners()));
        assert!((all.lift - 1.0).abs() < 1e-12 && (all.possible_lift - 1.0).abs() < 1e-12);
        let fifth = e.reach(&e.gains, 20);
        assert!(
            (lift(&e, fifth) - e.gains[19] / 0.2).abs() < 0.01,
            "{fifth:?}"
        );
    }

    /// Of 15 users 10 % are 2: a lift by the percentage instead of the users would be 2.5 where 1.9 is possible.
    #[test]
    fn the_lift_is_never_above_what_is_possible() {
        let mut e = evaluation();
        let rounded = |v: f64| decimals(v, 2).parse::<f64>().unwrap();
        for users in [1_u64, 7, 15, 99, 101, 1_062] {
            for churners in [1, users / 2, users - users / 10, users] {
                if churners == 0 {
                    continue;
                }
                (e.users, e.churn_rate) = (users, churners as f64 / users as f64);
                // In a perfect order the first `k` of the users hold as many churners, while there are some.
                let perfect = |p: u64| (users * p).div_ceil(100).min(churners);
                e.gains = (1..=100)
                    .map(|p| perfect(p) as f64 / churners as f64)
                    .collect();
                for percent in 1..=100 {
                    let reach = e.reach(&e.gains, percent);
                    let own = lift(&e, reach);
                    assert!(
                        rounded(own) <= rounded(reach.possible_lift),
                        "{percent} % of {users}, {churners}"
                    );
                    assert!(
                        (own - reach.possible_lift).abs() < 1e-9,
                        "a perfect order reaches it"
                    );
                }
            }
        }
        (e.users, e.churn_rate) = (15, 8.0 / 15.0);
        assert_eq!(decimals(e.reach(&[0.25; 100], 10).lift, 3), "1.875");
    }

    #[test]
    fn no_churners_and_no_gains_are_no_numbers_but_no_failure_either() {
        let mut e = evaluation();
        (e.churn_rate, e.users) = (0.0, 0);
        e.gains.clear();
        let html = figure(30, &e).into_string();
        assert!(
            html.contains("<dd data-out=\"lift\">–×</dd>") && !html.contains("NaN"),
            "{html}"
        );
    }
}
