//! The table as a page.

use super::table::{Detail, Reason};

const INTRODUCTION: &str = "# What a call can fail with

Every error carries `google.rpc.ErrorInfo` with the domain `churn.v1` and one of the reasons below, and the details that the
table names. In a batch or a stream, what concerns one subject or one batch comes as `SubjectError` with the same code,
message and reason while the others are answered. Every error has the header `x-request-id`, the request's own or a new one:
it is in the server's log. `grpc-retry-pushback-ms` tells gRPC's own retries when to try again, or not to.

| reason | code | details | when | what to do |
| --- | --- | --- | --- | --- |
";

/// `docs/errors.md`: every reason that a call can fail for, as Markdown.
pub fn errors_page() -> String {
    let rows = Reason::ALL.iter().map(|reason| {
        let row = reason.row();
        let mut details = vec!["ErrorInfo"];
        details.extend(row.details.iter().map(|detail| match detail {
            Detail::BadRequest => "BadRequest",
            Detail::RetryInfo => "RetryInfo",
            Detail::ResourceInfo => "ResourceInfo",
        }));
        let code = code_name(row.code);
        format!(
            "| {} | {code} | {} | {} | {} |\n",
            row.name,
            details.join(", "),
            row.meaning,
            row.remedy
        )
    });
    INTRODUCTION.to_owned() + &rows.collect::<String>()
}

/// A code as the protocol writes it.
fn code_name(code: tonic::Code) -> String {
    let words = format!("{code:?}");
    let letters = words.chars().enumerate().flat_map(|(i, letter)| {
        let apart = i > 0 && letter.is_uppercase();
        apart
            .then_some('_')
            .into_iter()
            .chain(letter.to_uppercase())
    });
    letters.collect()
}
