//! Tests of the columns of value.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::value::VALUE_COLUMNS;
use super::*;
use crate::model::tests::value::{estimate, scored, unknown};
use crate::model::{Score, ValueEstimate};

fn as_of() -> Day {
    "2024-06-01".parse().unwrap()
}

/// The file of a target, with a row for each estimate.
fn written(
    target: &Target,
    has_value: bool,
    estimates: &[Option<ValueEstimate<'static>>],
) -> Vec<u8> {
    let (mut sink, form) = Rows::open(target, has_value).unwrap();
    let mut rows = Rows::new(&form);
    for value in estimates {
        let score = Score {
            value: value.clone(),
            ..scored(0.25)
        };
        rows.push("u1", as_of(), &score);
    }
    sink.write(rows.chunk(&form).unwrap()).unwrap();
    commit(sink.close().unwrap().into_iter().collect()).unwrap();
    std::fs::read(target.path()).unwrap()
}

#[test]
fn csv_has_the_columns_of_value_only_for_a_model_with_a_value_part() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::new(&folder.path().join("scores.csv")).unwrap();
    let estimates = [Some(estimate()), Some(unknown())];
    let with = String::from_utf8(written(&target, true, &estimates)).unwrap();
    insta::assert_snapshot!(with, @r"
    user_id,as_of,horizon_days,churn_probability,risk_band,stage,segment,segment_name,segment_key,reason_1,reason_2,reason_3,value_expected_spend,value_low,value_high,value_residual,value_at_risk,value_tier,rfm,value_status
    u1,2024-06-01,30,0.25,low,mature,,,,,,,620.5,120.25,1400,512.125,101.5,high,5-4-3,estimated
    u1,2024-06-01,60,0.25,low,mature,,,,,,,620.5,120.25,1400,512.125,101.5,high,5-4-3,estimated
    u1,2024-06-01,30,0.25,low,mature,,,,,,,,,,,,,,unknown
    u1,2024-06-01,60,0.25,low,mature,,,,,,,,,,,,,,unknown
    ");
    let without = String::from_utf8(written(&target, false, &estimates)).unwrap();
    insta::assert_snapshot!(without, @r"
    user_id,as_of,horizon_days,churn_probability,risk_band,stage,segment,segment_name,segment_key,reason_1,reason_2,reason_3
    u1,2024-06-01,30,0.25,low,mature,,,,,,
    u1,2024-06-01,60,0.25,low,mature,,,,,,
    u1,2024-06-01,30,0.25,low,mature,,,,,,
    u1,2024-06-01,60,0.25,low,mature,,,,,,
    ");
}

#[test]
fn parquet_has_them_behind_those_of_csv_with_nulls_for_what_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.parquet");
    let target = Target::new(&path).unwrap();
    written(&target, true, &[Some(estimate()), Some(unknown())]);
    let file = std::fs::File::open(&path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let [batch] = batches.as_slice() else {
        panic!("four rows are one batch");
    };
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(
        names[rows::COLUMNS.len()..][..VALUE_COLUMNS.len()],
        VALUE_COLUMNS
    );
    assert_eq!(
        names[rows::COLUMNS.len() + VALUE_COLUMNS.len()],
        "reason_1_theme"
    );
    let numbers = |name: &str| {
        let column = batch.column_by_name(name).unwrap();
        column.as_primitive::<Float64Type>().clone()
    };
    let known = estimate();
    for (name, expected) in [
        ("value_expected_spend", known.expected_spend),
        ("value_low", known.low),
        ("value_high", known.high),
        ("value_residual", known.residual_value),
        ("value_at_risk", known.value_at_risk),
    ] {
        let column = numbers(name);
        assert_eq!(column.value(0).to_bits(), expected.to_bits(), "{name}");
        assert!(column.is_null(2), "{name}");
    }
    let texts = |name: &str| {
        batch
            .column_by_name(name)
            .unwrap()
            .as_string::<i32>()
            .clone()
    };
    assert_eq!(texts("value_tier").value(0), "high");
    assert_eq!(texts("rfm").value(0), "5-4-3");
    assert_eq!(texts("value_status").value(2), "unknown");
    assert!(texts("value_tier").is_null(2) && texts("rfm").is_null(2));
}
