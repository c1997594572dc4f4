//! The files of a simulation.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use jiff::civil::Date;
use serde::Serialize;

use super::attributes::AttributeRow;
use super::configuration::configuration;
use super::event::{Channel, Event, Kind};
use super::exit::Cause;
use super::life::Life;
use super::noise::{BOT, Flaw, Row};
use super::persona::Persona;
use super::rhythm::{Rhythm, RhythmKind};
use super::season::Season;
use super::visitor::{FIRST_VISITOR, Intent, Visitor};
use super::world::World;
use super::{SimulateError, SimulateOptions};
use crate::history::Day;
use crate::output::{Destination, Staged, commit};
use crate::phases::{Phases, Unit};

/// Days of a mean month.
const MONTH_DAYS: f64 = 30.4375;

/// The byte that says "unknown operating system" in a gzip header (RFC 1952).
const ANY_SYSTEM: u8 = 255;

/// The log, the truth and the configuration under temporary names, all of them from the beginning on.
pub(crate) struct Files {
    events: Staged,
    truth: Staged,
    configuration: Staged,
    /// The truth about visitors; none without them.
    visitors: Option<Staged>,
    attributes: Option<Staged>,
}

/// What is written.
pub(crate) struct Content<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) truths: &'a [Truth],
    pub(crate) visitors: &'a [VisitorTruth],
    /// The rows of each user.
    pub(crate) attributes: &'a [(u32, Vec<AttributeRow>)],
}

impl Files {
    /// Fails where they cannot be written, or would replace what no simulation wrote.
    pub(crate) fn new(options: &SimulateOptions) -> Result<Self, SimulateError> {
        let out = &options.out;
        refuse_others(out)?;
        let staged = |name: &str| Staged::new(Destination::file(&out.join(name))?);
        Ok(Self {
            events: staged("events.csv.gz")?,
            truth: staged("truth.csv")?,
            configuration: staged("ebb.toml")?,
            visitors: (options.visitors > 0)
                .then(|| staged("visitors.csv"))
                .transpose()?,
            attributes: options
                .attributes
                .then(|| staged("attributes.csv"))
                .transpose()?,
        })
    }

    /// Writes all of them and lets them take their places together.
    pub(crate) fn write(
        self,
        options: &SimulateOptions,
        content: &Content<'_>,
        phases: Phases<'_>,
    ) -> Result<(), SimulateError> {
        let Content {
            rows,
            truths,
            visitors,
            attributes: of_users,
        } = content;
        named(&self.events, events(self.events.file()?, rows, phases))?;
        named(&self.truth, truth(self.truth.file()?, truths))?;
        if let Some(staged) = &self.attributes {
            named(staged, attributes(staged.file()?, of_users))?;
        }
        let text = configuration(options);
        named(
            &self.configuration,
            self.configuration.file()?.write_all(text.as_bytes()),
        )?;
        let mut files = vec![self.events, self.truth, self.configuration];
        if let Some(file) = self.visitors {
            named(&file, visitor_truth(file.file()?, visitors))?;
            files.push(file);
        }
        files.extend(self.attributes);
        Ok(commit(files)?)
    }
}

/// How the configurations of simulated logs begin.
const MARK: &str = "# How to read the ";

/// Refuses a folder with such files, or a configuration, beside a configuration that no simulation wrote.
fn refuse_others(out: &Path) -> Result<(), SimulateError> {
    let path = out.join("ebb.toml");
    let ours = fs::read_to_string(&path).is_ok_and(|text| text.starts_with(MARK));
    let names = [
        "ebb.toml",
        "events.csv.gz",
        "truth.csv",
        "visitors.csv",
        "attributes.csv",
    ];
    let mut there = names.into_iter().filter(|name| out.join(name).exists());
    match there.next() {
        Some(name) if !ours => Err(SimulateError::Occupied {
            path: out.join(name),
        }),
        _ => Ok(()),
    }
}

fn named<T>(staged: &Staged, result: io::Result<T>) -> Result<T, SimulateError> {
    result.map_err(|source| SimulateError::Write {
        path: staged.destination().given().to_owned(),
        source,
    })
}

#[derive(Serialize)]
struct EventRow {
    user_id: String,
    time: String,
    kind: Kind,
    amount: Option<String>,
    channel: Channel,
}

fn events(file: File, rows: &[Row], phases: Phases<'_>) -> io::Result<()> {
    // No time of writing and no system in the header: equal logs are equal bytes.
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(ANY_SYSTEM)
        .write(file, Compression::best());
    let mut csv = csv::Writer::from_writer(gzip);
    let writing = phases.begin("writing the log", rows.len() as u64, Unit::Rows);
    for Row {
        user, event, flaw, ..
    } in rows
    {
        writing.advance(1);
        csv.serialize(EventRow {
            user_id: if *flaw == Flaw::NoUser {
                String::new()
            } else {
                name(*user)
            },
            time: match flaw {
                Flaw::BadTime(way) => bad_time(event, *way),
                Flaw::None | Flaw::NoUser => time(event),
            },
            kind: event.kind,
            amount: event.pence.map(pounds),
            channel: event.channel,
        })?;
    }
    csv.into_inner()
        .map_err(csv::IntoInnerError::into_error)?
        .finish()
        .map(drop)
}

