//! How many churners a contact budget reaches.

use super::plot::{Axis, Plot};
use super::text::{count, counted_share, decimals, nowrap, percent};
use crate::card::{Card, Evaluation, HorizonCard};
use crate::report::reach::Reach;

/// The budget that is shown first, in percent of users.
const BUDGET: usize = 20;

/// Whom to contact, for every horizon that was judged.
pub(crate) fn section(card: &Card) -> String {
    let panel = |h: &HorizonCard| match &h.evaluation {
        Some(e) => figure(h.horizon_days, e),
        None => {
            let why = super::text::escape(&h.untested_words(&card.label_definition));
            format!("<p class=\"card empty\">{why}</p>")
        }
    };
    super::horizon::panels(card, 'b', panel)
}

/// Churners that are reached, as a whole number.
fn found(reach: Reach) -> u64 {
    reach.churners.round() as u64
}

/// How many times more churners than at random, of whole churners.
fn lift(e: &Evaluation, reach: Reach) -> f64 {
    found(reach) as f64 / reach.contacted as f64 * e.users as f64 / e.churners() as f64
}

/// The gains curve with a slider for the budget.
pub(crate) fn figure(horizon_days: u16, e: &Evaluation) -> String {
    let legend = super::curves::legend(&super::curves::lines(e));
    let content = format!(
        "{legend}{}{}",
        chart(horizon_days, e),
        budget(horizon_days, e)
    );
    super::figure(
        "gains",
        "Whom does a contact budget reach?",
        &content,
        &caption(e),
    )
}

fn chart(horizon_days: u16, e: &Evaluation) -> String {
    let (id, title) = (
        format!("gains-{horizon_days}"),
        format!("Gains curve within {horizon_days} days"),
    );
    let axis = |label| Axis::new(0.0, 1.0, label, percent);
    let mut plot = Plot::new(
        &id,
        &title,
        axis("users contacted, riskiest first"),
        axis("churners reached"),
    );
    let curve: Vec<(f64, f64)> = std::iter::once((0.0, 0.0))
        .chain(
            e.gains
                .iter()
                .enumerate()
                .map(|(i, share)| ((i + 1) as f64 / 100.0, *share)),
        )
        .collect();
    plot.area(&curve, "wash");
    plot.line(&[(0.0, 0.0), (1.0, 1.0)], "reference");
    // The best that any order can do: churners only, until there are none left.
    plot.line(
        &[(0.0, 0.0), (e.churn_rate.clamp(0.0, 1.0), 1.0), (1.0, 1.0)],
        "reference faint",
    );
    let rate = e.churn_rate.clamp(0.0, 1.0);
    // To the right of its bend, or to the left of the line where that lies at the edge.
    let (at, away, anchor) = if rate > 0.7 {
        ((0.8 * rate, 0.8), (-10, -8), "end")
    } else {
        ((rate, 1.0), (6, 16), "start")
    };
    plot.text(at, away, anchor, "perfect");
    plot.text((1.0, 0.55), (-8, 0), "end", "at random");
    for line in super::curves::lines(e).iter().rev() {
        let points: Vec<(f64, f64)> = std::iter::once((0.0, 0.0))
            .chain(
                line.baseline
                    .gains
                    .iter()
                    .enumerate()
                    .map(|(i, share)| ((i + 1) as f64 / 100.0, *share)),
            )
            .collect();
        plot.line(&points, &format!("baseline {}", line.class));
    }
    plot.line(&curve, "model");
    let (x, share) = (
        BUDGET as f64 / 100.0,
        e.gains.get(BUDGET - 1).copied().unwrap_or(0.0),
    );
    plot.segment((x, 0.0), (x, share), "marker-line");
    plot.dot((x, share), 6.0, "marker", "The contact budget set below");
    let description = [5_usize, 10, 20, 30, 50].map(|p| {
        let share = e.gains.get(p - 1).copied().unwrap_or(0.0);
        format!(
            "the riskiest {} hold {} of the churners",
            percent(p as f64 / 100.0),
            percent(share)
        )
    });
    plot.finish(&description.join("; "))
}

