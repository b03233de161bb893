//! Numbers that were read at one moment, as Prometheus' text.

use std::collections::BTreeMap;

use prometheus::{CounterVec, GaugeVec, Opts, Registry, TextEncoder};

use super::{Family, Kind};

/// One number of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which family.
    pub family: &'static Family,
    /// The values of its labels, in its order.
    pub labels: Vec<String>,
    /// The number.
    pub value: f64,
}

/// Numbers of gauges and counters.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    readings: Vec<Reading>,
}

impl Sheet {
    /// Notes a number.
    pub fn set(&mut self, family: &'static Family, labels: &[&str], value: f64) {
        self.readings.push(Reading {
            family,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            value,
        });
    }

    /// Notes 1 for one of all the values that the last label may have, and 0 for the others.
    pub fn set_one<'a>(
        &mut self,
        family: &'static Family,
        labels: &[&str],
        all: impl IntoIterator<Item = &'a str>,
        now: Option<&str>,
    ) {
        for one in all {
            let is_now = f64::from(u8::from(now == Some(one)));
            self.set(family, &[labels, &[one]].concat(), is_now);
        }
    }

    /// Notes numbers that were read elsewhere.
    pub fn extend(&mut self, readings: Vec<Reading>) {
        self.readings.extend(readings);
    }

    /// All of it in Prometheus' text format.
    pub fn render(&self) -> anyhow::Result<String> {
        let registry = Registry::new();
        let mut gauges: BTreeMap<&str, GaugeVec> = BTreeMap::new();
        let mut counters: BTreeMap<&str, CounterVec> = BTreeMap::new();
        for Reading {
            family,
            labels,
            value,
        } in &self.readings
        {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let opts = || Opts::new(family.name, family.help);
            match family.kind {
                Kind::Gauge => {
                    if !gauges.contains_key(family.name) {
                        let vector = GaugeVec::new(opts(), family.labels)?;
                        registry.register(Box::new(vector.clone()))?;
                        gauges.insert(family.name, vector);
                    }
                    if let Some(vector) = gauges.get(family.name) {
                        vector.get_metric_with_label_values(&labels)?.set(*value);
                    }
                }
                Kind::Counter => {
                    if !counters.contains_key(family.name) {
                        let vector = CounterVec::new(opts(), family.labels)?;
                        registry.register(Box::new(vector.clone()))?;
                        counters.insert(family.name, vector);
                    }
                    if let Some(vector) = counters.get(family.name) {
                        // It takes nothing negative.
                        let value = value.max(0.0);
                        vector.get_metric_with_label_values(&labels)?.inc_by(value);
                    }
                }
                Kind::Histogram => anyhow::bail!(
                    "`{}` is a histogram, which one number cannot be a reading of",
                    family.name
                ),
            }
        }
        Ok(TextEncoder::new().encode_to_string(&registry.gather())?)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::catalogue, *};

    #[test]
    fn a_sheet_is_written_with_help_type_and_labels() {
        let mut sheet = Sheet::default();
        sheet.set_one(
            &catalogue::BREAKER,
            &["staging"],
            ["closed", "open"],
            Some("open"),
        );
        sheet.set(&catalogue::AUDIT_ENTRIES, &[], 7.0);
        assert_eq!(
            sheet.render().expect("it can be written"),
            "# HELP switchyard_audit_entries_total Entries of the audit trail, of all migrations in the database\n\
             # TYPE switchyard_audit_entries_total counter\n\
             switchyard_audit_entries_total 7\n\
             # HELP switchyard_breaker_state 1 for the state the breaker is in, 0 for the others\n\
             # TYPE switchyard_breaker_state gauge\n\
             switchyard_breaker_state{environment=\"staging\",state=\"closed\"} 0\n\
             switchyard_breaker_state{environment=\"staging\",state=\"open\"} 1\n"
        );
    }

    #[test]
    fn a_number_with_other_labels_than_its_family_has_is_refused() {
        let mut sheet = Sheet::default();
        sheet.set(&catalogue::AUDIT_ENTRIES, &["staging"], 1.0);
        assert!(sheet.render().is_err());
    }
}
