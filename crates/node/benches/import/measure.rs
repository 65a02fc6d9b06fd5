//! Wall time, CPU time and memory, of this process and of others.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wait4::Wait4;

/// What a piece of work took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time of all threads.
    pub(crate) cpu: Duration,
    /// Most memory resident at once, in bytes; only known of other processes.
    pub(crate) peak: u64,
}

impl Cost {
    /// Of work in this process.
    pub(crate) fn of(work: impl FnOnce()) -> Self {
        let (start, cpu) = (Instant::now(), cpu());
        work();
        Self { wall: start.elapsed(), cpu: self::cpu().saturating_sub(cpu), peak: 0 }
    }

    /// The median of each figure on its own.
    pub(crate) fn median(runs: &[Self]) -> Self {
        Self {
            wall: median(runs.iter().map(|run| run.wall)),
            cpu: median(runs.iter().map(|run| run.cpu)),
            peak: median(runs.iter().map(|run| run.peak)),
        }
    }
}

fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

/// The argument that makes this program run another one and print what it took.
pub(crate) const MEASURE: &str = "--measure";

/// What another program took, or its last words if it failed.
///
/// Linux counts the memory of whoever starts a program to that program's peak. So it is started by a second instance of
/// this bench, which holds nothing.
pub(crate) fn child<S: AsRef<OsStr>>(program: impl IntoIterator<Item = S>) -> Result<Cost, String> {
    let this = std::env::current_exe().expect("the system knows what it runs");
    let mut command = Command::new(this);
    command.arg(MEASURE).args(program).stdin(Stdio::null());
    let output = command.output().expect("the bench can start itself");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<u64> =
        text.lines().last().unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
    match figures[..] {
        [wall, cpu, peak] if output.status.success() => {
            Ok(Cost { wall: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu), peak })
        }
        _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Runs the program that the arguments name, and prints what [`child`] reads.
pub(crate) fn run_and_print(arguments: &[String]) -> Result<(), String> {
    let (program, rest) = arguments.split_first().ok_or("no program given")?;
    let start = Instant::now();
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null());
    let result = command.spawn().and_then(|mut child| child.wait4()).map_err(|error| error.to_string())?;
    let wall = start.elapsed();
    if !result.status.success() {
        return Err(format!("{program}: {}", result.status));
    }
    let cpu = result.rusage.utime + result.rusage.stime;
    println!("{} {} {}", wall.as_nanos(), cpu.as_nanos(), result.rusage.maxrss);
    Ok(())
}
