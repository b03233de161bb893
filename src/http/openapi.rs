//! The OpenAPI 3.1 document: every route of the API and of the flags, made of what routes say of
//! themselves and of the types they answer with.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    error::Problem,
    field::{Field, Holds},
    routes::{Declared, Needs},
    words::{Answer, Content, Words, shape},
};

/// The path below which the flags lie; their errors are the protocol's own.
const FLAGS: &str = "/ofrep";

/// Whether a route is one of those that programs ask.
fn is_for_programs(route: &Declared) -> bool {
    ["/api/", "/ofrep/"]
        .iter()
        .any(|below| route.path.starts_with(below))
}

/// The document.
pub(super) fn document(routes: &[Declared]) -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for route in routes.iter().filter(|route| is_for_programs(route)) {
        let said = operation(route, &mut schemas);
        let path = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = said;
    }
    let problem = json!(shape::<Problem>(&mut schemas));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Switchyard",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Moves Reflector's meeting pipeline from one Celery task to a Conductor workflow. \
                docs/api.md tells how this is used, docs/access.md who may do what.",
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "responses": {
                "problem": {
                    "description": "What is wrong, as problem details (RFC 9457).",
                    "content": { "application/problem+json": { "schema": problem } },
                },
                "flag_problem": {
                    "description": "What is wrong, as the protocol has it; as problem details where nobody got as far as the flag.",
                    "content": {
                        "application/json": { "schema": flag_problem() },
                        "application/problem+json": { "schema": problem },
                    },
                },
            },
            "parameters": { "idempotency_key": idempotency_key() },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token; `switchyard token create` makes one.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-switchyard",
                    "description": "Whoever is signed in. What changes something sends `x-csrf-token` as well.",
                },
            },
        },
    })
}

fn operation(route: &Declared, schemas: &mut SchemaGenerator) -> Value {
    let nothing = Words::default();
    let words = route.words.as_ref().unwrap_or(&nothing);
    let takes = match route.needs {
        Needs::Nothing => "Takes nothing.".to_owned(),
        Needs::SignedIn => "Takes to be signed in.".to_owned(),
        Needs::May(action) => {
            let (name, least) = (action.as_str(), action.least());
            format!("Takes the action `{name}`, which the role {least} has, and those above it.")
        }
    };
    let mut parameters: Vec<Value> = in_path(&route.path);
    parameters.extend(words.query.iter().map(in_query));
    let may_repeat = route.method == "POST" && route.path.starts_with("/api/v1/");
    if may_repeat {
        parameters.push(json!({ "$ref": "#/components/parameters/idempotency_key" }));
    }
    let mut answers = Map::new();
    for answer in &words.answers {
        answers.insert(answer.status.to_string(), answered(answer, schemas));
    }
    let wrong = if route.path.starts_with(FLAGS) {
        "flag_problem"
    } else {
        "problem"
    };
    for range in ["4XX", "5XX"] {
        let problem = json!({ "$ref": format!("#/components/responses/{wrong}") });
        answers.insert(range.to_owned(), problem);
    }
    let mut said = json!({
        "operationId": operation_id(route),
        "tags": [tag(&route.path)],
        "summary": words.summary,
        "description": takes,
        "parameters": parameters,
        "responses": answers,
        "security": match route.needs {
            Needs::Nothing => json!([]),
            Needs::SignedIn | Needs::May(_) => json!([{ "token": [] }, { "session": [] }]),
        },
    });
    if let Some(fields) = &words.body {
        said["requestBody"] = body(fields);
    }
    said
}

/// `get_runs_id_report` of `GET /api/v1/runs/{id}/report`.
fn operation_id(route: &Declared) -> String {
    let mut id = route.method.to_lowercase();
    for part in parts(&route.path) {
        id.push('_');
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        };
        id.extend(part.trim_matches(['{', '}']).chars().map(plain));
    }
    id
}

/// What a route is listed under.
fn tag(path: &str) -> &str {
    if path.starts_with(FLAGS) {
        return "flags";
    }
    parts(path).next().unwrap_or("api")
}

/// The parts of a path behind its version.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    let is_place = |part: &&str| ["api", "v1"].contains(part);
    parts.skip_while(is_place)
}

fn in_path(path: &str) -> Vec<Value> {
    let parts: Vec<_> = path.split('/').collect();
    let named = parts.iter().enumerate().filter_map(|(at, part)| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let of = parts.get(at.checked_sub(1)?)?;
        Some(json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": format!("Which of the {of}."),
            "schema": { "type": "string", "minLength": 1 },
        }))
    });
    named.collect()
}

