//! Known users in the order of their risk.

use std::collections::BTreeSet;

use tonic::Code;
use tonic_types::StatusExt;

use super::*;

/// Many users with unlike histories: more than a block of them, some inactive, some new.
pub(super) fn many() -> Histories {
    let mut events = Vec::new();
    for number in 0..700_i64 {
        let user: &'static str = format!("u{:03}", (number * 37) % 700).leak();
        let kind = if number % 11 == 0 {
            "return"
        } else {
            "purchase"
        };
        for event in 0..1 + number % 9 {
            // From January to 2011-09-28, the last day of `log`.
            let day = (number * 13 + event * (3 + number % 17)) % 270;
            events.push(LogEvent {
                user,
                kind,
                unix_s: 1_293_840_000 + day * 86_400 + 43_200,
                amount: (number % 50) as f64,
            });
        }
    }
    events.extend(log());
    histories(&events)
}

pub(super) async fn list(
    server: &Running,
    request: ListUsersRequest,
) -> Result<ListUsersResponse, tonic::Status> {
    let answer = server.scoring().list_users(request).await;
    answer.map(tonic::Response::into_inner)
}

/// All pages of a listing.
async fn all(server: &Running, request: ListUsersRequest) -> Vec<ListedUser> {
    let (mut users, mut token, mut total) = (Vec::new(), String::new(), None);
    loop {
        let page = list(
            server,
            ListUsersRequest {
                page_token: token,
                ..request.clone()
            },
        )
        .await
        .unwrap();
        assert!(page.users.len() <= request.page_size as usize);
        assert_eq!(*total.get_or_insert(page.total_size), page.total_size);
        assert_eq!(
            (page.as_of.as_str(), page.model_version.as_str()),
            (END, VERSION)
        );
        users.extend(page.users);
        token = page.next_page_token;
        if token.is_empty() {
            assert_eq!(users.len() as u64, total.unwrap());
            return users;
        }
    }
}

fn of_pages(page_size: u32) -> ListUsersRequest {
    ListUsersRequest {
        page_size,
        ..ListUsersRequest::default()
    }
}

fn probability(user: &ListedUser, horizon: usize) -> f64 {
    user.score.as_ref().unwrap().horizons[horizon].churn_probability
}

#[tokio::test]
async fn pages_hold_every_scored_user_once_in_order_with_the_bits_of_score_user() {
    let server = Running::with(Limits::default(), Some(many())).await;
    let users = all(&server, of_pages(97)).await;
    let (mut compared, mut scored) = (BTreeSet::new(), 0);
    for id in many_ids() {
        let score = server.score(ScoreUserRequest {
            subject: Some(user(&id)),
            ..Default::default()
        });
        let score = score.await.unwrap();
        let listed: Vec<&ListedUser> = users.iter().filter(|user| user.user_id == id).collect();
        match score.status() {
            ScoreStatus::Scored => {
                scored += 1;
                assert_eq!(listed.len(), 1, "{id}");
                assert_eq!(listed[0].score.as_ref(), Some(&score), "{id}");
            }
            _ => assert!(listed.is_empty(), "{id}"),
        }
        compared.insert(id);
    }
    assert_eq!((users.len(), compared.len()), (scored, 705));
    assert!(scored > 300 && scored < 700, "{scored}");
    for pair in users.windows(2) {
        let (first, second) = (probability(&pair[0], 0), probability(&pair[1], 0));
        assert!(first > second || first == second && pair[0].user_id < pair[1].user_id);
    }
    // The other horizon has an order of its own, whatever the size of pages.
    let longer = all(
        &server,
        ListUsersRequest {
            horizon_days: 90,
            ..of_pages(1_000)
        },
    )
    .await;
    assert!(
        longer
            .windows(2)
            .all(|pair| probability(&pair[0], 1) >= probability(&pair[1], 1))
    );
    let by_id = ListUsersRequest {
        order: UserOrder::UserId.into(),
        ..of_pages(31)
    };
    let by_id = all(&server, by_id).await;
    assert!(
        by_id
            .windows(2)
            .all(|pair| pair[0].user_id < pair[1].user_id)
    );
    assert_eq!((longer.len(), by_id.len()), (scored, scored));
}

fn many_ids() -> Vec<String> {
    let mut ids: Vec<String> = (0..700).map(|number| format!("u{number:03}")).collect();
    ids.extend(["ann", "dan", "ola", "ret", "zed"].map(str::to_owned));
    ids
}

