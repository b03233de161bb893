//! `switchyard sweep`.

use super::{ExitStatus, Globals, output::say, table};

pub(super) async fn run(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let sweep = app.sweep().await?;
    let status = if sweep.unfinished.is_empty() {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    };
    if globals.json {
        Globals::print_json(&sweep)?;
        return Ok(status);
    }
    if sweep.swept.is_empty() && sweep.unfinished.is_empty() {
        say!("No ended run keeps sound that has to go.");
    }
    if !sweep.swept.is_empty() {
        let mut table = table::table(&["run", "objects", "bytes", "why"]);
        for swept in &sweep.swept {
            table.add_row([
                swept.run_id.to_string(),
                swept.objects.to_string(),
                swept.bytes.to_string(),
                swept.why.as_str().to_owned(),
            ]);
        }
        table::print(&table);
    }
    for unfinished in &sweep.unfinished {
        let (run, problem) = (&unfinished.run_id, &unfinished.problem);
        say!("run `{run}` is not done, sweep again: {problem}");
    }
    Ok(status)
}
