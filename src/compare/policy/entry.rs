//! An entry as it stands in the file, and everything that can be wrong with it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Bound, FieldPolicy, JudgedBy, Mask, Strictness};
use crate::compare::field::Field;
use crate::compare::measure::{Good, Measure};
use crate::compare::metrics::event_order::PartialOrder;
use crate::compare::metrics::json::Pattern;

/// What an entry has, told to whoever got it wrong.
pub(super) const SHAPE: &str = "an entry has `field`, `measure`, `strictness`, `why`, and as needed `margin`, `dry_run`, `at_most`, `at_least`, `masks`, `judged_by`, `concurrent`, `declared`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    #[serde(default, rename = "about")]
    _about: String,
    pub(super) fields: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawField {
    field: String,
    measure: String,
    strictness: Strictness,
    #[serde(default)]
    at_most: BTreeMap<String, f64>,
    #[serde(default)]
    at_least: BTreeMap<String, f64>,
    margin: Option<f64>,
    #[serde(default)]
    dry_run: u32,
    why: String,
    #[serde(default)]
    masks: Vec<RawMask>,
    #[serde(default)]
    judged_by: Vec<RawJudgedBy>,
    concurrent: Option<RawConcurrent>,
    #[serde(default)]
    declared: Vec<RawDeclared>,
}

