//! The Open Inference Protocol gives the native answer, bit for bit, in every form.

use bytes::Bytes;
use ebb::serve::client::inference::*;
use tonic::Code;

use super::*;

impl Running {
    fn inference(&self) -> GrpcInferenceServiceClient<Channel> {
        GrpcInferenceServiceClient::new(self.channel.clone())
    }

    pub(super) async fn infer(
        &self,
        request: ModelInferRequest,
    ) -> Result<ModelInferResponse, tonic::Status> {
        Ok(self.inference().model_infer(request).await?.into_inner())
    }
}

/// Three users as rows: one scored, one seen once, one long gone.
pub(super) fn rows() -> Vec<Vec<f64>> {
    ["ann", "dan", "ola"]
        .iter()
        .map(|id| vector(&log(), id, END))
        .collect()
}

pub(super) fn tensor(name: &str, shape: &[usize]) -> InferInputTensor {
    let shape = shape.iter().map(|n| *n as i64).collect();
    InferInputTensor {
        name: name.into(),
        datatype: "FP64".into(),
        shape,
        ..Default::default()
    }
}

pub(super) fn raw(values: impl IntoIterator<Item = f64>) -> Bytes {
    values
        .into_iter()
        .flat_map(f64::to_le_bytes)
        .collect::<Vec<u8>>()
        .into()
}

pub(super) fn typed(values: impl IntoIterator<Item = f64>) -> Option<InferTensorContents> {
    Some(InferTensorContents {
        fp64_contents: values.into_iter().collect(),
        ..Default::default()
    })
}

pub(super) fn request(
    inputs: Vec<InferInputTensor>,
    raw_input_contents: Vec<Bytes>,
) -> ModelInferRequest {
    ModelInferRequest {
        model_name: "stable".into(),
        id: "7".into(),
        inputs,
        raw_input_contents,
        ..Default::default()
    }
}

pub(super) fn matrix(rows: &[Vec<f64>]) -> ModelInferRequest {
    let shape = [rows.len(), rows[0].len()];
    request(vec![tensor("features", &shape)], vec![raw(rows.concat())])
}

/// The same rows in every form that the protocol allows.
fn forms(rows: &[Vec<f64>]) -> Vec<(&'static str, ModelInferRequest)> {
    let model = served_model();
    let (n, width) = (rows.len(), rows[0].len());
    let column = |i: usize| rows.iter().map(move |row| row[i]);
    let names: Vec<&str> = model
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

/// The scoring service's answers for the same rows.
async fn native(server: &Running, rows: &[Vec<f64>]) -> Vec<Score> {
    let mut scores = Vec::new();
    for row in rows {
        let packed = subject(SubjectForm::PackedFeatures(PackedFeatures {
            values: row.clone(),
        }));
        let request = ScoreUserRequest {
            feature_hash: feature_hash(),
            ..ask(packed)
        };
        scores.push(server.score(request).await.unwrap());
    }
    scores
}

#[tokio::test]
async fn every_form_gives_the_native_answer_bit_for_bit() {
    let server = Running::ready().await;
    let rows = rows();
    let native = native(&server, &rows).await;
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
                "status",
                "segment_key"
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
        let key = |score: &Score| -> Vec<u8> {
            let key = score.segment.as_ref().map_or("", |s| s.key.as_str());
            [&(key.len() as u32).to_le_bytes(), key.as_bytes()].concat()
        };
        let keys: Vec<u8> = native.iter().flat_map(key).collect();
        assert_eq!(&answer.raw_output_contents[4][..], keys);
        assert!(keys.windows(3).any(|text| text == b"s02" || text == b"s04"));
    }
}

/// The negative control of the bit for bit comparison.
#[tokio::test]
async fn another_number_is_another_answer() {
    let server = Running::ready().await;
    let rows = rows();
    let mut other = rows.clone();
    for (name, value) in [("gap_std_days", 2.0), ("weekday_regularity", 0.5)] {
        other[0][served_model()
            .bundle()
            .catalogue()
            .position_of(name)
            .unwrap()] = value;
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
async fn chosen_outputs_come_in_the_order_of_the_request() {
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
async fn the_metadata_lists_the_models_tensors() {
    let server = Running::ready().await;
    let mut client = server.inference();
    let request = ModelMetadataRequest {
        name: "stable".into(),
        version: String::new(),
    };
    let metadata = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!(metadata.versions, [VERSION]);
    assert_eq!(
        metadata.inputs.len(),
        served_model().bundle().catalogue().len()
    );
    assert!(
        metadata
            .inputs
            .iter()
            .all(|input| input.datatype == "FP64" && input.shape == [-1])
    );
    assert_eq!(metadata.outputs.len(), 5);
    let server_metadata = client
        .server_metadata(ServerMetadataRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(server_metadata.name, "ebb");
}

#[tokio::test]
async fn a_model_is_ready_by_name_label_and_version() {
    let server = Running::ready().await;
    let ready = async |name: &str, version: &str| {
        let request = ModelReadyRequest {
            name: name.into(),
            version: version.into(),
        };
        let answer = server.inference().model_ready(request).await.unwrap();
        answer.into_inner().ready
    };
    assert!(ready("shop", VERSION).await && ready("stable", "").await);
    assert!(!ready("shop", "2").await && !ready("next", "").await);
}

/// Whether the server says that it is live, and that it is ready.
async fn health(server: &Running) -> (bool, bool) {
    let mut client = server.inference();
    let live = client.server_live(ServerLiveRequest {}).await.unwrap();
    let ready = client.server_ready(ServerReadyRequest {}).await.unwrap();
    (live.into_inner().live, ready.into_inner().ready)
}

#[tokio::test]
async fn a_server_is_live_at_once_and_ready_with_its_model() {
    assert_eq!(health(&Running::ready().await).await, (true, true));
    let (go, load) = held_load();
    let (starting, _ready) = Running::start(Config::default(), load).await;
    assert_eq!(health(&starting).await, (true, false));
    assert_eq!(
        starting.infer(matrix(&rows())).await.unwrap_err().code(),
        Code::Unavailable
    );
    drop(go);
}
