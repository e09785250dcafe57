//! What was measured: rows, checks against the targets, notes.

use serde_json::{Value, json};

/// One number.
pub(crate) struct Row {
    /// What was measured, as `engine/n=leaves/k=keys`.
    pub(crate) case: String,
    /// The name of the number.
    pub(crate) metric: String,
    /// The number.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: String,
}

/// All that a run found out.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    checks: Vec<Value>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a number, unless there is none.
    pub(crate) fn row(&mut self, case: &str, metric: &str, value: f64, unit: &str) {
        if value.is_finite() {
            self.rows.push(Row {
                case: case.to_owned(),
                metric: metric.to_owned(),
                value,
                unit: unit.to_owned(),
            });
        }
    }

    /// Adds a sentence that the numbers cannot be read without.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Adds a comparison with a target, as `words` (at least, at most) `limit`; `measured` is none when it
    /// was not.
    pub(crate) fn check(
        &mut self,
        what: &str,
        words: &str,
        limit: f64,
        measured: Option<f64>,
        unit: &str,
        met: bool,
    ) {
        self.checks.push(json!({
            "what": what, "target": words, "limit": limit, "measured": measured, "unit": unit, "met": met,
        }));
    }

    /// The number of this case, when it was measured.
    pub(crate) fn find(&self, case: &str, metric: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.case == case && row.metric == metric).map(|row| row.value)
    }

    /// The form in which a process hands it on, and which is printed.
    pub(crate) fn json(&self) -> Value {
        // Three digits after the point: more would be noise.
        let rounded = |value: f64| (value * 1e3).round() / 1e3;
        let json_of = |row: &Row| {
            let value = rounded(row.value);
            json!({ "case": row.case, "metric": row.metric, "value": value, "unit": row.unit })
        };
        let rows: Vec<Value> = self.rows.iter().map(json_of).collect();
        json!({ "rows": rows, "checks": self.checks, "notes": self.notes })
    }

    /// Takes over the rows and notes of another process's report.
    pub(crate) fn merge(&mut self, other: &Value) {
        let list = |name: &str| other[name].as_array().cloned().unwrap_or_default();
        for row in list("rows") {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let value = row["value"].as_f64().unwrap_or(f64::NAN);
            self.rows.push(Row { case: text("case"), metric: text("metric"), value, unit: text("unit") });
        }
        self.notes.extend(list("notes").iter().filter_map(Value::as_str).map(str::to_owned));
    }
}
