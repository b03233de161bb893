use serde_json::{Value, json};

use super::{check, expressions, resolve};

/// The input Conductor 3.15.0 was given when the table below was recorded.
fn workflow() -> Value {
    json!({
        "input": {
            "n": 5, "f": 1.5, "t": true, "s": "k",
            "l": [1, "two", null, {"k": 3}],
            "m": {"k": 7, "b": [true, null]},
            "nul": null,
            "ll": [{"k": 1}, {"k": {"j": 2}}, {"z": 1}],
            "big": 12_345_678_901_234_i64,
            "d": 1e20,
            "expr": "${workflow.input.n}",
            "qs": {"q": "a\"b", "e": {}, "l": []},
            "x": {"nk": null}
        },
        "status": "RUNNING"
    })
}

fn resolved(template: &Value) -> Value {
    resolve(template, &|root| match root {
        "workflow" => Some(workflow()),
        "CPEWF_TASK_ID" => Some(json!("task-1")),
        _ => None,
    })
}

#[test]
fn expressions_resolve_as_conductor_3_15_0_resolved_them() {
    for (template, expected) in [
        ("${workflow.input.m}", json!({"k": 7, "b": [true, null]})),
        ("${workflow.input.n}", json!(5)),
        ("a${workflow.input.n}b", json!("a5b")),
        (
            "${workflow.input.f}|${workflow.input.t}|${workflow.input.s}",
            json!("1.5|true|k"),
        ),
        ("l=${workflow.input.l}", json!("l=[1, two, null, {k=3}]")),
        ("m=${workflow.input.m}", json!("m={k=7, b=[true, null]}")),
        ("${workflow.input.zzz}", Value::Null),
        ("v=${workflow.input.zzz}", json!("v=null")),
        ("$${workflow.input.n}", json!("${workflow.input.n}")),
        ("a$${x}b${workflow.input.n}", json!("a${x}b5")),
        ("${workflow.input.l[0]}", json!(1)),
        ("${workflow.input.l[-1]}", json!({"k": 3})),
        ("${workflow.input.l[9]}", Value::Null),
        ("${workflow.input.l[*]}", json!([1, "two", null, {"k": 3}])),
        ("${workflow.input.m.*}", json!([7, [true, null]])),
        ("${workflow.input..k}", json!([3, 7, 1, {"j": 2}])),
        ("${workflow.input..zork}", json!([])),
        ("${workflow.input.l[*].q}", json!([])),
        ("${workflow.input['m']['k']}", json!(7)),
        ("${workflow.input[\"m\"].k}", json!(7)),
        ("${workflow.input.nul}", Value::Null),
        ("${}", json!("")),
        ("${workflow.input.m.${workflow.input.s}}", json!(7)),
        ("${workflow.input.${workflow.input.zzz}}", Value::Null),
        ("${workflow.input.ll.k}", Value::Null),
        ("${workflow.input..k.j}", json!([2])),
        ("${workflow.input.ll[*].k}", json!([1, {"j": 2}])),
        ("${workflow.input.n}${workflow.input.s}", json!("5k")),
        ("${workflow.input.big}", json!(12_345_678_901_234_i64)),
        ("d=${workflow.input.d}", json!("d=1.0E20")),
        (
            "${workflow.input.m..*}",
            json!([7, [true, null], true, null]),
        ),
        ("${workflow.input.n", json!("${workflow.input.n")),
        ("a}b{c", json!("a}b{c")),
        ("${workflow.input.expr}", json!("${workflow.input.n}")),
        ("${CPEWF_TASK_ID}", json!("task-1")),
        ("q=${workflow.input.qs}", json!("q={q=a\"b, e={}, l=[]}")),
        ("${workflow.input..['k']}", json!([3, 7, 1, {"j": 2}])),
        ("plain $5 {x}", json!("plain $5 {x}")),
        ("n=${workflow.input.nul}", json!("n=null")),
        ("${workflow.input..nk}", json!([null])),
    ] {
        assert_eq!(resolved(&json!(template)), expected, "{template}");
    }
}

#[test]
fn lists_and_maps_resolve_inside_and_keys_stay() {
    assert_eq!(
        resolved(&json!({"a": ["${workflow.input.n}", {"b": "${workflow.input.s}"}], "${x}": 1})),
        json!({"a": [5, {"b": "k"}], "${x}": 1})
    );
}

#[test]
fn an_unknown_root_is_null_or_an_empty_list() {
    assert_eq!(resolved(&json!("${nobody.output.x}")), Value::Null);
    assert_eq!(resolved(&json!("${nobody.output..x}")), json!([]));
}

#[test]
fn what_the_engine_cannot_read_is_told() {
    for path in [
        "a.output.l[0:2]",
        "a.output.l[0,2]",
        "a.output.l[?(@.k==1)].k",
        "a.output.l.length()",
        "a.output['x','y']",
        "a.output[",
        "a.output.",
        "a.output.[0]",
        "",
    ] {
        assert!(check(path).is_err(), "{path}");
    }
    assert_eq!(check("join.output..padded_url"), Ok(()));
    assert_eq!(check("a.${b.output}.c"), Ok(()));
}

#[test]
fn only_outermost_expressions_are_listed() {
    assert_eq!(expressions("x${a.b.${c}}y$${d}${e}${f"), ["a.b.${c}", "e"]);
}

#[test]
fn doubles_in_text_look_as_in_java() {
    for (number, text) in [
        (0.5, "0.5"),
        (1_000_000.0, "1000000.0"),
        (10_000_000.0, "1.0E7"),
        (0.0001, "1.0E-4"),
        (-1.25e-9, "-1.25E-9"),
        (0.0, "0.0"),
    ] {
        assert_eq!(super::text::of(&json!(number)), text);
    }
}
