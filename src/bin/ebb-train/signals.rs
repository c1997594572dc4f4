use ebb::output::abandon;

/// Has SIGINT, SIGTERM and SIGHUP remove unfinished outputs before they end the process as they always do. One that the
/// process was started to ignore, as `nohup` does, stays ignored.
#[cfg(unix)]
pub(crate) fn clean_up_on_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0);
    // Without a handler the process ends all the same, and the next one cleans up.
    let Ok(mut signals) = Signals::new(wanted) else {
        return;
    };
    let _ = std::thread::Builder::new().spawn(move || {
        if let Some(signal) = signals.forever().next() {
            abandon();
            let _ = emulate_default_handler(signal);
        }
    });
}

#[cfg(not(unix))]
pub(crate) fn clean_up_on_signals() {}

/// The signals that are ignored, a bit each from SIGHUP on; where the system does not say, as `nohup` and background jobs
/// have it.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let found = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    found.unwrap_or(1 << (signal_hook::consts::SIGHUP - 1) | 1 << (signal_hook::consts::SIGINT - 1))
}
