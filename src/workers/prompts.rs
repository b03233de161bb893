//! The prompts: template files compiled in, each of which an environment may replace by a file of
//! the same name in its own folder.

use std::path::Path;

use anyhow::Context;
use minijinja::{Environment, UndefinedBehavior, Value};

use super::TaskError;
use crate::model::digest;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Names and texts of the templates that are compiled in.
        const TEMPLATES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("prompts/", $name)))),*
        ];
    };
}

templates!(
    "analysis_system.txt",
    "analysis.txt",
    "json.txt",
    "repair.txt",
    "topic.txt",
    "title.txt",
    "participants.txt",
    "subjects.txt",
    "subject_detail.txt",
    "subject_paragraph.txt",
    "recap.txt",
    "names.txt",
);

/// The prompts of one environment.
#[derive(Debug)]
pub struct Prompts {
    templates: Environment<'static>,
    digest: String,
}

impl Prompts {
    /// The compiled-in prompts, with those replaced that `folder` has a file for. A file that is
    /// no template, or of a name that no prompt has, is an error: it would be silently unused.
    pub fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut all = String::new();
        if let Some(folder) = folder {
            refuse_strangers(folder)?;
        }
        for (name, text) in TEMPLATES {
            let replacement = folder
                .map(|folder| folder.join(name))
                .filter(|path| path.exists());
            let text = match &replacement {
                Some(path) => std::fs::read_to_string(path)
                    .with_context(|| format!("reading the prompt `{}`", path.display()))?,
                None => (*text).to_owned(),
            };
            all.push_str(&text);
            all.push('\0');
            templates
                .add_template_owned(*name, text)
                .with_context(|| format!("the prompt `{name}` is no valid template"))?;
        }
        Ok(Self {
            templates,
            digest: digest::of_text(&all),
        })
    }

    /// Hash over all prompts; part of what answers are cached by and evidence is gathered under.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Fills in a template.
    pub fn fill(&self, name: &str, values: Value) -> Result<String, TaskError> {
        self.templates
            .get_template(name)
            .and_then(|template| template.render(values))
            .map(|text| text.trim_end_matches('\n').to_owned())
            .map_err(|error| {
                TaskError::terminal(format!("the prompt `{name}` cannot be filled in: {error}"))
            })
    }
}

fn refuse_strangers(folder: &Path) -> anyhow::Result<()> {
    let files = std::fs::read_dir(folder)
        .with_context(|| format!("reading the prompts in `{}`", folder.display()))?;
    for file in files {
        let name = file
            .with_context(|| format!("reading the prompts in `{}`", folder.display()))?
            .file_name();
        let known = TEMPLATES.iter().any(|(known, _)| name == *known);
        anyhow::ensure!(
            known,
            "`{}` in the prompts folder replaces no prompt; the prompts are: {}",
            name.display(),
            TEMPLATES
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    #[test]
    fn a_replaced_prompt_is_used_and_changes_the_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = Prompts::load(None).expect("they are valid");
        std::fs::write(folder.path().join("topic.txt"), "Name it: {{ text }}\n").expect("written");
        let replaced = Prompts::load(Some(folder.path())).expect("it is valid");
        let text = replaced.fill("topic.txt", context! { text => "abc" });
        assert_eq!(text.expect("it is filled in"), "Name it: abc");
        assert_ne!(own.digest(), replaced.digest());
    }

    #[test]
    fn a_file_that_replaces_nothing_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("topics.txt"), "").expect("written");
        let message = Prompts::load(Some(folder.path())).expect_err("it is a stranger");
        assert!(message.to_string().contains("topics.txt"), "{message}");
    }

    #[test]
    fn a_missing_value_is_an_error_not_a_blank() {
        let prompts = Prompts::load(None).expect("they are valid");
        assert!(prompts.fill("topic.txt", context! { other => 1 }).is_err());
    }
}
