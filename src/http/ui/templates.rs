//! The templates, compiled in.

use std::sync::LazyLock;

use anyhow::Context;
use minijinja::{
    AutoEscape, Environment, UndefinedBehavior, context, syntax::SyntaxConfig, value::Serde,
};
use serde::Serialize;

use super::{assets, frame::Place, words};

const TEMPLATES: &[(&str, &str)] = &[
    ("layout.html", include_str!("templates/layout.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("standing.html", include_str!("templates/standing.html")),
    ("overview.html", include_str!("templates/overview.html")),
    ("phase.html", include_str!("templates/phase.html")),
    ("runs.html", include_str!("templates/runs.html")),
    ("run.html", include_str!("templates/run.html")),
    ("audit.html", include_str!("templates/audit.html")),
    ("breaker.html", include_str!("templates/breaker.html")),
    ("desk.html", include_str!("templates/desk.html")),
    ("doctor.html", include_str!("templates/doctor.html")),
    ("gate.html", include_str!("templates/gate.html")),
    ("replay.html", include_str!("templates/replay.html")),
    ("replays.html", include_str!("templates/replays.html")),
    ("reports.html", include_str!("templates/reports.html")),
    (
        "review_blind.html",
        include_str!("templates/review_blind.html"),
    ),
    (
        "review_cluster.html",
        include_str!("templates/review_cluster.html"),
    ),
    (
        "review_clusters.html",
        include_str!("templates/review_clusters.html"),
    ),
    (
        "review_item.html",
        include_str!("templates/review_item.html"),
    ),
    (
        "review_parts.html",
        include_str!("templates/review_parts.html"),
    ),
    (
        "review_rules.html",
        include_str!("templates/review_rules.html"),
    ),
    ("reviews.html", include_str!("templates/reviews.html")),
    ("settings.html", include_str!("templates/settings.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("error.html", include_str!("templates/error.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment().expect("the templates are compiled in, and tests render them"));

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.add_global("version", assets::VERSION.as_str());
    let places = Place::ALL.map(|place| context! { path => place.path(), label => place.label() });
    environment.add_global("places", places.to_vec());
    environment.add_filter("moment", words::moment);
    environment.add_filter("took", words::took);
    environment.add_filter("sentence", words::sentence);
    environment.add_function("since", words::since);
    environment.add_filter("verdict", words::verdict);
    environment.add_filter("state", words::state);
    environment.add_filter("asked", words::asked);
    environment.add_filter("replay", words::replay);
    environment.add_filter("label", words::label);
    environment.add_filter("gate", words::gate);
    environment.add_filter("go", words::go);
    environment.add_filter("breaker", words::breaker);
    environment.add_filter("standing", words::standing);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// Renders a template. Every value is escaped.
pub(super) fn render(name: &str, shown: &impl Serialize) -> anyhow::Result<String> {
    let template = ENVIRONMENT.get_template(name);
    template
        .and_then(|template| template.render(Serde(shown)))
        .with_context(|| format!("rendering the page `{name}`"))
}
