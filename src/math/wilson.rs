/// The 95 % interval of a share of `users`. Source: Wilson (1927), JASA 22.
pub fn wilson_interval(share: f64, users: u64) -> (f64, f64) {
    if users == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (users as f64, 1.959_964);
    let scale = 1.0 + z * z / n;
    let middle = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale
        * (share * (1.0 - share) / n + z * z / (4.0 * n * n))
            .max(0.0)
            .sqrt();
    // At 0 and 1 the ends meet the share itself, which rounding would miss.
    (
        (middle - half).max(0.0).min(share),
        (middle + half).min(1.0).max(share),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `statsmodels` 0.14, `proportion_confint(30, 100, method="wilson")`: 0.218946, 0.395849.
    #[test]
    fn intervals_of_shares_match_statsmodels() {
        let (low, high) = wilson_interval(0.3, 100);
        assert!(
            (low - 0.218_946).abs() < 1e-5 && (high - 0.395_849).abs() < 1e-5,
            "{low} {high}"
        );
        assert_eq!(wilson_interval(0.3, 0), (0.0, 1.0));
        for users in 1..500 {
            for churned in [0, 1, users / 3, users] {
                let share = churned as f64 / users as f64;
                let (low, high) = wilson_interval(share, users);
                assert!(
                    0.0 <= low && low <= share && share <= high && high <= 1.0,
                    "{churned} of {users}"
                );
            }
        }
    }
}
