//! `switchyard completions` and `switchyard man`.

use clap::CommandFactory;

use super::{Cli, ExitStatus, output};

/// What `switchyard completions` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> ExitStatus {
    let mut script = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(
        args.shell,
        &mut command,
        env!("CARGO_PKG_NAME"),
        &mut script,
    );
    output::print(format_args!("{}", String::from_utf8_lossy(&script)));
    ExitStatus::Success
}

/// Prints the manual: the program's page, then one of each command.
pub(super) fn manual() -> anyhow::Result<ExitStatus> {
    let mut page = Vec::new();
    let mut program = Cli::command();
    program.build();
    clap_mangen::Man::new(program.clone()).render(&mut page)?;
    for command in program
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
    }
    output::print(format_args!("{}", String::from_utf8_lossy(&page)));
    Ok(ExitStatus::Success)
}
