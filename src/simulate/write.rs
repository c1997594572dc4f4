//! The files of a simulation.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use serde::Serialize;

use super::dirt::{BOT, Flaw, Row};
use super::event::{Channel, Event, Kind};
use super::exit::Cause;
use super::life::Life;
use super::persona::Persona;
use super::world::World;
use super::{SimulateError, SimulateOptions};
use crate::history::Day;

/// The byte that says "unknown operating system" in a gzip header (RFC 1952).
const ANY_SYSTEM: u8 = 255;

/// Writes the three files.
pub(super) fn all(options: &SimulateOptions, rows: &[Row], truths: &[Truth]) -> Result<(), SimulateError> {
    let out = &options.out;
    named(out, fs::create_dir_all(out))?;
    let path = out.join("events.csv.gz");
    named(&path, events(&path, rows))?;
    let path = out.join("truth.csv");
    named(&path, truth(&path, truths))?;
    let path = out.join("ebb.toml");
    named(&path, fs::write(&path, configuration(options)))
}

fn named<T>(path: &Path, result: io::Result<T>) -> Result<T, SimulateError> {
    result.map_err(|source| SimulateError::Write { path: path.to_owned(), source })
}

#[derive(Serialize)]
struct EventRow {
    user_id: String,
    time: String,
    kind: Kind,
    amount: Option<String>,
    channel: Channel,
}

fn events(path: &Path, rows: &[Row]) -> io::Result<()> {
    // No time of writing and no system in the header: equal logs are equal bytes.
    let gzip = GzBuilder::new().mtime(0).operating_system(ANY_SYSTEM).write(File::create(path)?, Compression::best());
    let mut csv = csv::Writer::from_writer(gzip);
    for Row { user, event, flaw, .. } in rows {
        csv.serialize(EventRow {
            user_id: if *flaw == Flaw::NoUser { String::new() } else { name(*user) },
            time: match flaw {
                Flaw::BadTime(way) => bad_time(event, *way),
                Flaw::None | Flaw::NoUser => time(event),
            },
            kind: event.kind,
            amount: event.pence.map(pounds),
            channel: event.channel,
        })?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)?.finish()?.sync_all()
}

/// What is true of one user, a row of `truth.csv`.
#[derive(Serialize)]
pub(super) struct Truth {
    user_id: String,
    joined: Day,
    left: Option<Day>,
    cause: Option<Cause>,
    onset: Option<Day>,
    persona: Persona,
    purchases_per_30_days: String,
    regularity: f64,
    median_basket: String,
    visits_per_30_days: String,
    newsletter_click_share: String,
    price_sensitive: bool,
}

impl Truth {
    pub(super) fn new(world: &World, user: u32, life: &Life) -> Self {
        let Life { traits, joined, exit, events: _ } = life;
        Self {
            user_id: name(user),
            joined: *joined,
            left: life.left(world),
            cause: exit.map(|exit| exit.cause),
            onset: exit.map(|exit| exit.onset),
            persona: traits.persona,
            purchases_per_30_days: format!("{:.3}", traits.purchases_per_30_days),
            regularity: traits.regularity,
            median_basket: format!("{:.2}", traits.basket),
            visits_per_30_days: format!("{:.2}", traits.visits_per_30_days),
            newsletter_click_share: format!("{:.3}", traits.clicks),
            price_sensitive: traits.price_sensitive,
        }
    }
}

fn truth(path: &Path, truths: &[Truth]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(File::create(path)?);
    for truth in truths {
        csv.serialize(truth)?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)?.sync_all()
}

fn name(user: u32) -> String {
    if user == BOT { "B000001".to_owned() } else { format!("U{:06}", u64::from(user) + 1) }
}

fn pounds(pence: i64) -> String {
    let sign = if pence < 0 { "-" } else { "" };
    let pence = pence.unsigned_abs();
    format!("{sign}{}.{:02}", pence / 100, pence % 100)
}

fn time(event: &Event) -> String {
    let second = event.second;
    format!("{} {:02}:{:02}:{:02}", event.day, second / 3_600, second / 60 % 60, second % 60)
}

/// A time that no careful reader takes for one.
fn bad_time(event: &Event, way: i32) -> String {
    let date = event.day.date();
    match way {
        0 => String::new(),
        1 => "0000-00-00 00:00:00".to_owned(),
        2 => format!("{:02}/{:02}/{} 12:00", date.day(), date.month(), date.year()),
        _ => format!("{}-{:02}-32 25:61:00", date.year(), date.month()),
    }
}

fn configuration(options: &SimulateOptions) -> String {
    let SimulateOptions { users, days, seed, start, dirty_share, out: _ } = options;
    format!(
        r#"# How to read the simulated log in this folder, and what counts as leaving.
# Simulated with users = {users}, days = {days}, seed = {seed}, start = {start}, dirty_share = {dirty_share}.

[events]
paths = ["events.csv.gz"]           # next to this file
user = "user_id"                    # empty in a few rows, as in real logs
time = "time"
time_format = "%Y-%m-%d %H:%M:%S"   # wall-clock time of the shop
kind = "kind"                       # visit, cart, purchase, return, support_ticket or email_click
amount = "amount"                   # pounds; negative for a return, empty where no money is involved
timezone = "Europe/London"
on_bad_row = "report"               # count the rows that cannot be used, and show the first ones

[churn]
activity = ["purchase"]             # a user who only looks around does not stay
horizon_days = [30]                 # churn: no purchase in the 30 days after the cut-off
active_within_days = 90             # who is scored: users with a purchase in the 90 days before
lead_days = 0
"#
    )
}
