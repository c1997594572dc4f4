//! What is wrong with an inference request is named: its field, its row and the features.

use ebb::serve::client::inference::*;
use tonic::Code;
use tonic_types::StatusExt;

use super::inference::{matrix, raw, request, rows, tensor, typed};
use super::*;

/// A request that is not legal, and the field at fault.
type Illegal = (ModelInferRequest, String);

/// Requests whose fields do not fit together.
fn illegal_requests(good: &ModelInferRequest) -> Vec<Illegal> {
    let output = |name: &str| InferRequestedOutputTensor {
        name: name.into(),
        ..Default::default()
    };
    let with_outputs = |outputs| ModelInferRequest {
        outputs,
        ..good.clone()
    };
    let with_raw = |raw_input_contents| ModelInferRequest {
        raw_input_contents,
        ..good.clone()
    };
    let with_input = |change: fn(&mut InferInputTensor)| {
        let mut request = good.clone();
        change(&mut request.inputs[0]);
        request
    };
    let four = [rows(), vec![rows()[0].clone()]].concat();
    [
        (with_outputs(vec![output("churn")]), "outputs[0].name"),
        (with_outputs(vec![output("segment"); 2]), "outputs[1].name"),
        (request(Vec::new(), Vec::new()), "inputs"),
        (
            with_input(|i| i.datatype = "BYTES".into()),
            "inputs[0].datatype",
        ),
        (with_input(|i| i.shape = vec![3, 2]), "inputs[0].shape"),
        (with_input(|i| i.shape = vec![-1, 2]), "inputs[0].shape[0]"),
        (
            with_input(|i| i.shape = vec![i64::MAX, 2]),
            "inputs[0].shape[0]",
        ),
        (
            with_input(|i| i.name = "recency_day".into()),
            "inputs[0].name",
        ),
        (
            with_input(|i| i.contents = typed([1.0])),
            "inputs[0].contents",
        ),
        (with_raw(vec![raw([1.0])]), "raw_input_contents[0]"),
        (with_raw(vec![raw([]), raw([])]), "raw_input_contents"),
        (matrix(&four), "inputs[0].shape[0]"),
    ]
    .map(|(request, field)| (request, field.to_owned()))
    .into()
}

/// Requests with a value that no feature can have.
fn illegal_values(good: &ModelInferRequest) -> Vec<Illegal> {
    let with_value = |i: usize, value: f64| {
        let mut values = rows().concat();
        values[i] = value;
        ModelInferRequest {
            raw_input_contents: vec![raw(values)],
            ..good.clone()
        }
    };
    let i = rows()[0].len() + 1;
    // Beyond 2^53 an integer would have to be rounded.
    let large_integers = InferInputTensor {
        datatype: "INT64".into(),
        contents: Some(InferTensorContents {
            int64_contents: vec![1 << 60, 1, 1],
            ..Default::default()
        }),
        ..tensor("recency_days", &[3])
    };
    vec![
        (
            request(vec![large_integers], Vec::new()),
            "inputs[0].contents[0]".to_owned(),
        ),
        (
            with_value(i, f64::INFINITY),
            format!("inputs[0].contents[{i}]"),
        ),
        (with_value(0, -1.0), "inputs[0].contents[0]".to_owned()),
        (with_value(0, f64::NAN), "inputs".to_owned()),
    ]
}

#[tokio::test]
async fn an_illegal_tensor_is_named() {
    let limits = Limits {
        max_batch_size: 3,
        ..Limits::default()
    };
    let server = Running::with(limits, None).await;
    let good = matrix(&rows());
    for (request, field) in [illegal_requests(&good), illegal_values(&good)].concat() {
        let status = server.infer(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field, "{}", status.message());
    }
    assert!(server.infer(good).await.is_ok());
}

#[tokio::test]
async fn an_unknown_model_or_version_is_not_found() {
    let server = Running::ready().await;
    let good = matrix(&rows());
    let of_another_model = ModelInferRequest {
        model_name: "shop2".into(),
        ..good.clone()
    };
    let of_another_version = ModelInferRequest {
        model_version: "1".into(),
        ..good.clone()
    };
    for request in [of_another_model, of_another_version] {
        let status = server.infer(request).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        assert!(status.get_error_details().resource_info().is_some());
    }
    assert!(server.infer(good).await.is_ok());
}

/// A row that no history gives is rejected with its number and its column, in a matrix and in columns of any type.
#[tokio::test]
async fn rows_that_contradict_themselves_are_named() {
    let server = Running::ready().await;
    let rows = rows();
    let width = rows[0].len();
    let position = |name: &str| {
        served_model()
            .bundle()
            .catalogue()
            .position_of(name)
            .unwrap()
    };
    let mut bad = rows.clone();
    bad[2][position("active_age_days")] = 9.0;
    let status = server.infer(matrix(&bad)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let place = format!(
        "inputs[0].contents[{}]: row 2: `recency_days` is 261, ",
        2 * width + position("recency_days")
    );
    assert!(status.message().starts_with(&place), "{}", status.message());
    assert!(
        status
            .message()
            .contains("`active_age_days` is 9: the first cannot be greater"),
        "{}",
        status.message()
    );
    // Columns; single precision, in which the good rows are none the worse.
    let single = |rows: &[Vec<f64>]| {
        let column = |i: usize| rows.iter().map(move |row| row[i] as f32);
        let input = |(i, feature): (usize, &ebb::features::Feature)| InferInputTensor {
            datatype: "FP32".into(),
            contents: Some(InferTensorContents {
                fp32_contents: column(i).collect(),
                ..Default::default()
            }),
            ..tensor(&feature.name, &[rows.len()])
        };
        request(
            served_model()
                .bundle()
                .catalogue()
                .features()
                .iter()
                .enumerate()
                .map(input)
                .collect(),
            Vec::new(),
        )
    };
    let status = server.infer(single(&bad)).await.unwrap_err();
    let place = format!(
        "inputs[{}].contents[2]: row 2: `recency_days` is 261, ",
        position("recency_days")
    );
    assert!(status.message().starts_with(&place), "{}", status.message());
    assert!(server.infer(single(&rows)).await.is_ok());
}
