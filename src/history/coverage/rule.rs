use super::series::{QUIET_SHARE, Series, Weekly};
use super::{CoverageSettings, FeedCoverage, Hole, Stretch};
use crate::history::Day;

/// Days that a hole has at least. Businesses close for shorter times, and a label of a month hardly suffers from less.
pub const LEAST_HOLE_DAYS: i32 = 10;
/// Days that a hole has at least when it touches the days from 24 December to 1 January.
pub const LEAST_CLOSING_DAYS: i32 = 18;
/// Days of silence at the end of a feed that are taken for its end.
pub const LEAST_TAIL_DAYS: i32 = 3;
/// The least logarithm of the odds against a hole being silence: about 10⁶ to one.
pub const LEAST_EVIDENCE: f64 = 14.0;

/// Users that a log has at least to be judged; of a smaller one every day is covered.
const LEAST_USERS: u64 = 50;
/// The place, in order of length, of the silence that is as long as any usual one: three may be outages.
const USUAL_PLACE: usize = 3;
/// How much longer than a usual silence a hole is.
const UNUSUAL_FACTOR: i32 = 2;
/// 52 weeks, and by how many days a season may move.
const YEAR_DAYS: i32 = 364;
const SEASON_SHIFT_DAYS: i32 = 14;
/// Users that an island has at least.
const LEAST_ISLAND_USERS: u64 = 5;
/// The share of the users it should have, at the end of a log.
const LEAST_ISLAND_SHARE: f64 = 0.25;
/// The longest hole between what is covered, unless more is covered than that.
const FAR_DAYS: i32 = 366;

/// A feed as it was judged.
pub(crate) struct Feed {
    series: Series,
    /// The runs of days without users, or all but without, between days that have them.
    pub(crate) silences: Vec<Stretch>,
    weekly: Weekly,
    pub(crate) usual_silence_days: i32,
    pub(crate) span: Stretch,
    pub(crate) holes: Vec<Hole>,
}

impl Feed {
    /// Judges the silences of a feed that could have been observed until `end`, or to its last day; `None` when it has no
    /// users.
    pub(crate) fn judge(
        series: Series,
        end: Option<Day>,
        settings: CoverageSettings,
    ) -> Option<Self> {
        let whole = series.span()?;
        let end = end.unwrap_or(whole.until);
        let mut loud = series.loud_days();
        if (settings.keep_strays || settings.until.is_some())
            && loud.last().is_some_and(|last| last.plus(1) < whole.until)
        {
            loud.push(whole.until.plus(-1));
        }
        let silences: Vec<Stretch> = loud.windows(2).filter_map(between).collect();
        let usual_silence_days = usual(&silences, series.core());
        let unusual = |silence: &&Stretch| {
            silence.days() >= unusual_days(usual_silence_days).max(LEAST_HOLE_DAYS)
        };
        let weekly = series.weekly(&silences.iter().filter(unusual).copied().collect::<Vec<_>>());
        let mut feed = Self {
            series,
            silences,
            weekly,
            usual_silence_days,
            span: whole,
            holes: Vec::new(),
        };
        let mut holes: Vec<Stretch> = feed
            .silences
            .iter()
            .copied()
            .filter(|silence| feed.is_hole(*silence, feed.least_days(*silence, end)))
            .collect();
        let tail = Stretch {
            from: loud.last().map_or(end, |last| last.plus(1)),
            until: end,
        };
        let stopped = feed.is_hole(tail, LEAST_TAIL_DAYS);
        holes.extend(stopped.then_some(tail));
        let islands = islands(
            Stretch {
                from: whole.from,
                until: end,
            },
            &holes,
        );
        let covered = feed.covered(&islands, settings);
        feed.span = Stretch {
            from: covered.first()?.from,
            until: covered.last()?.until,
        };
        if !settings.keep_holes {
            let holes = covered.windows(2).filter_map(|pair| {
                Some(Stretch {
                    from: pair.first()?.until,
                    until: pair.last()?.from,
                })
            });
            feed.holes = holes
                .map(|days| Hole {
                    days,
                    expected_users: feed.expected(days).unwrap_or(0.0),
                })
                .collect();
        }
        Some(feed)
    }

    /// Whether the days of a silence were not observed.
    fn is_hole(&self, silence: Stretch, least_days: i32) -> bool {
        let least = if touches_new_year(silence) {
            LEAST_CLOSING_DAYS
        } else {
            least_days
        };
        self.series.all_users() >= LEAST_USERS
            && silence.days() >= least.max(unusual_days(self.usual_silence_days))
            && self.evidence(silence) >= LEAST_EVIDENCE
            && !is_season(silence, &self.silences)
    }

    /// The days that a hole has at least: fewer where what comes after it is hardly anything.
    fn least_days(&self, silence: Stretch, end: Day) -> i32 {
        let after = Stretch {
            from: silence.until,
            until: end,
        };
        if self.is_few(silence.from, after) {
            LEAST_TAIL_DAYS
        } else {
            LEAST_HOLE_DAYS
        }
    }

    /// Whether an island at the end of a log has fewer users than its days should, by the weeks before `day`.
    fn is_few(&self, day: Day, island: Stretch) -> bool {
        let users = self.series.users(island.from, island.until);
        let should = self.series.expected_before(day, island).unwrap_or(0.0);
        users < LEAST_ISLAND_USERS || (users as f64) < LEAST_ISLAND_SHARE * should
    }

