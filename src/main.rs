//! Parses, starts tracing, runs the command, and turns the result into an exit code.

use std::process::ExitCode;

use clap::Parser;
use switchyard::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::start_tracing(&cli);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => Err(anyhow::anyhow!("starting the runtime: {error}")),
    };
    match result {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            cli::ExitStatus::Failure.into()
        }
    }
}
