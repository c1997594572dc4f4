//! The Open Inference Protocol gives the native answer, bit for bit, in every form.

use bytes::Bytes;
use ebb::serve::client::inference::*;
use tonic::Code;

use super::*;

impl Running {
    fn inference(&self) -> GrpcInferenceServiceClient<Channel> {
        GrpcInferenceServiceClient::new(self.channel.clone())
    }

    async fn infer(&self, request: ModelInferRequest) -> Result<ModelInferResponse, tonic::Status> {
        Ok(self.inference().model_infer(request).await?.into_inner())
    }
}

/// Three users as rows: one scored, one seen once, one long gone.
fn rows() -> Vec<Vec<f64>> {
    ["ann", "dan", "ola"]
        .iter()
        .map(|id| vector(&log(), id, END))
        .collect()
}

fn tensor(name: &str, shape: &[usize]) -> InferInputTensor {
    let shape = shape.iter().map(|n| *n as i64).collect();
    InferInputTensor {
        name: name.into(),
        datatype: "FP64".into(),
        shape,
        ..Default::default()
    }
}

fn raw(values: impl IntoIterator<Item = f64>) -> Bytes {
    values
        .into_iter()
        .flat_map(f64::to_le_bytes)
        .collect::<Vec<u8>>()
        .into()
}

fn typed(values: impl IntoIterator<Item = f64>) -> Option<InferTensorContents> {
    Some(InferTensorContents {
        fp64_contents: values.into_iter().collect(),
        ..Default::default()
    })
}

fn request(inputs: Vec<InferInputTensor>, raw_input_contents: Vec<Bytes>) -> ModelInferRequest {
    ModelInferRequest {
        model_name: "stable".into(),
        id: "7".into(),
        inputs,
        raw_input_contents,
        ..Default::default()
    }
}

fn matrix(rows: &[Vec<f64>]) -> ModelInferRequest {
    let shape = [rows.len(), rows[0].len()];
    request(vec![tensor("features", &shape)], vec![raw(rows.concat())])
}

/// The same rows in every form that the protocol allows.
fn forms(rows: &[Vec<f64>]) -> Vec<(&'static str, ModelInferRequest)> {
    let served = served();
    let (n, width) = (rows.len(), rows[0].len());
    let column = |i: usize| rows.iter().map(move |row| row[i]);
    let names: Vec<&str> = served
        .bundle()
        .catalogue()
        .features()
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    let all = |shape: &[usize]| {
        names
            .iter()
            .map(|name| tensor(name, shape))
            .collect::<Vec<_>>()
    };
    let filled = |mut inputs: Vec<InferInputTensor>| {
        inputs
            .iter_mut()
            .enumerate()
            .for_each(|(i, input)| input.contents = typed(column(i)));
        inputs
    };
    let one = InferInputTensor {
        contents: typed(rows.concat()),
        ..tensor("features", &[n, width])
    };
    let mut backwards = filled(all(&[n]));
    backwards.reverse();
    vec![
        ("raw matrix", matrix(rows)),
        ("typed matrix", request(vec![one], Vec::new())),
        (
            "raw columns",
            request(all(&[n]), (0..width).map(|i| raw(column(i))).collect()),
        ),
        (
            "columns of one column",
            request(all(&[n, 1]), (0..width).map(|i| raw(column(i))).collect()),
        ),
        (
            "typed columns in another order",
            request(backwards, Vec::new()),
        ),
    ]
}