    /// How many users the days would have had.
    ///
    /// Past the middle of the log the weeks before a silence alone tell: what comes after the end of a log may be strays.
    /// Before the middle the lower of both sides counts, since a log that grows is silent at first.
    fn expected(&self, silence: Stretch) -> Option<f64> {
        let before = self.series.expected_before(silence.from, silence);
        let after = self.series.expected_after(silence);
        match (before, after) {
            (Some(before), Some(after)) if silence.from < self.series.middle() => {
                Some(before.min(after))
            }
            (before, after) => before.or(after),
        }
    }

    /// The logarithm of the odds against so few users on these days being what the log has otherwise.
    fn evidence(&self, silence: Stretch) -> f64 {
        let Some(expected) = self.expected(silence) else {
            return 0.0;
        };
        let users = self.series.users(silence.from, silence.until) as f64;
        if users > QUIET_SHARE * expected {
            0.0
        } else {
            self.weekly.evidence(silence.days(), expected, users)
        }
    }

    /// The islands that are covered, those too small to be between them left out.
    fn covered(&self, islands: &[Stretch], settings: CoverageSettings) -> Vec<Stretch> {
        let users = |island: &Stretch| self.series.users(island.from, island.until);
        let Some(main) = (0..islands.len()).max_by_key(|at| islands.get(*at).map(users)) else {
            return Vec::new();
        };
        let mut covered: Vec<Stretch> = islands.get(main).copied().into_iter().collect();
        for island in islands.iter().skip(main + 1).copied() {
            let Some(last) = covered.last().copied() else {
                break;
            };
            let span = Stretch {
                from: covered.first().map_or(last.from, |first| first.from),
                until: last.until,
            };
            let hand = settings.keep_strays || settings.until.is_some();
            let far = island.from.since(last.until) > span.days().max(FAR_DAYS);
            if hand || !(far || self.is_few(last.until, island)) {
                covered.push(island);
            }
        }
        for island in islands.iter().take(main).rev().copied() {
            let Some(first) = covered.first().copied() else {
                break;
            };
            let span = Stretch {
                from: first.from,
                until: covered.last().map_or(first.until, |last| last.until),
            };
            let hand = settings.keep_strays || settings.from.is_some();
            let far = first.from.since(island.until) > span.days().max(FAR_DAYS);
            if hand || !(far || users(&island) < LEAST_ISLAND_USERS) {
                covered.insert(0, island);
            }
        }
        covered
    }

    /// What the card says of the feed.
    pub(crate) fn coverage(&self, kinds: &[&str]) -> FeedCoverage {
        let silent: i32 = self.holes.iter().map(|hole| hole.days.days()).sum();
        let days = (self.span.days() - silent).max(1);
        FeedCoverage {
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            span: self.span,
            users_a_day: self.series.users(self.span.from, self.span.until) as f64
                / f64::from(days),
            dispersion: self.weekly.dispersion(),
        }
    }
}

/// The silence between two days, if there is one.
fn between(pair: &[Day]) -> Option<Stretch> {
    let [before, after] = pair else { return None };
    Some(Stretch {
        from: before.plus(1),
        until: *after,
    })
    .filter(|silence| silence.days() > 0)
}

/// Whether a log with these silences is as silent at the same time of a year before or after.
pub(crate) fn is_season(silence: Stretch, silences: &[Stretch]) -> bool {
    let is_silent = |shift: i32| {
        let (from, until) = (silence.from.plus(shift), silence.until.plus(shift));
        let common = |other: &Stretch| other.until.min(until).since(other.from.max(from));
        silences
            .iter()
            .any(|other| *other != silence && 2 * common(other) >= silence.days())
    };
    let mut shifts = -SEASON_SHIFT_DAYS..=SEASON_SHIFT_DAYS;
    silence.days() < YEAR_DAYS / 2
        && shifts.any(|shift| is_silent(shift - YEAR_DAYS) || is_silent(shift + YEAR_DAYS))
}

/// How long any usual silence is: the fourth longest of those in the core of the log, so that neither a few outages nor
/// strays around it make long silences usual.
fn usual(silences: &[Stretch], core: Stretch) -> i32 {
    let within = silences
        .iter()
        .filter(|silence| core.from <= silence.from && silence.until <= core.until);
    let mut lengths: Vec<i32> = within.map(|silence| silence.days()).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.get(USUAL_PLACE).copied().unwrap_or(0)
}

fn unusual_days(usual_silence_days: i32) -> i32 {
    UNUSUAL_FACTOR * usual_silence_days
}

/// What is left of a span without the holes.
fn islands(span: Stretch, holes: &[Stretch]) -> Vec<Stretch> {
    let (mut islands, mut from) = (Vec::new(), span.from);
    for hole in holes {
        islands.push(Stretch {
            from,
            until: hole.from,
        });
        from = hole.until;
    }
    islands.push(Stretch {
        from,
        until: span.until,
    });
    islands.retain(|island| island.days() > 0);
    islands
}

/// Whether any of the days from 24 December to 1 January is among these.
fn touches_new_year(days: Stretch) -> bool {
    let near = |day: Day| {
        let date = day.date();
        matches!((date.month(), date.day()), (12, 24..) | (1, 1))
    };
    // The nine days cannot be passed over by steps of eight.
    days.iter().take(366).step_by(8).any(near) || (days.days() > 0 && near(days.until.plus(-1)))
}