/// What is true of one user, a row of `truth.csv`.
#[derive(Serialize)]
pub(crate) struct Truth {
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
    #[serde(skip)]
    season: Option<SeasonTruth>,
}

/// What is true of one user's time of year: further columns of `truth.csv`, not in a mild season.
#[derive(Serialize)]
pub(crate) struct SeasonTruth {
    season: RhythmKind,
    /// `MM-DD`.
    peak: Option<String>,
    course_end: Option<Day>,
    /// Twelve numbers, January to December.
    purchases_by_month: String,
}

impl SeasonTruth {
    /// `None` in a mild season, in which all users have the same.
    pub(crate) fn new(world: &World, life: &Life) -> Option<Self> {
        if world.season == Season::Mild {
            return None;
        }
        let per_month = life.traits.purchases_per_30_days / 30.0 * MONTH_DAYS;
        let months = world.by_month(life.rhythm);
        let peak = match life.rhythm {
            Rhythm::Steady | Rhythm::Calendar => None,
            Rhythm::Peak { day_of_year, .. } => Some(month_and_day(day_of_year)),
        };
        Some(Self {
            season: life.rhythm.kind(),
            peak,
            course_end: life.course_end,
            purchases_by_month: months
                .map(|factor| format!("{:.3}", factor * per_month))
                .join(" "),
        })
    }
}

/// The date of a day of a common year, 1 to 365, as `MM-DD`.
fn month_and_day(day_of_year: i32) -> String {
    let new_year = Day::from(Date::constant(2025, 1, 1));
    let date = new_year.plus(day_of_year - 1).date();
    format!("{:02}-{:02}", date.month(), date.day())
}

impl Truth {
    pub(crate) fn new(world: &World, user: u32, life: &Life) -> Self {
        let Life {
            traits,
            rhythm: _,
            joined,
            course_end: _,
            exit,
            events: _,
        } = life;
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
            season: SeasonTruth::new(world, life),
        }
    }
}

fn truth(file: File, truths: &[Truth]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    for truth in truths {
        match &truth.season {
            None => csv.serialize(truth)?,
            Some(season) => csv.serialize((truth, season))?,
        }
    }
    csv.flush()
}

/// What is true of one visitor, a row of `visitors.csv`.
#[derive(Serialize)]
pub(crate) struct VisitorTruth {
    user_id: String,
    first_visit: Day,
    intent: Intent,
    signed_up: Option<Day>,
    converted: Option<Day>,
}

impl VisitorTruth {
    pub(crate) fn new(user: u32, visitor: &Visitor) -> Self {
        Self {
            user_id: name(user),
            first_visit: visitor.first_visit,
            intent: visitor.intent,
            signed_up: visitor.signed_up,
            converted: visitor.converted,
        }
    }
}

fn visitor_truth(file: File, truths: &[VisitorTruth]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    for truth in truths {
        csv.serialize(truth)?;
    }
    csv.flush()
}

fn attributes(file: File, users: &[(u32, Vec<AttributeRow>)]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(["user_id", "from", "plan", "age", "country"])?;
    for (user, rows) in users {
        for AttributeRow {
            from,
            plan,
            age,
            country,
        } in rows
        {
            let (plan, age) = (plan.unwrap_or_default(), age.map(|age| age.to_string()));
            let from = from.to_string();
            let row = [
                name(*user),
                from,
                plan.to_owned(),
                age.unwrap_or_default(),
                (*country).to_owned(),
            ];
            csv.write_record(row)?;
        }
    }
    csv.flush()
}

fn name(user: u32) -> String {
    if user == BOT {
        "B000001".to_owned()
    } else if user >= FIRST_VISITOR {
        format!("V{:06}", user - FIRST_VISITOR + 1)
    } else {
        format!("U{:06}", u64::from(user) + 1)
    }
}

fn pounds(pence: i64) -> String {
    let sign = if pence < 0 { "-" } else { "" };
    let pence = pence.unsigned_abs();
    format!("{sign}{}.{:02}", pence / 100, pence % 100)
}

fn time(event: &Event) -> String {
    let second = event.second;
    format!(
        "{} {:02}:{:02}:{:02}",
        event.day,
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// A time that no careful reader takes for one.
fn bad_time(event: &Event, way: i32) -> String {
    let date = event.day.date();
    match way {
        0 => String::new(),
        1 => "0000-00-00 00:00:00".to_owned(),
        2 => format!(
            "{:02}/{:02}/{} 12:00",
            date.day(),
            date.month(),
            date.year()
        ),
        _ => format!("{}-{:02}-32 25:61:00", date.year(), date.month()),
    }
}
