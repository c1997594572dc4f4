use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The page: one file with its style and its script inside of it.
const HTML: &str = include_str!("status_page.html");

/// The page for people with its headers.
pub(crate) struct StatusPage {
    policy: String,
}

impl StatusPage {
    /// The page with the policy that only its own style and script satisfy.
    pub(crate) fn new() -> Self {
        let [style, script] = [hash_of("style"), hash_of("script")];
        Self {
            // Nothing is loaded but figures from this port, nothing else is run, and no other page has this one inside of it.
            policy: format!(
                "default-src 'none'; style-src '{style}'; script-src '{script}'; connect-src 'self'; img-src data:; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
        }
    }

    /// The page's text.
    pub(crate) fn html(&self) -> &'static str {
        HTML
    }

    /// The headers of the page.
    pub(crate) fn headers(&self) -> [(HeaderName, String); 5] {
        [
            (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
            (CONTENT_SECURITY_POLICY, self.policy.clone()),
            // A page of an earlier version would not go with the figures of this one.
            (CACHE_CONTROL, "no-store".to_owned()),
            (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (REFERRER_POLICY, "no-referrer".to_owned()),
        ]
    }
}

/// What a content security policy names the page's one element of this name by.
///
/// # Panics
///
/// When the page has no such element, which is a fault of its construction.
#[expect(
    clippy::expect_used,
    reason = "the page is a part of this program, and a test reads it"
)]
fn hash_of(element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let inside = HTML
        .split_once(&open)
        .and_then(|(_, rest)| rest.split_once(&close))
        .map(|(inside, _)| inside)
        .expect("the page has one style and one script");
    format!("sha256-{}", STANDARD.encode(Sha256::digest(inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_style_and_the_script_and_the_page_names_nothing_outside() {
        let page = StatusPage::new();
        for element in ["style", "script"] {
            assert_eq!(page.html().matches(&format!("<{element}")).count(), 1);
            assert!(page.policy.contains(&hash_of(element)), "{}", page.policy);
        }
        assert!(!page.policy.contains("unsafe"));
        // Attributes would need `unsafe-inline`, and markup made of text could be a caller's.
        for forbidden in [
            " style=\"",
            " onclick=",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "eval(",
        ] {
            assert!(!page.html().contains(forbidden), "{forbidden}");
        }
        let addresses = page.html().matches("//").count() - page.html().matches("// ").count();
        assert_eq!(
            addresses,
            page.html().matches("http://www.w3.org/2000/svg").count()
        );
    }
}
