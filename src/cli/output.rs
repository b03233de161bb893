//! Standard output, where results go. Whoever reads them may stop reading: `switchyard runs | head`.

use std::{fmt, io::Write, process};

/// Prints one line.
macro_rules! say {
    () => { $crate::cli::output::print(format_args!("\n")) };
    ($($line:tt)*) => {
        $crate::cli::output::print(format_args!("{}\n", format_args!($($line)*)))
    };
}
pub(super) use say;

/// Prints text as it is. Nobody reading any more ends the program; nothing it keeps is lost by that.
pub(in crate::cli) fn print(text: fmt::Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            process::exit(0);
        }
        eprintln!("error: writing to standard output: {error}");
        process::exit(1);
    }
}
