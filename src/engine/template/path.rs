//! The part of `JsonPath` that workflow definitions use: `.a`, `['a']`, `[0]`, `[-1]`, `[*]`, `.*` and
//! `..a`. Slices, unions, filters and functions are refused at registration.

use serde_json::Value;

/// A path this engine cannot read, although Conductor might.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the embedded engine cannot read the path `{0}`: it knows .name ['name'] [index] [*] .* and ..name"
)]
pub struct Unsupported(String);

/// A path, ready to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    root: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Child(Select),
    /// The node and all below it, each before its children.
    Descendants(Select),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Select {
    Name(String),
    /// From the end if negative.
    Index(i64),
    All,
}

pub(super) fn parse(text: &str) -> Result<Path, Unsupported> {
    let unsupported = || Unsupported(text.to_owned());
    let text = text.trim();
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (root, mut rest) = text.split_at(end);
    if !is_name(root) {
        return Err(unsupported());
    }
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (deep, after) = if let Some(after) = rest.strip_prefix("..") {
            (true, after)
        } else if let Some(after) = rest.strip_prefix('.') {
            (false, after)
        } else {
            (false, rest)
        };
        let (select, after) = if let Some(after) = after.strip_prefix('[') {
            if after.len() + 2 == rest.len() && !deep {
                return Err(unsupported());
            }
            let end = after.find(']').ok_or_else(unsupported)?;
            (
                bracketed(&after[..end]).ok_or_else(unsupported)?,
                &after[end + 1..],
            )
        } else {
            if after.len() == rest.len() {
                return Err(unsupported());
            }
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (
                dotted(&after[..end]).ok_or_else(unsupported)?,
                &after[end..],
            )
        };
        steps.push(if deep {
            Step::Descendants(select)
        } else {
            Step::Child(select)
        });
        rest = after;
    }
    Ok(Path {
        root: root.to_owned(),
        steps,
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['(', ')', '\'', '"', '$', '@', '?', ',', ']', '*'])
}

fn dotted(name: &str) -> Option<Select> {
    match name {
        "*" => Some(Select::All),
        name if is_name(name) => Some(Select::Name(name.to_owned())),
        _ => None,
    }
}

fn bracketed(inside: &str) -> Option<Select> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Select::All);
    }
    for quote in ['\'', '"'] {
        if let Some(name) = inside
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return (!name.contains(['\'', '"', '\\'])).then(|| Select::Name(name.to_owned()));
        }
    }
    inside.parse().ok().map(Select::Index)
}

impl Path {
    /// A path that can match once gives the value or null; one that can match often, a list.
    pub(super) fn read(&self, root: &dyn Fn(&str) -> Option<Value>) -> Value {
        let definite = !self
            .steps
            .iter()
            .any(|step| matches!(step, Step::Descendants(_) | Step::Child(Select::All)));
        let Some(start) = root(&self.root) else {
            return if definite {
                Value::Null
            } else {
                Value::Array(Vec::new())
            };
        };
        let mut found = vec![&start];
        for step in &self.steps {
            let mut next = Vec::new();
            for node in found {
                match step {
                    Step::Child(select) => select.children(node, &mut next),
                    Step::Descendants(select) => select.descendants(node, &mut next),
                }
            }
            found = next;
        }
        if definite {
            found.first().map_or(Value::Null, |&value| value.clone())
        } else {
            found.into_iter().cloned().collect()
        }
    }
}

impl Select {
    fn children<'v>(&self, node: &'v Value, found: &mut Vec<&'v Value>) {
        match (self, node) {
            (Self::Name(name), Value::Object(map)) => found.extend(map.get(name)),
            (Self::Index(index), Value::Array(items)) => {
                let index = if *index < 0 {
                    i64::try_from(items.len()).map_or(-1, |length| length + index)
                } else {
                    *index
                };
                found.extend(usize::try_from(index).ok().and_then(|i| items.get(i)));
            }
            (Self::All, Value::Object(map)) => found.extend(map.values()),
            (Self::All, Value::Array(items)) => found.extend(items),
            _ => {}
        }
    }

    fn descendants<'v>(&self, node: &'v Value, found: &mut Vec<&'v Value>) {
        self.children(node, found);
        let mut below = Vec::new();
        Self::All.children(node, &mut below);
        for child in below {
            self.descendants(child, found);
        }
    }
}
