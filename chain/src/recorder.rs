//! The process's metrics recorder, one for all services in it.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// The recorder, installed at the first call; `None` when something else installed one before.
fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().ok()).as_ref()
}

/// Installs the recorder, so that what is counted from now on shows.
pub fn install() {
    if recorder().is_none() {
        tracing::warn!("another metrics recorder is installed: /metrics is empty");
    }
}

/// All metrics in Prometheus' text form; empty where another recorder was installed before.
pub fn render() -> String {
    recorder()
        .map(|recorder| {
            recorder.run_upkeep();
            recorder.render()
        })
        .unwrap_or_default()
}