fn doubles(bytes: &Bytes) -> Vec<u64> {
    bytes
        .chunks_exact(8)
        .map(|b| u64::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

fn ints(bytes: &Bytes) -> Vec<i32> {
    bytes
        .chunks_exact(4)
        .map(|b| i32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

#[tokio::test]
async fn every_form_gives_the_native_answer_bit_for_bit() {
    let server = Running::ready().await;
    let rows = rows();
    let mut native = Vec::new();
    for row in &rows {
        let packed = subject(SubjectForm::PackedFeatures(PackedFeatures {
            values: row.clone(),
        }));
        let request = ScoreUserRequest {
            feature_hash: feature_hash(),
            ..ask(packed)
        };
        native.push(server.score(request).await.unwrap());
    }
    let probability = |score: &Score, h: usize| {
        score
            .horizons
            .get(h)
            .map_or(f64::NAN, |h| h.churn_probability)
            .to_bits()
    };
    for (form, request) in forms(&rows) {
        let answer = server.infer(request).await.unwrap();
        assert_eq!(
            (answer.model_version.as_str(), answer.id.as_str()),
            (VERSION, "7")
        );
        let names: Vec<&str> = answer
            .outputs
            .iter()
            .map(|output| output.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "churn_probability_30d",
                "churn_probability_90d",
                "segment",
                "status"
            ]
        );
        assert!(
            answer
                .outputs
                .iter()
                .all(|output| output.shape == [3] && output.contents.is_none())
        );
        for h in [0, 1] {
            let expected: Vec<u64> = native.iter().map(|score| probability(score, h)).collect();
            assert_eq!(doubles(&answer.raw_output_contents[h]), expected, "{form}");
        }
        let segment = |score: &Score| {
            score
                .segment
                .as_ref()
                .map_or(-1, |segment| segment.id as i32)
        };
        assert_eq!(
            ints(&answer.raw_output_contents[2]),
            native.iter().map(segment).collect::<Vec<_>>()
        );
        assert_eq!(
            ints(&answer.raw_output_contents[3]),
            native.iter().map(|s| s.status).collect::<Vec<_>>()
        );
    }
    // The negative control: another number is another answer.
    let mut other = rows.clone();
    for (name, value) in [("gap_std_days", 2.0), ("weekday_regularity", 0.5)] {
        other[0][served().bundle().catalogue().position_of(name).unwrap()] = value;
    }
    let answers = (
        server.infer(matrix(&rows)).await.unwrap(),
        server.infer(matrix(&other)).await.unwrap(),
    );
    assert_ne!(
        answers.0.raw_output_contents[0],
        answers.1.raw_output_contents[0]
    );
}

#[tokio::test]
async fn chosen_outputs_come_in_the_order_asked_for() {
    let server = Running::ready().await;
    let output = |name: &str| InferRequestedOutputTensor {
        name: name.into(),
        ..Default::default()
    };
    let request = ModelInferRequest {
        outputs: vec![output("status"), output("churn_probability_90d")],
        ..matrix(&rows())
    };
    let answer = server.infer(request).await.unwrap();
    assert_eq!(
        answer
            .outputs
            .iter()
            .map(|o| o.name.as_str())
            .collect::<Vec<_>>(),
        ["status", "churn_probability_90d"]
    );
    assert_eq!(
        (
            answer.raw_output_contents[0].len(),
            answer.raw_output_contents[1].len()
        ),
        (12, 24)
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_tensor_is_named() {
    let limits = Limits {
        batch_subjects: 3,
        ..Limits::default()
    };
    let server = Running::with(limits, None).await;
    let rows = rows();
    let good = matrix(&rows);
    let with_input = |change: fn(&mut InferInputTensor)| {
        let mut request = good.clone();
        change(&mut request.inputs[0]);
        request
    };
    let with_value = |i: usize, value: f64| {
        let mut values = rows.concat();
        values[i] = value;
        ModelInferRequest {
            raw_input_contents: vec![raw(values)],
            ..good.clone()
        }
    };
    let width = rows[0].len();
    let output = InferRequestedOutputTensor {
        name: "churn".into(),
        ..Default::default()
    };
    let segment = InferRequestedOutputTensor {
        name: "segment".into(),
        ..Default::default()
    };
    // Beyond 2^53 a whole number would have to be rounded.
    let large_integers = {
        let contents = Some(InferTensorContents {
            int64_contents: vec![1 << 60, 1, 1],
            ..Default::default()
        });
        let column = InferInputTensor {
            datatype: "INT64".into(),
            contents,
            ..tensor("recency_days", &[3])
        };
        request(vec![column], Vec::new())
    };
    let four = [rows.clone(), vec![rows[0].clone()]].concat();
    for (request, code, field) in [
        (
            ModelInferRequest {
                model_name: "shop2".into(),
                ..good.clone()
            },
            Code::NotFound,
            "",
        ),
        (
            ModelInferRequest {
                model_version: "1".into(),
                ..good.clone()
            },
            Code::NotFound,
            "",
        ),
        (
            ModelInferRequest {
                outputs: vec![output],
                ..good.clone()
            },
            Code::InvalidArgument,
            "outputs[0].name",
        ),
        (
            ModelInferRequest {
                outputs: vec![segment; 2],
                ..good.clone()
            },
            Code::InvalidArgument,
            "outputs[1].name",
        ),
        (
            large_integers,
            Code::InvalidArgument,
            "inputs[0].contents[0]",
        ),
        (
            request(Vec::new(), Vec::new()),
            Code::InvalidArgument,
            "inputs",
        ),
        (
            with_input(|i| i.datatype = "BYTES".into()),
            Code::InvalidArgument,
            "inputs[0].datatype",
        ),
        (
            with_input(|i| i.shape = vec![3, 2]),
            Code::InvalidArgument,
            "inputs[0].shape",
        ),
        (
            with_input(|i| i.shape = vec![-1, 2]),
            Code::InvalidArgument,
            "inputs[0].shape[0]",
        ),
        (
            with_input(|i| i.shape = vec![i64::MAX, 2]),
            Code::InvalidArgument,
            "inputs[0].shape[0]",
        ),
        (
            with_input(|i| i.name = "recency_day".into()),
            Code::InvalidArgument,
            "inputs[0].name",
        ),
        (
            with_input(|i| i.contents = typed([1.0])),
            Code::InvalidArgument,
            "inputs[0].contents",
        ),
        (
            ModelInferRequest {
                raw_input_contents: vec![raw([1.0])],
                ..good.clone()
            },
            Code::InvalidArgument,
            "raw_input_contents[0]",
        ),
        (
            ModelInferRequest {
                raw_input_contents: vec![raw([]), raw([])],
                ..good.clone()
            },
            Code::InvalidArgument,
            "raw_input_contents",
        ),
        (
            with_value(width + 1, f64::INFINITY),
            Code::InvalidArgument,
            &format!("inputs[0].contents[{}]", width + 1),
        ),
        (
            with_value(0, -1.0),
            Code::InvalidArgument,
            "inputs[0].contents[0]",
        ),
        (with_value(0, f64::NAN), Code::InvalidArgument, "inputs"),
        (matrix(&four), Code::InvalidArgument, "inputs[0].shape[0]"),
    ] {
        let status = server.infer(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        let details = tonic_types::StatusExt::get_error_details(&status);
        if code == Code::InvalidArgument {
            let violation = details
                .bad_request()
                .map(|b| b.field_violations[0].field.clone());
            assert_eq!(violation.as_deref(), Some(field), "{}", status.message());
        } else {
            assert!(details.resource_info().is_some());
        }
    }
    assert!(server.infer(good).await.is_ok());
}

/// What no history gives is refused with its row and column, in a matrix and in columns, whatever their type.
#[tokio::test]
async fn rows_that_contradict_themselves_are_named() {
    let server = Running::ready().await;
    let rows = rows();
    let width = rows[0].len();
    let position = |name: &str| served().bundle().catalogue().position_of(name).unwrap();
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
            served()
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

fn with_hash(request: &ModelInferRequest, hash: ParameterChoice) -> ModelInferRequest {
    let parameter = InferParameter {
        parameter_choice: Some(hash),
    };
    ModelInferRequest {
        parameters: [("feature_hash".to_owned(), parameter)].into(),
        ..request.clone()
    }
}

#[tokio::test]
async fn a_matrix_can_name_the_order_that_it_is_in() {
    let server = Running::ready().await;
    let request = matrix(&rows());
    let text = |hash: &str| with_hash(&request, ParameterChoice::StringParam(hash.into()));
    let (plain, named) = (
        server.infer(request.clone()).await.unwrap(),
        server.infer(text(&feature_hash())).await,
    );
    assert_eq!(plain, named.unwrap());
    let status = server.infer(text("beef")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status
            .message()
            .contains("feature_hash: the features are for beef"),
        "{}",
        status.message()
    );
    let status = server
        .infer(with_hash(&request, ParameterChoice::Int64Param(1)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().starts_with("parameters[feature_hash]: "),
        "{}",
        status.message()
    );
}

/// A reload that exchanges columns: the same bytes are never read in another order without a word.
#[tokio::test]
async fn a_matrix_is_not_read_in_an_order_that_changed_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let of = |kinds: [&str; 2]| {
        let mut spec = spec();
        spec.schema.other_kinds = kinds.map(str::to_owned).to_vec();
        let catalogue = ebb::features::Catalogue::new(spec.schema.clone()).unwrap();
        let column = spec.preprocessing.columns[0].clone();
        let derived = spec
            .preprocessing
            .columns
            .split_off(spec.preprocessing.columns.len() - 4);
        let features = catalogue.features().iter();
        spec.preprocessing.columns = features
            .map(|f| ebb::model::Column {
                feature: f.name.clone(),
                scale: f.scale,
                ..column.clone()
            })
            .chain(derived)
            .collect();
        let more = spec.models[0].expansion.len();
        for model in &mut spec.models {
            model.weights = (0..spec.preprocessing.columns.len() + more)
                .map(|i| (i * 5 % 7) as f64 / 30.0 - 0.1)
                .collect();
        }
        spec.feature_hash = catalogue.hash();
        (spec, catalogue)
    };
    let save = |spec: BundleSpec| ebb::model::save(&live, spec, CARD, "<html></html>").unwrap();
    let (first, catalogue) = of(["return", "survey"]);
    let hash = first.feature_hash.clone();
    let version = save(first).version().to_owned();
    let path = live.clone();
    let load = move || {
        Stock::load(&Config {
            model: Some(path),
            ..Config::default()
        })
    };
    let server = Running::of(Config::default(), load).await;
    let user = [
        ("recency_days", 4.0),
        ("tenure_days", 90.0),
        ("active_days", 3.0),
        ("active_days_30d", 2.0),
    ];
    let row = catalogue
        .vector(user.into_iter().chain([("survey_count", 7.0)]))
        .unwrap();
    let unnamed = matrix(&[row]);
    let guarded = with_hash(&unnamed, ParameterChoice::StringParam(hash));
    let pinned = ModelInferRequest {
        model_version: version.clone(),
        ..unnamed.clone()
    };
    for request in [&unnamed, &guarded, &pinned] {
        assert!(server.infer(request.clone()).await.is_ok());
    }
    let (second, _) = of(["survey", "return"]);
    let next = save(second.clone()).version().to_owned();
    server.reload.send(()).await.unwrap();
    until(async || server.infer(pinned.clone()).await.is_err()).await;
    for request in [&unnamed, &guarded] {
        let status = server.infer(request.clone()).await.unwrap_err();
        assert_eq!(
            status.code(),
            Code::FailedPrecondition,
            "{}",
            status.message()
        );
    }
    // By name, by version and with the new hash there is no doubt.
    let by_name = tensor("recency_days", &[0]);
    assert!(
        server
            .infer(request(vec![by_name], vec![raw([])]))
            .await
            .is_ok()
    );
    assert!(
        server
            .infer(ModelInferRequest {
                model_version: next,
                ..unnamed.clone()
            })
            .await
            .is_ok()
    );
    assert!(
        server
            .infer(with_hash(
                &unnamed,
                ParameterChoice::StringParam(second.feature_hash)
            ))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_model_tells_its_tensors() {
    let server = Running::ready().await;
    let mut client = server.inference();
    let request = ModelMetadataRequest {
        name: "stable".into(),
        version: String::new(),
    };
    let metadata = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!(metadata.versions, [VERSION]);
    assert_eq!(metadata.inputs.len(), served().bundle().catalogue().len());
    assert!(
        metadata
            .inputs
            .iter()
            .all(|input| input.datatype == "FP64" && input.shape == [-1])
    );
    assert_eq!(metadata.outputs.len(), 4);
    let ready =
        async |client: &mut GrpcInferenceServiceClient<Channel>, name: &str, version: &str| {
            let request = ModelReadyRequest {
                name: name.into(),
                version: version.into(),
            };
            client
                .model_ready(request)
                .await
                .unwrap()
                .into_inner()
                .ready
        };
    assert!(ready(&mut client, "shop", VERSION).await && ready(&mut client, "stable", "").await);
    assert!(!ready(&mut client, "shop", "2").await && !ready(&mut client, "next", "").await);
    assert!(
        client
            .server_live(ServerLiveRequest {})
            .await
            .unwrap()
            .into_inner()
            .live
    );
    assert!(
        client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .into_inner()
            .ready
    );
    let server_metadata = client
        .server_metadata(ServerMetadataRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(server_metadata.name, "ebb");
    let (go, load) = held_load();
    let (starting, _ready) = Running::start(Config::default(), load).await;
    let mut client = starting.inference();
    assert!(
        client
            .server_live(ServerLiveRequest {})
            .await
            .unwrap()
            .into_inner()
            .live
    );
    assert!(
        !client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .into_inner()
            .ready
    );
    assert_eq!(
        starting.infer(matrix(&rows())).await.unwrap_err().code(),
        Code::Unavailable
    );
    drop(go);
}
