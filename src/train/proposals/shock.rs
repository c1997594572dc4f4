//! Whether far more or far fewer users came in two weeks than the year before foretells.

/// Weeks of a year.
const YEAR_WEEKS: usize = 52;

/// Weeks whose level the forecast continues.
const LEVEL_WEEKS: usize = 8;

/// The fewest errors of earlier forecasts from which a band is made.
const LEAST_ERRORS: usize = 16;

/// Of a normal distribution, 99.9 % lie within so many standard deviations.
const Z: f64 = 3.290_527;

/// The least change that is a shock, as a share.
const LEAST_CHANGE: f64 = 0.2;

/// Weeks that have to be known, newest first: the two that are judged, and what their forecast and its band need.
pub const LEAST_WEEKS: usize = 2 + YEAR_WEEKS + LEVEL_WEEKS + LEAST_ERRORS;

/// The two newest weeks beside their forecasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shock {
    /// Active users of the newest week and of the one before.
    pub users: [u64; 2],
    /// What was forecast for them.
    pub forecast: [f64; 2],
    /// The share by which a forecast is missed in one of a thousand weeks, as a factor: 1.2 is 20 % more, or as many times less.
    pub band: f64,
}

impl Shock {
    /// Whether both weeks lie outside of the band on the same side, and by 20 % at least.
    pub fn is_found(&self) -> bool {
        let [newest, before] = self.ratios();
        let outside = |ratio: f64| {
            libm::log(ratio).abs() > libm::log(self.band) && (ratio - 1.0).abs() >= LEAST_CHANGE
        };
        outside(newest) && outside(before) && (newest > 1.0) == (before > 1.0)
    }

    /// Active users of both weeks in terms of the forecast.
    pub fn ratios(&self) -> [f64; 2] {
        let [a, b] = self.users.map(|users| users as f64);
        [a / self.forecast[0], b / self.forecast[1]]
    }
}

/// Compares the two newest weeks with their forecasts. `active` are the active users of each week, newest first; the forecast of
/// a week is that of the year before, times the growth over the eight weeks before the two. `None` where too few weeks are known
/// or one of them had fewer than `least_users`.
pub fn find_shock(active: &[u64], least_users: u64) -> Option<Shock> {
    if active.len() < LEAST_WEEKS || active.iter().any(|users| *users < least_users.max(1)) {
        return None;
    }
    let growth: Vec<f64> = active
        .iter()
        .zip(active.iter().skip(YEAR_WEEKS))
        .map(|(now, then)| libm::log(*now as f64 / *then as f64))
        .collect();
    // The error of a forecast one and two weeks ahead, as that of the two newest weeks.
    let level = |after: usize| {
        let weeks = growth.get(after..after + LEVEL_WEEKS)?;
        Some(weeks.iter().sum::<f64>() / LEVEL_WEEKS as f64)
    };
    let errors: Vec<f64> = (2..growth.len())
        .filter_map(|week| Some(growth[week] - level(week + 2)?))
        .collect();
    if errors.len() < LEAST_ERRORS - 2 {
        return None;
    }
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    let deviation = (squares / errors.len() as f64).sqrt();
    let level = level(2)?;
    let forecast = |week: usize| active[week + YEAR_WEEKS] as f64 * libm::exp(level);
    Some(Shock {
        users: [active[0], active[1]],
        forecast: [forecast(0), forecast(1)],
        band: libm::exp(student(errors.len() as f64) * deviation),
    })
}

/// The quantile of Student's t distribution that belongs to [`Z`]. Source: Abramowitz and Stegun (1964), 26.7.5.
fn student(degrees: f64) -> f64 {
    let cube = (Z.powi(3) + Z) / 4.0;
    let fifth = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    Z + cube / degrees + fifth / (degrees * degrees)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::splitmix::splitmix64;

    /// Weeks of a growing shop with a season, newest first; the newest `shocked` weeks have `factor` times as many users.
    fn weeks(seed: u64, shocked: usize, factor: f64) -> Vec<u64> {
        let mut state = splitmix64(seed);
        let mut unit = move || {
            state = splitmix64(state);
            (state >> 11) as f64 / 2_f64.powi(53)
        };
        let mut week = |number: usize| {
            let noise = (0..12).map(|_| unit()).sum::<f64>() - 6.0;
            let season = 1.0 + 0.4 * libm::sin(number as f64 * std::f64::consts::TAU / 52.18);
            let growth = libm::exp(0.004 * (120 - number) as f64);
            let factor = if number < shocked { factor } else { 1.0 };
            (1_000.0 * season * growth * factor * (1.0 + 0.04 * noise)) as u64
        };
        (0..120).map(&mut week).collect()
    }

    /// R 4.3: `qt(.9995, 14)` is 4.1405, `qt(.9995, 50)` is 3.4960.
    #[test]
    fn quantiles_are_those_of_students_t() {
        assert!((student(50.0) - 3.4960).abs() < 0.002, "{}", student(50.0));
        assert!((student(14.0) - 4.1405).abs() < 0.04, "{}", student(14.0));
    }

    #[test]
    fn two_weeks_far_off_are_a_shock_and_one_week_or_a_season_is_none() {
        let found = |shocked, factor| {
            let runs = (0..200).map(|seed| find_shock(&weeks(seed, shocked, factor), 10).unwrap());
            runs.filter(Shock::is_found).count()
        };
        assert_eq!(found(0, 1.0), 0, "the season alone");
        assert_eq!(found(1, 1.6), 0, "one week");
        assert!(found(2, 1.5) >= 190);
        assert!(found(2, 0.6) >= 190);
        assert_eq!(found(2, 1.05), 0, "too little to matter");
    }

    /// The negative control: beside the weeks before, and not the year before, the season would be a shock.
    #[test]
    fn without_the_year_before_the_season_would_be_a_shock() {
        let weeks = weeks(3, 0, 1.0);
        let level: u64 = weeks[9..17].iter().sum::<u64>() / 8;
        assert!((weeks[0] as f64 / level as f64 - 1.0).abs() > LEAST_CHANGE);
    }

    #[test]
    fn nothing_is_said_of_short_and_of_empty_logs() {
        assert_eq!(find_shock(&[1_000; LEAST_WEEKS - 1], 10), None);
        assert!(find_shock(&[1_000; LEAST_WEEKS], 10).is_some());
        let mut weeks = [1_000; LEAST_WEEKS];
        weeks[60] = 0;
        assert_eq!(find_shock(&weeks, 10), None);
    }
}
