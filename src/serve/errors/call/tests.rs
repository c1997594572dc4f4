use super::*;

#[test]
fn codes_in_a_batch_keep_grpc_numbers() {
    let errors = [
        (CallError::field("a", "b"), wire::ErrorCode::InvalidArgument),
        (
            CallError::unknown_user(FieldPath::Subject, "u".into()),
            wire::ErrorCode::NotFound,
        ),
        (
            CallError::NoKnownUsers {
                subject: FieldPath::Subjects(3),
            },
            wire::ErrorCode::FailedPrecondition,
        ),
        (CallError::NotReady, wire::ErrorCode::Unavailable),
        (
            CallError::Model(ModelError::Width {
                expected: 1,
                found: 2,
            }),
            wire::ErrorCode::Internal,
        ),
    ];
    for (error, code) in errors {
        assert_eq!(wire::SubjectError::from(error).code(), code);
    }
    let path = CallError::NoKnownUsers {
        subject: FieldPath::Subjects(3),
    }
    .path();
    assert_eq!(path, "subjects[3].user_id");
}

#[test]
fn every_status_has_the_details_of_its_row() {
    let field = CallError::field("subject.user_id", "must not be empty");
    let unknown = CallError::unknown_model("model", "next");
    for error in [
        field,
        unknown,
        CallError::Overloaded {
            retry_after: RETRY_AFTER,
        },
        CallError::Draining,
    ] {
        let row = error.reason().row();
        let (path, name) = (error.path(), error.resource().1.to_owned());
        let status = Status::from(error);
        let details = status.get_error_details();
        assert_eq!(status.code(), row.code);
        assert_eq!(details.error_info().unwrap().reason, row.name);
        let has = |detail| row.details.contains(&detail);
        assert_eq!(details.bad_request().is_some(), has(Detail::BadRequest));
        assert_eq!(details.retry_info().is_some(), has(Detail::RetryInfo));
        assert_eq!(details.resource_info().is_some(), has(Detail::ResourceInfo));
        assert!(
            details
                .bad_request()
                .is_none_or(|b| b.field_violations[0].field == path)
        );
        assert!(
            details
                .resource_info()
                .is_none_or(|r| r.resource_name == name)
        );
    }
}

#[test]
fn long_texts_are_cut_between_characters() {
    let error = CallError::field("é".repeat(100_000), "b".repeat(100_000));
    assert!(error.to_string().len() < 2 * TEXT_BYTES_MAX + 10);
}