#[tokio::test]
async fn filters_leave_what_they_say() {
    let server = Running::with(Limits::default(), Some(many())).await;
    let everybody = all(&server, of_pages(1_000)).await;
    let expect = |keeps: &dyn Fn(&Score) -> bool| -> Vec<String> {
        let kept = everybody
            .iter()
            .filter(|user| keeps(user.score.as_ref().unwrap()));
        kept.map(|user| user.user_id.clone()).collect()
    };
    let found = async |request: ListUsersRequest| -> Vec<String> {
        let users = all(&server, request).await;
        users.into_iter().map(|user| user.user_id).collect()
    };
    let bands: BTreeSet<RiskBand> = everybody
        .iter()
        .map(|user| user.score.as_ref().unwrap().horizons[0].risk_band())
        .collect();
    let mut shown = 0;
    for band in bands {
        let expected = expect(&|score| score.horizons[0].risk_band() == band);
        let request = ListUsersRequest {
            risk_bands: vec![band.into()],
            ..of_pages(50)
        };
        assert_eq!(found(request).await, expected);
        shown += expected.len();
    }
    assert_eq!(shown, everybody.len());
    for stages in [vec![Stage::Churning], vec![Stage::Growth, Stage::Mature]] {
        let expected = expect(&|score| stages.contains(&score.stage()));
        let request = ListUsersRequest {
            stages: stages.iter().map(|stage| i32::from(*stage)).collect(),
            ..of_pages(50)
        };
        assert_eq!(found(request).await, expected, "{stages:?}");
        assert!(
            !expected.is_empty() && expected.len() < everybody.len(),
            "{stages:?}"
        );
    }
    let expected = expect(&|score| {
        score
            .segment
            .as_ref()
            .is_some_and(|segment| segment.id == 1)
    });
    let request = ListUsersRequest {
        segment_ids: vec![1],
        ..of_pages(50)
    };
    assert_eq!(found(request).await, expected);
    assert!(
        !expected.is_empty() && expected.len() < everybody.len(),
        "{}",
        expected.len()
    );
    let request = ListUsersRequest {
        segment_keys: vec!["s02".to_owned()],
        ..of_pages(50)
    };
    assert_eq!(found(request).await, expected);
    let request = ListUsersRequest {
        segment_ids: vec![0],
        segment_keys: vec!["s02".to_owned()],
        ..of_pages(50)
    };
    assert_eq!(
        found(request).await,
        expect(&|score| score.segment.is_some())
    );
}

/// What is wrong with a request.
type Change = fn(&mut ListUsersRequest);

#[tokio::test]
async fn what_cannot_be_listed_is_named() {
    let server = Running::with(Limits::default(), Some(many())).await;
    let refused = async |change: Change| {
        let mut request = of_pages(1);
        change(&mut request);
        let status = list(&server, request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        status.message().to_owned()
    };
    let cases: [(Change, &str); 7] = [
        (|r| r.order = 9, "order: 9 is not a UserOrder"),
        (
            |r| r.horizon_days = 31,
            "horizon_days: the model has no horizon of 31",
        ),
        (|r| r.stages = vec![1, 0], "stages[1]: 0 is not"),
        (|r| r.risk_bands = vec![7], "risk_bands[0]: 7 is not"),
        (
            |r| r.segment_ids = vec![99],
            "segment_ids[0]: the model has no segment 99",
        ),
        (
            |r| r.segment_keys = vec!["s02".into(), "s01".into()],
            "segment_keys[1]: the model has no segment `s01`, but s04, s02",
        ),
        (|r| r.stages = vec![1; 1_001], "stages: there are 1001"),
    ];
    for (change, problem) in cases {
        let found = refused(change).await;
        assert!(found.starts_with(problem), "{found}");
    }
    let unknown = ListUsersRequest {
        model: "none".into(),
        ..of_pages(1)
    };
    let status = list(&server, unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn tokens_are_those_of_the_same_listing() {
    let server = Running::with(Limits::default(), Some(many())).await;
    let next = list(&server, of_pages(10)).await.unwrap().next_page_token;
    let with_token = |token: &str| ListUsersRequest {
        page_token: token.into(),
        ..of_pages(3)
    };
    let other = ListUsersRequest {
        stages: vec![1],
        ..with_token(&next)
    };
    for (request, problem) in [
        (with_token("nonsense"), "page_token: is not one"),
        (with_token(&format!("{next}AAAA")), "page_token: is not one"),
        (other, "page_token: belongs to a request with another order"),
    ] {
        let status = list(&server, request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(problem), "{status:?}");
    }
    // The size of the pages may change on the way.
    assert_eq!(
        list(&server, with_token(&next)).await.unwrap().users.len(),
        3
    );
}

#[tokio::test]
async fn without_users_there_is_nothing_to_list() {
    let without = Running::with(Limits::default(), None).await;
    let status = list(&without, of_pages(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "NO_ROLLUP");
    let empty = Running::with(Limits::default(), Some(histories(&[]))).await;
    let nobody = list(&empty, of_pages(1)).await.unwrap();
    assert_eq!((nobody.total_size, nobody.users.len()), (0, 0));
    assert_eq!(nobody.as_of, "");
}

#[tokio::test]
async fn a_token_ends_with_the_order_that_it_belongs_to() {
    let (_dir, server, _) = super::models::server_of_two().await;
    let page = list(&server, of_pages(1)).await.unwrap();
    let rest = ListUsersRequest {
        page_token: page.next_page_token,
        ..of_pages(1)
    };
    list(&server, rest.clone()).await.unwrap();
    server.load_model("next", false).await.unwrap();
    server
        .activate(ModelLabel::Stable, "next", "")
        .await
        .unwrap();
    let status = list(&server, rest).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(
        status.get_error_details().error_info().unwrap().reason,
        "PAGE_TOKEN_STALE"
    );
    let other = list(&server, of_pages(1)).await.unwrap();
    assert_ne!(other.model_version, page.model_version);
}