/// The slider and what it gives. The counts for every budget travel with it, so the script does no arithmetic on
/// shares and shows what is printed here.
fn budget(horizon_days: u16, e: &Evaluation) -> String {
    let reached: Vec<String> = (1..=100)
        .map(|p| found(e.reach(&e.gains, p)).to_string())
        .collect();
    let gains: Vec<String> = e
        .gains
        .iter()
        .map(|g| super::plot::short(g * 100.0))
        .collect();
    let reach = e.reach(&e.gains, BUDGET);
    let (churners, share) = (
        e.churners(),
        found(reach) as f64 / e.churners().max(1) as f64,
    );
    let cells = [
        ("contacted", "users contacted", count(reach.contacted)),
        (
            "reached",
            "churners reached",
            format!("{} ({})", count(found(reach)), percent(share)),
        ),
        (
            "bothered",
            "stayers bothered",
            count(reach.contacted - found(reach)),
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
    ];
    let cells: String = cells
        .iter()
        .map(|(key, name, value)| {
            format!("<div><dd data-out=\"{key}\">{value}</dd><dt>{name}</dt></div>")
        })
        .collect();
    format!(
        "<div class=\"budget\" data-users=\"{}\" data-churners=\"{}\" data-reached=\"{}\" data-gains=\"{}\">\
         <label for=\"budget-{horizon_days}\">Contact budget <output data-out=\"budget\">{}</output> of users</label>\
         <input type=\"range\" id=\"budget-{horizon_days}\" min=\"1\" max=\"100\" step=\"1\" value=\"{BUDGET}\">\
         <dl aria-live=\"polite\">{cells}</dl></div>",
        e.users,
        churners,
        reached.join(" "),
        gains.join(" "),
        percent(BUDGET as f64 / 100.0),
    )
}

fn caption(e: &Evaluation) -> String {
    let reach = e.reach(&e.gains, 10);
    format!(
        "The further the curve rises above the dashed diagonal, the better the order. Among the riskiest {} of users \
         on {}, {} left, against {} of all users. A perfect order would contact churners only, until there are none left.",
        percent(0.1),
        nowrap(e.test),
        super::text::escape(&counted_share(
            found(reach) as f64 / reach.contacted.max(1) as f64
        )),
        super::text::escape(&counted_share(e.churn_rate)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn a_budget_of_everyone_reaches_every_churner_without_lift() {
        let card = card();
        let e = card.horizons[0].evaluation.as_ref().unwrap();
        let all = e.reach(&e.gains, 100);
        assert_eq!((all.contacted, found(all)), (e.users, e.churners()));
        assert!((all.lift - 1.0).abs() < 1e-12 && (all.possible_lift - 1.0).abs() < 1e-12);
        let fifth = e.reach(&e.gains, 20);
        assert!(
            (lift(e, fifth) - e.gains[19] / 0.2).abs() < 0.01,
            "{fifth:?}"
        );
    }

    /// Of 15 users 10 % are 2: a lift by the percentage instead of the users would be 2.5 where 1.9 is possible.
    #[test]
    fn the_lift_is_never_above_what_is_possible() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        for users in [1_u64, 7, 15, 99, 101, 1_062] {
            for churners in [1, users / 2, users - users / 10, users]
                .into_iter()
                .filter(|c| *c > 0)
            {
                (e.users, e.churn_rate) = (users, churners as f64 / users as f64);
                let p: Vec<f64> = (0..users).map(|i| i as f64).collect();
                let y: Vec<bool> = (0..users).map(|i| i >= users - churners).collect();
                e.gains = crate::train::evaluation::metrics::gains(&p, &y);
                for percent in 1..=100 {
                    let reach = e.reach(&e.gains, percent);
                    let rounded = |v: f64| decimals(v, 2).parse::<f64>().unwrap();
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
        let mut card = card();
        let e = card.horizons[0].evaluation.as_mut().unwrap();
        (e.churn_rate, e.users) = (0.0, 0);
        e.gains.clear();
        let html = figure(30, e);
        assert!(
            html.contains("<dd data-out=\"lift\">–×</dd>") && !html.contains("NaN"),
            "{html}"
        );
    }
}
