//! Expressions over the columns of every format.

use std::sync::Arc;

use arrow_array::StructArray;
use arrow_schema::{DataType, Field};
use parquet::basic::Compression as Codec;

use super::formats::*;
use super::*;

#[test]
fn expressions_equal_plain_columns() {
    let (expected, _) = expected();
    let settings = r#"
        user = { expr = 'string(int(user))' }
        time = { expr = 'timestamp(at.replace(" ", "T") + "Z")' }
        kind = { expr = 'what in ["visit", "purchase"] ? what : "return"' }
        amount = { expr = 'double(price) * 2.0 / 2.0' }
    "#;
    assert_eq!(read_csv(&csv(&events()), settings).unwrap().0, expected);
    let json = |e: &Event| {
        format!(
            "{{\"u\":{{\"id\":{}}},\"t\":{},\"k\":{{\"name\":\"{}\"}},\"q\":{},\"c\":{}}}\n",
            e.user, e.unix_s, e.kind, e.quantity, e.cents
        )
    };
    let settings = r#"
        user = { expr = 'u.id' }
        time = "t"
        time_format = "epoch_s"
        kind = { expr = '[k].filter(x, has(x.name)).map(x, x.name)[0]' }
        amount = { expr = 'double(q * c) / 100.0' }
    "#;
    let jsonl: String = events().iter().map(json).collect();
    assert_eq!(
        read_bytes("log.jsonl", jsonl.as_bytes(), settings)
            .unwrap()
            .0,
        expected
    );
}

#[test]
fn expressions_reach_into_parquet_structures() {
    let dir = TempDir::new().unwrap();
    let (mut columns, inner) = (parquet_columns(), parquet_columns());
    let field = |name: &str, kind: DataType| Arc::new(Field::new(name, kind, false));
    let props = StructArray::from(vec![
        (field("price", DataType::Float64), inner[1].1.clone()),
        (field("what", DataType::Utf8), inner[4].1.clone()),
    ]);
    columns.push(("props", Arc::new(props)));
    write_parquet(&dir.path().join("log.parquet"), columns, Codec::SNAPPY);
    let settings = r#"
        user = { expr = 'user' }
        time = { expr = 'at' }
        kind = { expr = 'props.what' }
        amount = { expr = 'props.price' }
    "#;
    assert_eq!(
        read_dir(dir.path(), settings, None).unwrap().0,
        expected().0
    );
}

#[test]
fn columns_with_blanks_in_their_names_can_be_used_in_expressions() {
    let settings =
        "user = 'Customer ID'\ntime = 'at'\namount = { expr = 'double(Unit_Price) * double(_2x)' }";
    let (_, report) = read_csv(
        "Customer ID,at,Unit Price,2x\na,2020-01-01,1.5,2\n",
        settings,
    )
    .unwrap();
    assert_eq!(report.kinds[0].kind, "event");
    assert!(
        read_csv(
            "Customer ID,at,Unit Price,Unit-Price,2x\na,2020-01-01,1.5,2,3\n",
            settings
        )
        .is_err()
    );
}
