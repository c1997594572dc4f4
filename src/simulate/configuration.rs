//! The configuration beside a simulated log.

use super::SimulateOptions;
use super::season::Season;

/// Days of a log that is long enough for the table of value.
const LEAST_VALUE_DAYS: u32 = 200;

/// The table of value; twice its horizon fits into the days of the log that the defaults give.
const VALUE: &str = r#"
[value]
kinds = ["purchase", "return"]      # what users spend, less what they send back
margin = 0.35                       # what is earned of it
horizon_days = 180
currency = "GBP"
"#;

/// The table of potential users, where there are visitors.
const CONVERSION: &str = r#"
[conversion]
event = "purchase"                  # a potential user has none yet
horizon_days = [30]                 # conversion: a purchase in the 30 days after the cut-off
within_days = 180                   # who is asked about: people with an event in the 180 days before
"#;

/// What the configuration of a simulated log depends on its season for.
struct SeasonSettings {
    horizons: &'static str,
    /// The horizons in words.
    horizons_in_words: &'static str,
    active_within_days: u32,
    /// Whether the business rests for weeks, which looks like an outage of the feed at first.
    has_breaks: bool,
}

impl SeasonSettings {
    fn new(season: Season) -> Self {
        let seasonal = |active_within_days, has_breaks| Self {
            horizons: "[30, 60]",
            horizons_in_words: "30 or 60",
            active_within_days,
            has_breaks,
        };
        match season {
            Season::Mild | Season::None => Self {
                horizons: "[30]",
                horizons_in_words: "30",
                active_within_days: 90,
                has_breaks: false,
            },
            // A year and a month: users that come once a year may be late.
            Season::Yearly => seasonal(400, false),
            // More than the longest break, so that users are scored when they are about to come back.
            Season::Term => seasonal(180, true),
            Season::Closing => seasonal(150, true),
        }
    }
}

/// The table of attributes that lies beside the log.
const ATTRIBUTES: &str = r#"
[attributes]
paths = ["attributes.csv"]          # next to this file
user = "user_id"
from = "from"                       # a row holds from this day until the user's next one
columns = { plan = "category", age = "number" }
static = ["age", "country"]         # never change, so they need no day
"#;

/// The text of `ebb.toml`.
pub(crate) fn configuration(options: &SimulateOptions) -> String {
    let SimulateOptions {
        users,
        days,
        seed,
        start,
        corruption_rate,
        season,
        visitors,
        planted,
        attributes,
        out: _,
    } = options;
    let SeasonSettings {
        horizons,
        horizons_in_words,
        active_within_days,
        has_breaks,
    } = SeasonSettings::new(*season);
    // Configurations of mild logs have had no season since before there were others.
    let with_season = if *season == Season::Mild {
        String::new()
    } else {
        format!(", season = {season}")
    };
    let with_visitors = match visitors {
        0 => String::new(),
        visitors => format!(", visitors = {visitors}"),
    };
    let (kinds, conversion) = match visitors {
        0 => (
            "visit, cart, purchase, return, support_ticket or email_click",
            "",
        ),
        _ => (
            "visit, cart, sign_up, purchase, return, support_ticket or email_click",
            CONVERSION,
        ),
    };
    let hole = if has_breaks {
        "hole = \"keep\"                       # the business rests every year; that is no outage\n"
    } else {
        ""
    };
    // Spend is learnt on windows that fit into the log twice.
    let value = if *days >= LEAST_VALUE_DAYS { VALUE } else { "" };
    let with_attributes = if *attributes { ", attributes" } else { "" };
    let attributes = if *attributes { ATTRIBUTES } else { "" };
    let horizon_days = format!("horizon_days = {horizons}");
    let active = format!("active_within_days = {active_within_days}");
    format!(
        r#"# How to read the simulated log in this folder, and what counts as leaving.
# Simulated with users = {users}, days = {days}, seed = {seed}, start = {start}, corruption_rate = {corruption_rate}{with_season}{with_visitors}{planted}{with_attributes}.

[events]
paths = ["events.csv.gz"]           # next to this file
user = "user_id"                    # empty in a few rows, as in real logs
time = "time"
time_format = "%Y-%m-%d %H:%M:%S"   # wall-clock time of the shop
kind = "kind"                       # {kinds}
amount = "amount"                   # pounds; negative for a return, empty where no money is involved
timezone = "Europe/London"
on_bad_row = "report"               # count the rows that cannot be used, and show the first ones
{hole}
[churn]
activity = ["purchase"]             # a user who only looks around does not stay
{horizon_days:<36}# churn: no purchase in the {horizons_in_words} days after the cut-off
{active:<36}# who is scored: users with a purchase in the {active_within_days} days before
lead_days = 0
{value}{conversion}{attributes}"#
    )
}
