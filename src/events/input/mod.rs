//! Log files, from bytes to records: finding and opening them, cutting them into chunks, reading CSV, JSON Lines and Parquet.

pub(crate) mod chunk_reader;
pub(crate) mod chunks;
pub(crate) mod csv;
pub(crate) mod csv_record;
pub(crate) mod files;
pub(crate) mod fingerprint;
pub(crate) mod format;
pub(crate) mod json_value;
pub(crate) mod jsonl;
pub(crate) mod log_file;
pub(crate) mod log_files;
pub(crate) mod missing_column;
pub(crate) mod open;
pub(crate) mod parquet;
pub(crate) mod parquet_fast;
pub(crate) mod paths;
pub(crate) mod preamble;
pub(crate) mod record_boundary;
pub(crate) mod text_chunks;
pub(crate) mod unsupported;
