use serde_json::{Value, json};

use super::harness::{Server, conformance, simple, with};

/// What a task's input key has in the definition, and what the worker gets.
fn table() -> Vec<(&'static str, Value, Value)> {
    vec![
        (
            "typed",
            json!("${workflow.input.m}"),
            json!({"k": 7, "b": [true, null]}),
        ),
        ("number", json!("${workflow.input.n}"), json!(5)),
        ("embedded", json!("a${workflow.input.n}b"), json!("a5b")),
        ("double", json!("${workflow.input.f}/"), json!("1.5/")),
        (
            "list_in_text",
            json!("l=${workflow.input.l}"),
            json!("l=[1, two, null, {k=3}]"),
        ),
        (
            "map_in_text",
            json!("m=${workflow.input.m}"),
            json!("m={k=7, b=[true, null]}"),
        ),
        ("missing", json!("${workflow.input.zzz}"), Value::Null),
        (
            "missing_in_text",
            json!("v=${workflow.input.zzz}"),
            json!("v=null"),
        ),
        (
            "escaped",
            json!("$${workflow.input.n}"),
            json!("${workflow.input.n}"),
        ),
        ("index", json!("${workflow.input.l[0]}"), json!(1)),
        (
            "from_the_end",
            json!("${workflow.input.l[-1]}"),
            json!({"k": 3}),
        ),
        ("out_of_range", json!("${workflow.input.l[9]}"), Value::Null),
        (
            "all",
            json!("${workflow.input.l[*]}"),
            json!([1, "two", null, {"k": 3}]),
        ),
        (
            "deep",
            json!("${workflow.input..k}"),
            json!([3, 7, 1, {"j": 2}]),
        ),
        (
            "deep_then_child",
            json!("${workflow.input..k.j}"),
            json!([2]),
        ),
        ("deep_missing", json!("${workflow.input..zork}"), json!([])),
        ("quoted", json!("${workflow.input['m']['k']}"), json!(7)),
        ("null_value", json!("${workflow.input.nul}"), Value::Null),
        (
            "nested",
            json!("${workflow.input.m.${workflow.input.s}}"),
            json!(7),
        ),
        (
            "inside",
            json!(["${workflow.input.n}", {"x": "${workflow.input.s}"}]),
            json!([5, {"x": "k"}]),
        ),
        (
            "property_of_list",
            json!("${workflow.input.ll.k}"),
            Value::Null,
        ),
        (
            "input_is_data",
            json!("${workflow.input.expr}"),
            json!("${workflow.input.n}"),
        ),
        (
            "unclosed",
            json!("${workflow.input.n"),
            json!("${workflow.input.n"),
        ),
        (
            "about_the_run",
            json!("${workflow.status}/${workflow.version}"),
            json!("RUNNING/1"),
        ),
        ("literal_null", Value::Null, Value::Null),
    ]
}

async fn x1_expressions_resolve_alike(server: &Server) {
    let table = table();
    let parameters: serde_json::Map<_, _> = table
        .iter()
        .map(|(name, template, _)| ((*name).to_owned(), template.clone()))
        .chain([("task".to_owned(), json!("${CPEWF_TASK_ID}"))])
        .collect();
    let kind = server.kind(json!({})).await;
    let step = with(simple(&kind, "a"), json!({"inputParameters": parameters}));
    let name = server.workflow(json!({"tasks": [step]})).await;
    let input = json!({
        "n": 5, "f": 1.5, "s": "k", "nul": null, "expr": "${workflow.input.n}",
        "l": [1, "two", null, {"k": 3}], "m": {"k": 7, "b": [true, null]},
        "ll": [{"k": 1}, {"k": {"j": 2}}, {"z": 1}]
    });
    server.start(&name, input).await;
    let task = server.take(&kind).await;
    for (name, template, expected) in table {
        assert_eq!(
            task.input_data.get(name),
            Some(&expected),
            "{name}: {template}"
        );
    }
    assert_eq!(task.input_data["task"], json!(task.task_id));
}

async fn x2_a_missing_output_parameter_is_a_key_with_null(server: &Server) {
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({
            "tasks": [simple(&kind, "a")],
            "outputParameters": {"is": "${a.output.is}", "is_not": "${a.output.is_not}"}
        }))
        .await;
    let id = server.start(&name, json!({})).await;
    server.work(&kind, json!({"is": [1]})).await;
    let run = server.until_run(&id, "COMPLETED").await;
    assert_eq!(
        Value::Object(run.output),
        json!({"is": [1], "is_not": null})
    );
}

async fn x3_templates_fill_what_is_absent_or_null(server: &Server) {
    let kind = server
        .kind(json!({"inputTemplate": {"a": "template", "b": "template", "c": "${workflow.input.x}"}}))
        .await;
    let step = with(
        simple(&kind, "a"),
        json!({"inputParameters": {"a": "own", "b": "${workflow.input.nobody}"}}),
    );
    let name = server
        .workflow(json!({"tasks": [step], "inputTemplate": {"x": "from the workflow", "y": 1}}))
        .await;
    let id = server.start(&name, json!({"y": 2})).await;
    let task = server.take(&kind).await;
    assert_eq!(
        Value::Object(task.input_data),
        json!({"a": "own", "b": "template", "c": "from the workflow"})
    );
    let run = server.run(&id).await;
    assert_eq!(run.input["y"], json!(2));
}

conformance!(
    x1_expressions_resolve_alike,
    x2_a_missing_output_parameter_is_a_key_with_null,
    x3_templates_fill_what_is_absent_or_null,
);