/// What the candidate does otherwise on purpose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeclared {
    difference: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMask {
    path: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJudgedBy {
    path: String,
    fields: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConcurrent {
    branches: Vec<Vec<String>>,
    why: String,
}

/// What is wrong, and the remedy.
pub(super) type Wrong = (String, String);

impl RawField {
    pub(super) fn checked(self) -> Result<FieldPolicy, Wrong> {
        let field = known_field(&self.field)?;
        let measure = Measure::parse(&self.measure).ok_or_else(|| {
            unknown(
                "measure",
                &self.measure,
                Measure::ALL.map(Measure::as_str).as_slice(),
            )
        })?;
        if !measure.fits(field) {
            let fitting: Vec<_> = Measure::ALL
                .iter()
                .filter(|other| other.fits(field))
                .map(|m| m.as_str())
                .collect();
            let problem = format!("measure `{measure}` cannot compare this field");
            return Err((problem, format!("use {}", fitting.join(" or "))));
        }
        reason("the entry", &self.why)?;
        let bounds = self.bounds(measure)?;
        let margin = self.margin(measure)?;
        let masks = self.masks.iter().map(|mask| {
            reason(&format!("mask `{}`", mask.path), &mask.why)?;
            Ok::<Mask, Wrong>(Mask {
                path: pattern(&mask.path)?,
                why: mask.why.clone(),
            })
        });
        let judged_by = self.judged_by.iter().map(|part| {
            let fields: Result<Vec<Field>, Wrong> =
                part.fields.iter().map(|name| known_field(name)).collect();
            let fields = fields?;
            if let Some(later) = fields.iter().find(|other| **other >= field) {
                let problem = format!(
                    "`{}` cannot be judged by `{later}`, which is compared later",
                    part.path
                );
                return Err((problem, format!("name fields before `{field}`")));
            }
            Ok(JudgedBy {
                path: pattern(&part.path)?,
                fields,
            })
        });
        let (masks, judged_by) = (
            masks.collect::<Result<_, _>>()?,
            judged_by.collect::<Result<_, _>>()?,
        );
        let concurrent = match self.concurrent {
            Some(concurrent) => {
                reason("`concurrent`", &concurrent.why)?;
                PartialOrder {
                    branches: concurrent.branches,
                }
            }
            None => PartialOrder::default(),
        };
        let mut why = self.why;
        for declared in &self.declared {
            reason("`declared`", &declared.why)?;
            reason("`declared`", &declared.difference)?;
            why = format!(
                "{why}. On purpose: {}, since {}",
                declared.difference, declared.why
            );
        }
        Ok(FieldPolicy {
            field,
            measure,
            bounds,
            strictness: self.strictness,
            margin,
            dry_run: self.dry_run,
            why,
            masks,
            judged_by,
            concurrent,
        })
    }

    /// The margin it names, or the one that fits its measure.
    fn margin(&self, measure: Measure) -> Result<f64, Wrong> {
        match (self.strictness, self.margin) {
            (Strictness::Hard, Some(_)) => Err((
                "a hard field has a `margin`".to_owned(),
                "leave it out: no difference is allowed".to_owned(),
            )),
            // Distances are clipped to ten margins, so that more is no number between 0 and 1.
            (_, Some(margin)) if !(0.001..=0.1).contains(&margin) => Err((
                format!("the margin is {margin}"),
                "write 0.001 to 0.1".to_owned(),
            )),
            (_, Some(margin)) => Ok(margin),
            (_, None) => Ok(match measure {
                Measure::WordErrorRate | Measure::SpeakerErrorRate | Measure::Captions => 0.02,
                _ => 0.05,
            }),
        }
    }

    fn bounds(&self, measure: Measure) -> Result<BTreeMap<String, Bound>, Wrong> {
        let judged = || {
            measure
                .numbers()
                .iter()
                .filter(|number| number.good != Good::Unjudged)
        };
        let names: Vec<_> = judged().map(|number| number.name).collect();
        if let Some(name) = self
            .at_most
            .keys()
            .chain(self.at_least.keys())
            .find(|name| !names.contains(&name.as_str()))
        {
            return Err(unknown("number", name, &names));
        }
        judged()
            .map(|number| {
                let bound = Bound {
                    at_least: self.at_least.get(number.name).copied(),
                    at_most: self.at_most.get(number.name).copied(),
                };
                let needed = match (number.good, bound.at_least, bound.at_most) {
                    (Good::Low, None, Some(_))
                    | (Good::High, Some(_), None)
                    | (Good::Unjudged, _, _) => None,
                    (Good::Between, Some(least), Some(most)) => {
                        (least > most).then_some("an `at_least` below `at_most`")
                    }
                    (Good::Low, _, _) => Some("an `at_most` and no `at_least`"),
                    (Good::High, _, _) => Some("an `at_least` and no `at_most`"),
                    (Good::Between, _, _) => Some("both `at_least` and `at_most`"),
                };
                if let Some(needed) = needed {
                    return Err((
                        format!("number `{}` is not bounded as it must be", number.name),
                        format!("give it {needed}"),
                    ));
                }
                let limits = [bound.at_least, bound.at_most].into_iter().flatten();
                if let Some(bad) = limits
                    .into_iter()
                    .find(|limit| !limit.is_finite() || *limit < 0.0)
                {
                    return Err((
                        format!("number `{}` has the bound {bad}", number.name),
                        "give it a bound of 0 or more".to_owned(),
                    ));
                }
                Ok((number.name.to_owned(), bound))
            })
            .collect()
    }
}

fn known_field(name: &str) -> Result<Field, Wrong> {
    let names: Vec<_> = Field::ALL.iter().map(|field| field.as_str()).collect();
    Field::parse(name).ok_or_else(|| unknown("field", name, &names))
}

fn unknown(kind: &str, name: &str, known: &[&str]) -> Wrong {
    let remedy = match known {
        [] => format!("this measure has no {kind} to bound: it is exact"),
        known => format!("use one of {}", known.join(", ")),
    };
    (format!("there is no {kind} `{name}`"), remedy)
}

fn reason(of: &str, why: &str) -> Result<(), Wrong> {
    if why.trim().is_empty() {
        return Err((
            format!("{of} has an empty `why`"),
            "say what the strictness rests on".to_owned(),
        ));
    }
    Ok(())
}

fn pattern(path: &str) -> Result<Pattern, Wrong> {
    Pattern::parse(path).ok_or_else(|| {
        let remedy = "write a JSON pointer such as `/body/topics/*/id`".to_owned();
        (format!("`{path}` is no path"), remedy)
    })
}
