//! Reading what the acquisition of users cost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::money_rows::Costs;
use crate::history::{Amount, Day};

/// What can go wrong with a file of costs.
#[derive(Debug, thiserror::Error)]
pub enum CostsError {
    /// A file that could not be read.
    #[error("{} (costs.file): {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: csv::Error,
    },
    /// Columns that are not there, or that nobody knows.
    #[error("{} (costs.file): the columns are {found}; they must be month, channel and cost", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Those that there are.
        found: String,
    },
    /// A row that says no cost.
    #[error("{} (costs.file): line {line}: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads a CSV file with the columns `month` (`YYYY-MM`), `channel` and `cost`, in any order. Channels are told by no attribute.
///
/// # Errors
/// [`CostsError`] names the file and the line at fault.
pub fn read_costs(path: &Path) -> Result<Costs, CostsError> {
    let csv = |source| CostsError::Csv {
        path: path.to_owned(),
        source,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(csv)?;
    let header = reader.headers().map_err(csv)?.clone();
    let names = ["month", "channel", "cost"];
    let places = names.map(|name| header.iter().position(|column| column == name));
    let ([Some(month), Some(channel), Some(cost)], 3) = (places, header.len()) else {
        let found: Vec<&str> = header.iter().collect();
        return Err(CostsError::Columns {
            path: path.to_owned(),
            found: found.join(", "),
        });
    };
    let mut costs = Costs::default();
    let mut lines: BTreeMap<(Day, String), u64> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        let fault = |problem| CostsError::Row {
            path: path.to_owned(),
            line,
            problem,
        };
        let field = |at| record.get(at).unwrap_or_default();
        let (day, micros) = (
            month_of(field(month)).map_err(fault)?,
            micros_of(field(cost)).map_err(fault)?,
        );
        let channel = field(channel).to_owned();
        if let Some(earlier) = lines.insert((day, channel.clone()), line) {
            let month = field(month);
            return Err(fault(format!(
                "the cost of `{channel}` in {month} stands in line {earlier} already"
            )));
        }
        costs.months.entry(day).or_default().insert(channel, micros);
    }
    Ok(costs)
}

fn month_of(text: &str) -> Result<Day, String> {
    let day = format!("{text}-01").parse::<Day>();
    day.map_err(|_| format!("month `{text}` is no month; write it as YYYY-MM"))
}

fn micros_of(text: &str) -> Result<i128, String> {
    let wrong =
        || format!("cost `{text}` is no number of 0 or more, in the unit of the log's amounts");
    let cost = text.parse::<f64>().ok().filter(|cost| *cost >= 0.0);
    let amount = Amount::new(cost.ok_or_else(wrong)?).map_err(|_| wrong())?;
    Ok(i128::from(amount.micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Costs, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("costs.csv");
        std::fs::write(&path, text).unwrap();
        read_costs(&path).map_err(|error| {
            let error = error.to_string();
            error.split_once("(costs.file): ").unwrap().1.to_owned()
        })
    }

    #[test]
    fn costs_are_by_month_and_channel() {
        let costs =
            read("channel,month,cost\nads, 2024-01 ,100.5\nfairs,2024-01,0\nads,2024-02,7\n")
                .unwrap();
        let months: Vec<(String, i128)> = costs
            .months
            .iter()
            .map(|(month, channels)| (month.to_string(), channels.values().sum()))
            .collect();
        assert_eq!(
            months,
            [
                ("2024-01-01".to_owned(), 100_500_000),
                ("2024-02-01".to_owned(), 7_000_000)
            ]
        );
        assert_eq!(costs.months.first_key_value().unwrap().1.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let error =
            |rows: &str| read(&format!("month,channel,cost\n2024-01,ads,1\n{rows}\n")).unwrap_err();
        assert_eq!(
            error("2024-13,ads,1"),
            "line 3: month `2024-13` is no month; write it as YYYY-MM"
        );
        assert!(error("2024-02-01,ads,1").starts_with("line 3: month"));
        for cost in ["-1", "NaN", "inf", "1e300", "", "a"] {
            assert!(
                error(&format!("2024-02,ads,{cost}"))
                    .starts_with(&format!("line 3: cost `{cost}`"))
            );
        }
        assert_eq!(
            error("2024-01,ads,2"),
            "line 3: the cost of `ads` in 2024-01 stands in line 2 already"
        );
        assert!(
            read("month,cost\n2024-01,1\n")
                .unwrap_err()
                .contains("the columns are month, cost")
        );
        assert!(
            read("month,channel,cost,note\n")
                .unwrap_err()
                .contains("note")
        );
    }
}
