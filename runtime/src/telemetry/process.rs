//! What the kernel says of this process: CPU, memory, files, age.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use crate::clock;

/// How many ticks of the kernel's clock a second has for programs: 100 on every machine that Linux runs on.
const TICKS: f64 = 100.0;

/// Tells of it from now on.
pub(super) fn observe(meter: &Meter) {
    let started = clock::instant();
    meter
        .f64_observable_counter("process.cpu.time")
        .with_unit("s")
        .with_description("CPU time of the process.")
        .with_callback(|observer| {
            let Some((user, system)) = cpu_ticks() else { return };
            observer.observe(user / TICKS, &[KeyValue::new("cpu.mode", "user")]);
            observer.observe(system / TICKS, &[KeyValue::new("cpu.mode", "system")]);
        })
        .build();
    meter
        .u64_observable_gauge("process.memory.usage")
        .with_unit("By")
        .with_description("Resident memory of the process.")
        .with_callback(|observer| {
            if let Some(bytes) = resident_bytes() {
                observer.observe(bytes, &[]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("process.unix.file_descriptor.count")
        .with_unit("{file_descriptor}")
        .with_description("Open file descriptors of the process.")
        .with_callback(|observer| {
            if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
                observer.observe(open.count() as u64, &[]);
            }
        })
        .build();
    meter
        .f64_observable_gauge("process.uptime")
        .with_unit("s")
        .with_description("Time since the process started.")
        .with_callback(move |observer| {
            let age: Duration = clock::since(started);
            observer.observe(age.as_secs_f64(), &[]);
        })
        .build();
}

/// Ticks that the process spent in itself and in the kernel.
fn cpu_ticks() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
        assert!(cpu_ticks().is_some());
    }
}
