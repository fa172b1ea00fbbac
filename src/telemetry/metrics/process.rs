//! What the system says of this process.
//!
//! Read from `/proc`, which is there on Linux; elsewhere these metrics have no values.

use std::fs;

use super::label::Version;
use super::list::{
    BUILD, CPU, DESCRIPTOR_LIMIT, DESCRIPTORS, RESIDENT, RUNTIME_QUEUE, TASKS, THREADS, VIRTUAL,
    WORKERS,
};

/// Processor time in `/proc` is told in hundredths of a second, whatever the kernel's own pace.
const TICKS_PER_SECOND: u32 = 100;

pub(super) fn observe() {
    BUILD.set_flag((Version,), true);
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let metrics = runtime.metrics();
        TASKS.set_count((), metrics.num_alive_tasks() as u64);
        WORKERS.set_count((), metrics.num_workers() as u64);
        RUNTIME_QUEUE.set_count((), metrics.global_queue_depth() as u64);
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let field = |name| number_after(&status, name);
        if let Some(kibibytes) = field("VmRSS:") {
            RESIDENT.set_count((), kibibytes.saturating_mul(1024));
        }
        if let Some(kibibytes) = field("VmSize:") {
            VIRTUAL.set_count((), kibibytes.saturating_mul(1024));
        }
        if let Some(threads) = field("Threads:") {
            THREADS.set_count((), threads);
        }
    }
    if let Ok(limits) = fs::read_to_string("/proc/self/limits")
        && let Some(most) = number_after(&limits, "Max open files")
    {
        DESCRIPTOR_LIMIT.set_count((), most);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The one through which they are read is not counted.
        DESCRIPTORS.set_count((), (open.count() as u64).saturating_sub(1));
    }
    if let Ok(stat) = fs::read_to_string("/proc/self/stat")
        && let Some(ticks) = ticks(&stat)
    {
        CPU.set((), f64::from(ticks) / f64::from(TICKS_PER_SECOND));
    }
}

/// The first number behind a name.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time in user mode and in the kernel: the 14th and 15th field. The second is a name in
/// parentheses, which may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a ) b (c) R 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 99 1 2";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (a"), None);
        assert_eq!(ticks("7 (a) R 1"), None);
    }

    #[test]
    fn numbers_stand_behind_their_names() {
        let text =
            "VmSize:\t  120 kB\nVmRSS:\t 64 kB\nMax open files            1024   4096  files";
        assert_eq!(number_after(text, "VmRSS:"), Some(64));
        assert_eq!(number_after(text, "Max open files"), Some(1024));
        assert_eq!(number_after(text, "VmHWM:"), None);
    }
}
