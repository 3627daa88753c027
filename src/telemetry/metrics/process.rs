//! The `process_*` metrics of this process.
//!
//! The names and meanings are those of the Prometheus client libraries. The prometheus crate's own collector counts CPU
//! time in whole seconds, and needs four more crates.

use nix::unistd::{SysconfVar, sysconf};
use prometheus::{
    Counter, IntGauge, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};
use std::{
    fs,
    sync::{Mutex, PoisonError},
};

struct Process {
    /// Prevents two simultaneous scrapes from both adding to the counter.
    cpu: Mutex<Counter>,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    threads: IntGauge,
    start_time: IntGauge,
    descriptions: Vec<Desc>,
}

/// Registers the metrics of this process.
pub(super) fn register(registry: &Registry) {
    if let Ok(process) = Process::new() {
        // Registration fails only for duplicate names, and the registry is new.
        let _ = registry.register(Box::new(process));
    }
}

impl Process {
    fn new() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::with_opts(Opts::new(name, help));
        let cpu = Counter::with_opts(Opts::new(
            "process_cpu_seconds_total",
            "User and system CPU time spent, in seconds.",
        ))?;
        let mut process = Self {
            open_fds: gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            )?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size.")?,
            resident_memory: gauge("process_resident_memory_bytes", "Resident memory size.")?,
            threads: gauge("process_threads", "Threads of the process.")?,
            start_time: gauge(
                "process_start_time_seconds",
                "Start time of the process, in seconds since 1970.",
            )?,
            descriptions: cpu.desc().into_iter().cloned().collect(),
            cpu: Mutex::new(cpu),
        };
        process.start_time.set(start_time().unwrap_or_default());
        let described: Vec<Desc> = process
            .gauges()
            .iter()
            .flat_map(|gauge| gauge.desc())
            .cloned()
            .collect();
        process.descriptions.extend(described);
        Ok(process)
    }

    fn gauges(&self) -> [&IntGauge; 6] {
        [
            &self.open_fds,
            &self.max_fds,
            &self.virtual_memory,
            &self.resident_memory,
            &self.threads,
            &self.start_time,
        ]
    }

    /// Reads all values again. Values that cannot be read stay unchanged.
    fn refresh(&self) {
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // minus the descriptor that reads this directory
            set(&self.open_fds, (open.count() as u64).saturating_sub(1));
        }
        let most = getrlimit(Resource::Nofile).current;
        set(&self.max_fds, most.unwrap_or(u64::MAX));
        let Ok(status) = fs::read_to_string("/proc/self/status") else {
            return;
        };
        let kibibytes = |key| Some(number(&status, key)?.saturating_mul(1024));
        for (gauge, value) in [
            (&self.virtual_memory, kibibytes("VmSize:")),
            (&self.resident_memory, kibibytes("VmRSS:")),
            (&self.threads, number(&status, "Threads:")),
        ] {
            if let Some(value) = value {
                set(gauge, value);
            }
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.refresh();
        let cpu = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        cpu.reset();
        cpu.inc_by(cpu_seconds());
        let mut families = cpu.collect();
        families.extend(self.gauges().iter().flat_map(|gauge| gauge.collect()));
        families
    }
}

/// The CPU time of all threads so far.
#[allow(
    clippy::cast_precision_loss,
    reason = "exact for 285 years of CPU time in microseconds"
)]
fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// The start time of the process, in seconds since 1970. Field 22 of `stat` counts ticks since boot (proc(5)).
fn start_time() -> Option<i64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let machine = fs::read_to_string("/proc/stat").ok()?;
    // the second field is the program's name, which may contain anything but ends with the last parenthesis
    let (_, after_name) = stat.rsplit_once(") ")?;
    let ticks: u64 = after_name.split(' ').nth(19)?.parse().ok()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    let after_boot = ticks.checked_div(u64::try_from(per_second).ok()?)?;
    i64::try_from(number(&machine, "btime")?.checked_add(after_boot)?).ok()
}

/// Returns the number after `key` at the beginning of a line.
fn number(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.split_whitespace().next()?.parse().ok()
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::TextEncoder;
    use std::time::SystemTime;

    fn value(registry: &Registry, name: &str) -> f64 {
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        let text = text.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {text}"))
            .trim()
            .parse()
            .unwrap()
    }

    fn registry() -> Registry {
        let registry = Registry::new();
        register(&registry);
        registry
    }

    #[test]
    fn cpu_time_is_counted_in_fractions_of_a_second_and_only_grows() {
        let registry = registry();
        let before = value(&registry, "process_cpu_seconds_total ");
        // the measurement itself takes CPU time, but far less than a second
        let after = value(&registry, "process_cpu_seconds_total ");
        assert!(after > before && after - before < 1.0, "{before} {after}");
        assert!(after.fract() > 0.0 || before.fract() > 0.0);
    }

    #[test]
    fn memory_threads_descriptors_and_the_start_are_those_of_this_process() {
        let registry = registry();
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let started = value(&registry, "process_start_time_seconds ");
        assert!(
            started <= since_1970 && since_1970 - started < 86_400.0,
            "{started}"
        );
        assert!(value(&registry, "process_resident_memory_bytes ") > 1_000_000.0);
        assert!(value(&registry, "process_virtual_memory_bytes ") > 1_000_000.0);
        assert!(value(&registry, "process_threads ") >= 1.0);
        assert!(value(&registry, "process_open_fds ") >= 3.0);
        assert!(value(&registry, "process_max_fds ") >= value(&registry, "process_open_fds "));
    }

    #[test]
    fn a_number_is_found_behind_its_key_alone() {
        let text = "VmPeak:\t  9 kB\nVmSize:\t  123 kB\nVm:\nThreads:\t7\n";
        assert_eq!(number(text, "VmSize:"), Some(123));
        assert_eq!(number(text, "Threads:"), Some(7));
        assert_eq!(number(text, "Vm:"), None);
        assert_eq!(number(text, "Size:"), None);
    }
}
