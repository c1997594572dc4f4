//! Tables whose cells are shaded by their values.

use maud::{Markup, html};

use super::axis::short;

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// The strength of its colour from 0 to 1; others are clamped.
    pub(crate) strength: f64,
    /// Whether its colour is that of churn.
    pub(crate) warm: bool,
    /// The text in it.
    pub(crate) text: String,
    /// The tooltip.
    pub(crate) title: String,
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct HeatmapRow {
    /// The name; any text.
    pub(crate) name: String,
    /// Less important than the name, behind it.
    pub(crate) detail: String,
    /// The cells; `None` is left empty.
    pub(crate) cells: Vec<Option<Cell>>,
}

/// A table; `class` sets its layout in the style sheet, `corner` holds the headings of names and details.
pub(crate) fn table(
    class: &str,
    corner: (&str, &str),
    columns: &[String],
    rows: &[HeatmapRow],
) -> Markup {
    html! {
        table class={ "heatmap " (class) } {
            thead {
                tr {
                    th scope="col" { (corner.0) }
                    th.detail scope="col" { (corner.1) }
                    @for column in columns { th scope="col" { span { (column) } } }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.name) }
                        td.detail { (row.detail) }
                        @for cell in &row.cells { (shade(cell.as_ref())) }
                    }
                }
            }
        }
    }
}

fn shade(cell: Option<&Cell>) -> Markup {
    let Some(cell) = cell else {
        return html! { td {} };
    };
    let strength = if cell.strength.is_finite() {
        cell.strength.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let class = if cell.warm { "warm" } else { "cool" };
    html! {
        td class=(class) style={ "--v:" (short(strength)) } title=(cell.title) { (cell.text) }
    }
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
        let row = HeatmapRow {
            name: "a&b".to_owned(),
            detail: "3".to_owned(),
            cells: vec![cell(7.0), cell(f64::NAN), None],
        };
        let table = table("c", ("", "users"), &["x".to_owned()], &[row]);
        insta::assert_snapshot!(super::super::tests::lines(table));
    }
}
