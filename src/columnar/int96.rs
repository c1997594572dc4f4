//! The old timestamps of Spark, Hive and Impala: a day and nanoseconds, in 96 bits.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::schema::types::Type;

/// The metadata of a file with its INT96 times in milliseconds: in nanoseconds, as they are read unless told otherwise,
/// years before 1677 and after 2262 wrap around into years between.
pub(crate) fn exact_int96(
    stored: ArrowReaderMetadata,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let types = stored.parquet_schema().root_schema();
    let fields = in_millis(stored.schema().fields(), types);
    if fields == *stored.schema().fields() {
        return Ok(stored);
    }
    let schema = Arc::new(Schema::new_with_metadata(
        fields,
        stored.schema().metadata().clone(),
    ));
    ArrowReaderMetadata::try_new(
        stored.metadata().clone(),
        ArrowReaderOptions::new().with_schema(schema),
    )
}

/// The members of a structure with the INT96 ones among them, at any depth, as milliseconds.
fn in_millis(fields: &Fields, structure: &Type) -> Fields {
    let stored = |field: &FieldRef| {
        structure
            .get_fields()
            .iter()
            .find(|stored| stored.name() == field.name())
            .cloned()
    };
    let changed = |field: &FieldRef| {
        stored(field).map_or_else(|| field.clone(), |stored| field_in_millis(field, &stored))
    };
    fields.iter().map(changed).collect()
}

fn field_in_millis(field: &FieldRef, stored: &Type) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Timestamp(_, zone)
            if stored.is_primitive() && stored.get_physical_type() == Physical::INT96 =>
        {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Struct(members) if stored.is_group() => {
            DataType::Struct(in_millis(members, stored))
        }
        _ => return field.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(kind))
}
