//! Placeholder until the Parquet roll-up codec is written.
