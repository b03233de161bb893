//! Where two JSON values differ, by JSON pointer (RFC 6901). Order of keys and notation of
//! numbers make no difference here; `bytes` looks at those.

use serde_json::Value;

/// A place to treat apart: a JSON pointer in which `*` stands for any key or index. It covers
/// everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

impl Pattern {
    /// Reads a pattern; it must begin with `/` and name something.
    pub fn parse(text: &str) -> Option<Self> {
        let segments: Vec<String> = text.strip_prefix('/')?.split('/').map(unescaped).collect();
        let whole = segments.iter().all(|segment| !segment.is_empty());
        whole.then_some(Self(segments))
    }

    /// Whether it names this place or one above it.
    pub fn covers(&self, path: &[String]) -> bool {
        self.0.len() <= path.len()
            && self
                .0
                .iter()
                .zip(path)
                .all(|(pattern, segment)| pattern == "*" || pattern == segment)
    }

    /// Whether it names exactly this place.
    pub fn fits(&self, path: &[String]) -> bool {
        self.0.len() == path.len() && self.covers(path)
    }
}

/// One difference. A missing side is an absent key or element.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// JSON pointer; empty for the whole value.
    pub path: String,
    /// The control's value; `null` for an array or object that a pattern covers.
    pub control: Option<Value>,
    /// The candidate's value, likewise.
    pub candidate: Option<Value>,
    /// Which of the patterns covers it.
    pub pattern: Option<usize>,
}

/// All differences in the order of the control's keys. What a pattern covers is one difference.
pub fn differences(control: &Value, candidate: &Value, patterns: &[Pattern]) -> Vec<Found> {
    let mut found = Vec::new();
    let place = Place {
        path: Vec::new(),
        patterns,
        values: usize::MAX,
    };
    place.differences(control, candidate, &mut found);
    found
}

/// Where two values stand in a larger document.
pub struct Place<'a> {
    /// Keys and indexes that lead there.
    pub path: Vec<String>,
    /// What is treated apart, by whole paths.
    pub patterns: &'a [Pattern],
    /// So many differences get their values; later ones say `null` for what is there, since nobody
    /// looks at the values of a thousand.
    pub values: usize,
}

impl Place<'_> {
    /// Adds what differs.
    pub fn differences(self, control: &Value, candidate: &Value, found: &mut Vec<Found>) {
        let mut walk = Walk { place: self, found };
        walk.visit(Some(control), Some(candidate));
    }
}

struct Walk<'a> {
    place: Place<'a>,
    found: &'a mut Vec<Found>,
}

impl Walk<'_> {
    fn visit(&mut self, control: Option<&Value>, candidate: Option<&Value>) {
        let patterns = self.place.patterns;
        let path = &self.place.path;
        let pattern = patterns.iter().position(|pattern| pattern.fits(path));
        match (control, candidate) {
            (Some(left), Some(right)) if same(left, right) => {}
            (Some(Value::Object(left)), Some(Value::Object(right))) if pattern.is_none() => {
                let new = right.keys().filter(|key| !left.contains_key(*key));
                for key in left.keys().chain(new) {
                    self.enter(key.clone(), left.get(key), right.get(key));
                }
            }
            (Some(Value::Array(left)), Some(Value::Array(right))) if pattern.is_none() => {
                for at in 0..left.len().max(right.len()) {
                    self.enter(at.to_string(), left.get(at), right.get(at));
                }
            }
            (left, right) => {
                let is_kept = self.found.len() < self.place.values;
                let value = |value: &Value| match value {
                    // Others judge it, and show it.
                    Value::Array(_) | Value::Object(_) if pattern.is_some() => Value::Null,
                    value if is_kept => value.clone(),
                    _ => Value::Null,
                };
                self.found.push(Found {
                    path: pointer(path),
                    control: left.map(value),
                    candidate: right.map(value),
                    pattern,
                });
            }
        }
    }

    fn enter(&mut self, segment: String, control: Option<&Value>, candidate: Option<&Value>) {
        self.place.path.push(segment);
        self.visit(control, candidate);
        self.place.path.pop();
    }
}

/// Equality of JSON values; 1 and 1.0 are one number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}

/// The JSON pointer of a path.
pub fn pointer(path: &[String]) -> String {
    path.iter()
        .flat_map(|segment| ["/".to_owned(), escaped(segment)])
        .collect()
}

fn escaped(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_told_by_its_pointer() {
        let found = differences(
            &json!({"a": {"b/c": [1, 2]}}),
            &json!({"a": {"b/c": [1, 3]}, "d": null}),
            &[],
        );
        let paths: Vec<_> = found.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["/a/b~1c/1", "/d"]);
        assert_eq!(found[1].candidate, Some(Value::Null));
    }

    #[test]
    fn a_covered_part_is_one_difference() {
        let patterns = [Pattern::parse("/topics/*/id").expect("a pattern")];
        let left = json!({"topics": [{"id": [1, 2], "t": 1}]});
        let right = json!({"topics": [{"id": [3, 4], "t": 1.0}]});
        let found = differences(&left, &right, &patterns);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].path.as_str(), found[0].pattern),
            ("/topics/0/id", Some(0))
        );
    }

    #[test]
    fn a_pattern_begins_with_a_slash_and_has_no_empty_part() {
        assert_eq!(Pattern::parse("a"), None);
        assert_eq!(Pattern::parse("/a//b"), None);
    }
}
