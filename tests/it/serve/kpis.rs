//! Key performance indicators from a server: those that the library computes of the same users, over gRPC and HTTP.

use ebb::kpi::{
    Definitions, KpiConfig, KpiRequest, Observation, PeriodKind, Row, SliceBy, compute,
};
use ebb::phases::Phases;
use ebb::serve::PrivacySettings;
use tonic::Code;
use tonic_types::StatusExt;

use super::json_http::{get, with_http_of};
use super::listing::many;
use super::*;

async fn ask(server: &Running, request: GetKpisRequest) -> Result<GetKpisResponse, tonic::Status> {
    let mut client = InsightServiceClient::new(server.channel.clone());
    client
        .get_kpis(request)
        .await
        .map(tonic::Response::into_inner)
}

fn by_stage() -> GetKpisRequest {
    GetKpisRequest {
        period: KpiPeriod::Quarter.into(),
        by: vec![KpiGrouping::Stage.into(), KpiGrouping::Cohort.into()],
        ..GetKpisRequest::default()
    }
}

/// The same of the library, on all threads.
fn computed(users: &Histories, min_users: u32) -> Vec<Row> {
    let spec = spec();
    let bundle = Bundle::new(spec.clone(), VERSION.into()).unwrap();
    let (first, _) = users.span().unwrap();
    let definitions = Definitions {
        activity: spec.schema.activity.clone(),
        churn_event: spec.churn_event.clone(),
        active_within_days: spec.active_within_days,
        lifecycle: spec.lifecycle.clone(),
        window_days: spec.schema.horizon_days[0],
        order_kinds: spec.schema.activity.clone(),
        margin: 1.0,
        settings: KpiConfig::default(),
        min_users,
    };
    let report = compute(&KpiRequest {
        histories: users,
        definitions: &definitions,
        observation: &Observation {
            first,
            until: END.parse().unwrap(),
            holes: Vec::new(),
        },
        period: PeriodKind::Quarter,
        from: None,
        to: None,
        by: &[SliceBy::Stage, SliceBy::Cohort],
        bundle: Some(&bundle),
        costs: None,
        weekly: true,
        most_cells: 2_000,
        phases: Phases::default(),
    });
    report.unwrap().rows
}

fn near(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(1.0),
        (one, other) => one == other,
    }
}

#[tokio::test]
async fn the_figures_are_those_of_the_library() {
    let server = Running::of(Config::default(), || stock(Some(many()))).await;
    let answer = ask(&server, by_stage()).await.unwrap();
    assert_eq!(answer.model_version, VERSION);
    let expected = computed(&many(), 10);
    assert!(expected.len() > 50 && answer.withheld > 0);
    assert_eq!(answer.kpis.len(), expected.len());
    for (got, row) in answer.kpis.iter().zip(&expected) {
        let same = (got.kpi.as_str(), got.period.as_str(), got.slice.as_str());
        assert_eq!(
            same,
            (row.kpi.as_str(), row.period.as_str(), row.slice.as_str())
        );
        let figures = [
            (got.value, row.value),
            (got.numerator, row.numerator),
            (got.denominator, row.denominator),
            (got.low, row.low),
            (got.high, row.high),
        ];
        assert!(
            figures.iter().all(|(one, other)| near(*one, *other)),
            "{got:?} {row:?}"
        );
        assert_eq!(got.complete, row.complete);
        assert_eq!(
            got.problem,
            row.problem.map_or("", |problem| problem.name())
        );
    }
    // The negative control: other periods.
    let months = GetKpisRequest {
        period: KpiPeriod::Month.into(),
        ..by_stage()
    };
    assert_ne!(
        ask(&server, months).await.unwrap().kpis.len(),
        expected.len()
    );
}

#[tokio::test]
async fn http_gives_the_figures_of_grpc() {
    let (server, address) = with_http_of(Config::default(), || stock(Some(many()))).await;
    let grpc = ask(&server, by_stage()).await.unwrap();
    let path = "/v1/kpis?period=KPI_PERIOD_QUARTER&by=KPI_GROUPING_STAGE&by=KPI_GROUPING_COHORT";
    let answer = get(address, path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let kpis = json["kpis"].as_array().unwrap();
    assert_eq!(kpis.len(), grpc.kpis.len());
    for (json, kpi) in kpis.iter().zip(&grpc.kpis) {
        assert_eq!(json["kpi"], kpi.kpi);
        assert_eq!(json["value"].as_f64(), kpi.value);
        assert_eq!(json["problem"].as_str().unwrap_or_default(), kpi.problem);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_names_its_field() {
    let server = Running::of(Config::default(), || stock(Some(many()))).await;
    let refused = async |request: GetKpisRequest| {
        let status = ask(&server, request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let fields = status.get_details_bad_request().unwrap().field_violations;
        fields[0].field.clone()
    };
    let with = |change: fn(&mut GetKpisRequest)| {
        let mut request = by_stage();
        change(&mut request);
        request
    };
    assert_eq!(refused(with(|r| r.period = 9)).await, "period");
    assert_eq!(refused(with(|r| r.by = vec![1, 0])).await, "by[1]");
    assert_eq!(
        refused(with(|r| r.by = vec![2])).await,
        "by",
        "a model without tiers"
    );
    assert_eq!(refused(with(|r| r.from = "yesterday".into())).await, "from");
    assert_eq!(refused(with(|r| r.to = "2011-02-30".into())).await, "to");
    assert_eq!(
        refused(with(|r| r.from = "2012-01-01".into())).await,
        "from"
    );
    let unknown = with(|r| r.model = "nothing".into());
    assert_eq!(
        ask(&server, unknown).await.unwrap_err().code(),
        Code::NotFound
    );
    let without = Running::of(Config::default(), || stock(None)).await;
    let status = ask(&without, by_stage()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn few_users_give_no_figures_away() {
    let server = Running::of(Config::default(), || stock(Some(histories(&log())))).await;
    let answer = ask(&server, by_stage()).await.unwrap();
    assert!(!answer.kpis.is_empty());
    let shown = answer
        .kpis
        .iter()
        .filter(|kpi| kpi.value.or(kpi.numerator).or(kpi.denominator).is_some());
    assert_eq!(shown.count(), 0, "the log has fewer than ten users");
    assert_eq!(answer.withheld, answer.kpis.len() as u64);
}

#[tokio::test]
async fn the_configuration_says_how_many_users_a_figure_counts_at_least() {
    let config = Config {
        privacy: PrivacySettings { min_users: 100 },
        ..Config::default()
    };
    let server = Running::of(config, || stock(Some(many()))).await;
    let answer = ask(&server, by_stage()).await.unwrap();
    let withheld = |min_users: u32| {
        let rows = computed(&many(), min_users);
        rows.iter().filter(|row| row.is_withheld()).count() as u64
    };
    assert_eq!(answer.withheld, withheld(100));
    assert!(withheld(100) > withheld(10));
    let shown = answer.kpis.iter().filter(|kpi| kpi.value.is_some());
    assert!(shown.count() > 0);
}
