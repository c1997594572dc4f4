use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::serve::memory::MemoryUse;
use crate::serve::state::ServerState;

/// The metrics of the process: the memory that it takes, and what of its budget is in use.
pub(crate) struct ProcessMetrics(pub(crate) Arc<ServerState>);

impl fmt::Debug for ProcessMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessMetrics")
    }
}

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let MemoryUse {
            resident_bytes,
            budget_bytes,
            used_bytes,
        } = self.0.memory();
        let mut gauge = |name: &str, help: &str, bytes: usize| {
            let (unit, kind) = (Some(&Unit::Bytes), MetricType::Gauge);
            let family = encoder.encode_descriptor(name, help, unit, kind)?;
            ConstGauge::new(bytes as f64).encode(family)
        };
        if let Some(bytes) = resident_bytes {
            // The name that Prometheus' own libraries give it.
            let help = "Resident memory of the process.";
            gauge("process_resident_memory", help, bytes)?;
        }
        let help = "What callers may take of the memory together.";
        gauge("ebb_memory_budget", help, budget_bytes)?;
        let help = "What of the memory budget callers have taken.";
        gauge("ebb_memory_used", help, used_bytes)
    }
}
