//! The differences of a recording as a tree of JSON pointers, each place with the worst below it.

use serde::Serialize;

use super::class::Class;
use super::comparison::Comparison;
use super::difference::DifferenceKind;
use super::severity::Severity;

/// A place and everything that differs at or below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The last part of the pointer; a field's name just below the root.
    pub name: String,
    /// JSON pointer as the differences have it; empty for the root and for a field.
    pub pointer: String,
    /// Class of the worst at or below it.
    pub class: Class,
    /// The worst at or below it.
    pub severity: Severity,
    /// How many differences there are at or below it.
    pub count: usize,
    /// What differs right here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Leaf>,
    /// The places below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

/// A difference right at a place. Its values stand in the comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leaf {
    /// Its number among its field's differences.
    pub index: usize,
    /// What is not the same.
    pub kind: DifferenceKind,
    /// What sort.
    pub class: Class,
    /// How bad.
    pub severity: Severity,
}

impl Node {
    fn new(name: &str, pointer: String) -> Self {
        Self {
            name: name.to_owned(),
            pointer,
            class: Class::Identical,
            severity: Severity::S3,
            count: 0,
            differences: Vec::new(),
            children: Vec::new(),
        }
    }

    fn child(&mut self, name: &str, pointer: impl FnOnce() -> String) -> &mut Self {
        let known = self.children.iter().position(|child| child.name == name);
        let at = known.unwrap_or(self.children.len());
        if known.is_none() {
            self.children.push(Self::new(name, pointer()));
        }
        &mut self.children[at]
    }

    fn note(&mut self, class: Class, severity: Severity, how_many: usize) {
        if self.class == Class::Identical || severity < self.severity {
            (self.class, self.severity) = (class, severity);
        }
        self.count += how_many;
    }
}

impl Comparison {
    /// What differs, as a tree; the root of a match has no children. Differences that were not kept
    /// are counted at their field.
    pub fn tree(&self) -> Node {
        let mut root = Node::new("", String::new());
        for result in &self.fields {
            let Some(worst) = result.found.first() else {
                continue;
            };
            let all: usize = result.found.iter().map(|found| found.count).sum();
            root.note(worst.class, worst.severity, all);
            let field = root.child(result.field.as_str(), String::new);
            field.note(worst.class, worst.severity, all);
            let classes = result.classes.iter();
            for (index, (difference, &(class, severity))) in
                result.differences.iter().zip(classes).enumerate()
            {
                let mut node = &mut *field;
                let mut pointer = String::new();
                for part in difference.path.split('/').skip(1) {
                    pointer = format!("{pointer}/{part}");
                    node = node.child(part, || pointer.clone());
                    node.note(class, severity, 1);
                }
                node.differences.push(Leaf {
                    index,
                    kind: difference.kind,
                    class,
                    severity,
                });
            }
        }
        root
    }

    /// The worst difference of the recording; none where there is none.
    pub fn severity(&self) -> Option<Severity> {
        let found = self.fields.iter().flat_map(|result| &result.found);
        found.map(|found| found.severity).min()
    }
}
