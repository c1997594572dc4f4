//! What was simulated, as text.

use std::fmt;

use super::{Break, NoiseCounts, Season, SeasonSummary, Summary, VisitorSummary};

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gone: u32 = self.left.values().sum();
        writeln!(
            f,
            "{} users, {} rows, {} purchases",
            self.users, self.rows, self.purchases
        )?;
        writeln!(f, "{} to {} (exclusive)", self.start, self.end)?;
        self.season.fmt(f)?;
        writeln!(
            f,
            "competitor opens {}, prices rise {}",
            self.competitor, self.price_rise
        )?;
        write!(f, "{gone} users left")?;
        for (index, (cause, users)) in self.left.iter().enumerate() {
            write!(
                f,
                "{}{users} by {cause}",
                if index == 0 { ": " } else { ", " }
            )?;
        }
        if let Some(VisitorSummary {
            visitors,
            signed_up,
            converted,
        }) = self.visitors
        {
            write!(
                f,
                "\n{visitors} visitors, {signed_up} signed up, {converted} bought"
            )?;
        }
        let NoiseCounts {
            without_user,
            bad_time,
            repeated,
            late,
            bot_visits,
        } = &self.noise;
        write!(
            f,
            "\nrows without user {without_user}, bad times {bad_time}, repeated {repeated}, "
        )?;
        write!(f, "late {late}, of a bot {bot_visits}")
    }
}

impl fmt::Display for SeasonSummary {
    /// A line, or none for a mild season.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == Season::Mild {
            return Ok(());
        }
        write!(f, "season {}", self.name)?;
        for (index, Break { from, until }) in self.breaks.iter().enumerate() {
            let before = if index == 0 { ", rests from " } else { ", " };
            write!(f, "{before}{from} to {until}")?;
        }
        writeln!(f)
    }
}
