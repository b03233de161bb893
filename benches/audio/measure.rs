//! What one program costs: from a process of its own, so that nothing else is counted.
#![allow(
    unsafe_code,
    reason = "Linux counts processes' children by a C function"
)]

use std::{
    io::Write as _,
    process::{Command, Stdio, exit},
    time::Instant,
};

use serde::{Deserialize, Serialize};

/// What makes this program the one that measures.
pub const MEASURED: &str = "measured";

/// What a program took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds.
    pub wall_s: f64,
    /// Seconds of processor in the program and, for it, in the kernel.
    pub cpu_s: f64,
    /// The most memory it had at once.
    pub peak_mb: f64,
}

impl Cost {
    /// One after the other.
    pub fn then(self, other: Self) -> Self {
        Self {
            wall_s: self.wall_s + other.wall_s,
            cpu_s: self.cpu_s + other.cpu_s,
            peak_mb: self.peak_mb.max(other.peak_mb),
        }
    }

    /// What would have been seen on a quieter machine: the least of each.
    pub fn least(self, other: Self) -> Self {
        Self {
            wall_s: self.wall_s.min(other.wall_s),
            cpu_s: self.cpu_s.min(other.cpu_s),
            peak_mb: self.peak_mb.max(other.peak_mb),
        }
    }
}

/// Runs a command under a small process that counts; its standard output is thrown away.
pub fn measured(command: &[String]) -> Cost {
    let us = std::env::current_exe().expect("this program has a path");
    let output = Command::new(us)
        .arg(MEASURED)
        .args(command)
        .stderr(Stdio::piped())
        .output()
        .expect("this program starts again");
    assert!(
        output.status.success(),
        "`{}` failed:\n{}",
        command.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("it prints what was counted")
}

/// What that small process does: runs the command, prints what it cost.
pub fn measure(command: &[String]) {
    let (program, arguments) = command.split_first().expect("a command");
    let began = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let wall_s = began.elapsed().as_secs_f64();
    match status {
        Ok(status) if status.success() => {}
        Ok(_) => exit(1),
        Err(error) => {
            eprintln!("{program}: {error}");
            exit(1);
        }
    }
    let usage = children();
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let cost = Cost {
        wall_s,
        cpu_s: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak_mb: usage.ru_maxrss as f64 / 1024.0,
    };
    let text = serde_json::to_string(&cost).expect("numbers");
    std::io::stdout()
        .write_all(text.as_bytes())
        .expect("somebody reads");
}

/// What all children that have ended took.
fn children() -> libc::rusage {
    // SAFETY: it is a structure of numbers, for which zeros are right.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` outlives the call.
    let got = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    assert_eq!(got, 0, "Linux counts children");
    usage
}
