//! Tables whose cells are shaded by what they hold.

use super::plot::short;
use super::text::escape;

/// One cell: how strong its colour is from 0 to 1, whether it is the colour of leaving, what it says, and what it says
/// when pointed at.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) strength: f64,
    pub(crate) warm: bool,
    pub(crate) text: String,
    pub(crate) title: String,
}

/// One row: its name, something behind it, and its cells; `None` is left empty.
#[derive(Clone, Debug)]
pub(crate) struct HeatRow {
    pub(crate) name: String,
    pub(crate) detail: String,
    pub(crate) cells: Vec<Option<Cell>>,
}

/// A table with names of columns as they are given; `class` tells the style sheet how to set it.
pub(crate) fn table(
    class: &str,
    corner: (&str, &str),
    columns: &[String],
    rows: &[HeatRow],
) -> String {
    let head: String = columns
        .iter()
        .map(|c| format!("<th scope=\"col\"><span>{}</span></th>", escape(c)))
        .collect();
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<table class=\"heat {class}\"><thead><tr><th scope=\"col\">{}</th><th scope=\"col\" class=\"detail\">{}</th>{head}\
         </tr></thead><tbody>{rows}</tbody></table>",
        escape(corner.0),
        escape(corner.1)
    )
}

fn row(row: &HeatRow) -> String {
    let cells: String = row
        .cells
        .iter()
        .map(|cell| cell.as_ref().map_or("<td></td>".to_owned(), shade))
        .collect();
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"detail\">{}</td>{cells}</tr>",
        escape(&row.name),
        escape(&row.detail)
    )
}

fn shade(cell: &Cell) -> String {
    let strength = if cell.strength.is_finite() {
        cell.strength.clamp(0.0, 1.0)
    } else {
        0.0
    };
    format!(
        "<td class=\"{}\" style=\"--v:{}\" title=\"{}\">{}</td>",
        if cell.warm { "warm" } else { "cool" },
        short(strength),
        escape(&cell.title),
        escape(&cell.text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_shaded_within_bounds_and_their_texts_are_text() {
        let cell = |strength| {
            Some(Cell {
                strength,
                warm: true,
                text: "<1".to_owned(),
                title: "\"t\"".to_owned(),
            })
        };
        let row = HeatRow {
            name: "a&b".to_owned(),
            detail: "3".to_owned(),
            cells: vec![cell(7.0), cell(f64::NAN), None],
        };
        let html = table("c", ("", "users"), &["x".to_owned()], &[row]);
        assert!(
            html.contains("style=\"--v:1\" title=\"&quot;t&quot;\">&lt;1</td>"),
            "{html}"
        );
        assert!(
            html.contains("--v:0\"") && html.contains("<td></td>") && html.contains("a&amp;b"),
            "{html}"
        );
    }
}