fn in_query(field: &Field) -> Value {
    let mut said = json!({
        "name": field.name,
        "in": "query",
        "required": field.is_needed,
        "description": sentence(field.about),
        "schema": held(field),
    });
    add_example(&mut said, field);
    said
}

fn body(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    let mut example = Map::new();
    for field in fields {
        let mut said = held(field);
        if !field.is_needed {
            let kind = said["type"].take();
            said["type"] = json!([kind, "null"]);
            if let Some(texts) = said.get_mut("enum").and_then(Value::as_array_mut) {
                texts.push(Value::Null);
            }
        }
        said["description"] = json!(sentence(field.about));
        if let Ok(value) = serde_json::from_str::<Value>(field.example) {
            example.insert(field.name.to_owned(), value);
        }
        properties.insert(field.name.to_owned(), said);
    }
    let needed: Vec<_> = fields.iter().filter(|field| field.is_needed).collect();
    let needed: Vec<_> = needed.iter().map(|field| field.name).collect();
    json!({
        "required": true,
        "content": { "application/json": {
            "schema": {
                "type": "object",
                "properties": properties,
                "required": needed,
                "additionalProperties": false,
            },
            "example": example,
        } },
    })
}

/// The schema of what a field holds.
fn held(field: &Field) -> Value {
    match field.holds {
        Holds::Text if field.is_needed => {
            json!({ "type": "string", "minLength": 1, "maxLength": 1024 })
        }
        Holds::Text => json!({ "type": "string", "maxLength": 1024 }),
        Holds::OneOf(texts) => json!({ "type": "string", "enum": texts }),
        Holds::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Holds::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Holds::Amount => json!({ "type": "number", "minimum": 0 }),
        Holds::Truth => json!({ "type": "boolean" }),
        Holds::Object => json!({ "type": "object" }),
    }
}

fn add_example(said: &mut Value, field: &Field) {
    if let Ok(value) = serde_json::from_str::<Value>(field.example) {
        said["example"] = value;
    }
}

fn answered(answer: &Answer, schemas: &mut SchemaGenerator) -> Value {
    let (media_type, schema) = match &answer.holds {
        Content::Json(shape) => ("application/json", json!(shape(schemas))),
        Content::Object(parts) => {
            let mut properties = Map::new();
            let mut needed = Vec::new();
            for (name, shape) in *parts {
                let bare = name.trim_end_matches('?');
                if bare == *name {
                    needed.push(bare);
                }
                properties.insert(bare.to_owned(), json!(shape(schemas)));
            }
            let schema = json!({ "type": "object", "properties": properties, "required": needed });
            ("application/json", schema)
        }
        Content::Page(name, shape) => return page(name, &json!(shape(schemas))),
        Content::Other("text/event-stream") => {
            return json!({
                "description": "A stream of server-sent events, which ends when its listener leaves.",
                "content": { "text/event-stream": { "schema": { "type": "string" } } },
            });
        }
        Content::Other(media_type) => (*media_type, json!({ "type": "string" })),
        Content::Nothing(meaning) => return json!({ "description": meaning }),
    };
    json!({
        "description": "What was asked for.",
        "content": { media_type: { "schema": schema } },
    })
}

fn page(name: &str, item: &Value) -> Value {
    json!({
        "description": "A page of the list.",
        "headers": { "Link": {
            "description": "The address of the page after (RFC 8288, `rel=\"next\"`), where there is one.",
            "schema": { "type": "string" },
        } },
        "content": { "application/json": { "schema": {
            "type": "object",
            "properties": {
                name: { "type": "array", "items": item },
                "next": {
                    "type": "string",
                    "description": "What to send as `cursor` for the page after; left out on the last one.",
                },
            },
            "required": [name],
        } } },
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "A fresh UUID. The same request sent again under it within a day is answered as the first was, and \
            not done a second time.",
        "schema": { "type": "string", "pattern": r#"^"?[!#-\[\]-~]{16,200}"?$"# },
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    })
}

fn flag_problem() -> Value {
    json!({
        "type": "object",
        "properties": {
            "key": { "type": "string" },
            "errorCode": { "type": "string" },
            "errorDetails": { "type": "string" },
        },
        "required": ["errorCode"],
    })
}

/// What a field says, as a sentence.
fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
