//! How many churners a contact budget reaches.

use super::super::card::Evaluation;
use super::plot::{Axis, Plot};
use super::text::{count, decimals, nowrap, percent};

/// The budget that is shown first, in percent of users.
const BUDGET: usize = 20;

/// What a budget buys on the test date.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reach {
    contacted: u64,
    churners: u64,
}

impl Reach {
    /// The riskiest `percent` of users: as many as the gains were counted on.
    fn of(e: &Evaluation, percent: usize) -> Self {
        let contacted = (e.users * percent as u64).div_ceil(100);
        let share = e.gains.get(percent.wrapping_sub(1)).copied().unwrap_or(0.0);
        Self { contacted, churners: ((share * churners(e) as f64).round() as u64).min(contacted) }
    }

    fn stayers(self) -> u64 {
        self.contacted - self.churners
    }

    /// How many times more churners than among as many users taken at random.
    fn lift(self, e: &Evaluation) -> f64 {
        self.churners as f64 / self.contacted as f64 * e.users as f64 / churners(e) as f64
    }
}

fn churners(e: &Evaluation) -> u64 {
    (e.churn_rate * e.users as f64).round() as u64
}

/// The gains curve with a slider for the budget.
pub(super) fn figure(horizon_days: u16, e: &Evaluation) -> String {
    let legend = super::curves::legend(&super::curves::lines(e));
    let content = format!("{legend}{}{}", chart(horizon_days, e), budget(horizon_days, e));
    super::figure("gains", "Whom does a contact budget reach?", &content, &caption(e))
}

fn chart(horizon_days: u16, e: &Evaluation) -> String {
    let (id, title) = (format!("gains-{horizon_days}"), format!("Gains curve within {horizon_days} days"));
    let axis = |label| Axis::new(0.0, 1.0, label, percent);
    let mut plot = Plot::new(&id, &title, axis("users contacted, riskiest first"), axis("churners reached"));
    let curve: Vec<(f64, f64)> = std::iter::once((0.0, 0.0))
        .chain(e.gains.iter().enumerate().map(|(i, share)| ((i + 1) as f64 / 100.0, *share)))
        .collect();
    plot.area(&curve, "wash");
    plot.line(&[(0.0, 0.0), (1.0, 1.0)], "reference");
    // The best that any order can do: churners only, until there are none left.
    plot.line(&[(0.0, 0.0), (e.churn_rate.clamp(0.0, 1.0), 1.0), (1.0, 1.0)], "reference faint");
    plot.text((e.churn_rate.clamp(0.0, 1.0), 1.0), (6, 16), "start", "perfect");
    plot.text((1.0, 0.55), (-8, 0), "end", "at random");
    for line in super::curves::lines(e).iter().rev() {
        let points: Vec<(f64, f64)> = std::iter::once((0.0, 0.0))
            .chain(line.rival.gains.iter().enumerate().map(|(i, share)| ((i + 1) as f64 / 100.0, *share)))
            .collect();
        plot.line(&points, &format!("rival {}", line.class));
    }
    plot.line(&curve, "model");
    let (x, share) = (BUDGET as f64 / 100.0, e.gains.get(BUDGET - 1).copied().unwrap_or(0.0));
    plot.segment((x, 0.0), (x, share), "marker-line");
    plot.dot((x, share), 6.0, "marker", "The contact budget set below");
    let description = [5_usize, 10, 20, 30, 50].map(|p| {
        let share = e.gains.get(p - 1).copied().unwrap_or(0.0);
        format!("the riskiest {} hold {} of the churners", percent(p as f64 / 100.0), percent(share))
    });
    plot.finish(&description.join("; "))
}

/// The slider and what it gives. The counts for every budget travel with it, so the script does no arithmetic on
/// shares and shows what is printed here.
fn budget(horizon_days: u16, e: &Evaluation) -> String {
    let reached: Vec<String> = (1..=100).map(|p| Reach::of(e, p).churners.to_string()).collect();
    let gains: Vec<String> = e.gains.iter().map(|g| super::plot::short(g * 100.0)).collect();
    let reach = Reach::of(e, BUDGET);
    let share = reach.churners as f64 / churners(e).max(1) as f64;
    let cells = [
        ("contacted", "users contacted", count(reach.contacted)),
        ("reached", "churners reached", format!("{} ({})", count(reach.churners), percent(share))),
        ("bothered", "stayers bothered", count(reach.stayers())),
        ("lift", "lift over random", format!("{}×", decimals(reach.lift(e), 2))),
    ];
    let cells: String = cells
        .iter()
        .map(|(key, name, value)| format!("<div><dd data-out=\"{key}\">{value}</dd><dt>{name}</dt></div>"))
        .collect();
    format!(
        "<div class=\"budget\" data-users=\"{}\" data-churners=\"{}\" data-reached=\"{}\" data-gains=\"{}\">\
         <label for=\"budget-{horizon_days}\">Contact budget <output data-out=\"budget\">{}</output> of users</label>\
         <input type=\"range\" id=\"budget-{horizon_days}\" min=\"1\" max=\"100\" step=\"1\" value=\"{BUDGET}\">\
         <dl aria-live=\"polite\">{cells}</dl></div>",
        e.users,
        churners(e),
        reached.join(" "),
        gains.join(" "),
        percent(BUDGET as f64 / 100.0),
    )
}

fn caption(e: &Evaluation) -> String {
    let reach = Reach::of(e, 10);
    format!(
        "The further the curve rises above the dashed diagonal, the better the order. Among the riskiest {} of users \
         on {}, {} in 100 left, against {} in 100 of all.",
        percent(0.1),
        nowrap(e.test),
        decimals(reach.churners as f64 / reach.contacted.max(1) as f64 * 100.0, 0),
        decimals(e.churn_rate * 100.0, 0),
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
        let all = Reach::of(e, 100);
        assert_eq!((all.contacted, all.churners), (e.users, churners(e)));
        assert!((all.lift(e) - 1.0).abs() < 1e-12);
        let fifth = Reach::of(e, 20);
        assert_eq!(fifth.churners + fifth.stayers(), fifth.contacted);
        assert!((fifth.lift(e) - e.gains[19] / 0.2).abs() < 0.01, "{}", fifth.lift(e));
    }

    #[test]
    fn no_churners_and_no_gains_are_no_numbers_but_no_failure_either() {
        let mut card = card();
        let e = card.horizons[0].evaluation.as_mut().unwrap();
        (e.churn_rate, e.users) = (0.0, 0);
        e.gains.clear();
        let html = figure(30, e);
        assert!(html.contains("<dd data-out=\"lift\">–×</dd>") && !html.contains("NaN"), "{html}");
    }
}
