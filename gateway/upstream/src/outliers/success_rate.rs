//! Which endpoints answer clearly fewer of their requests than the others do.

/// When an endpoint is an outlier by its success rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuccessRate {
    /// By how many thousandths of the standard deviation its rate is below the mean
    /// of all.
    pub deviations: u32,
    /// With fewer endpoints that have had enough requests, none is an outlier.
    pub endpoints: u32,
    /// An endpoint with fewer requests in the interval is not looked at.
    pub requests: u32,
}

impl SuccessRate {
    /// The numbers of Envoy.
    pub const DEFAULT: Self = Self {
        deviations: 1_900,
        endpoints: 5,
        requests: 100,
    };
}

/// An outlier's rate is at least this much below the mean. Deviations alone would
/// take out one of five endpoints for a single error, if the others have none.
const LEAST_DIFFERENCE: f64 = 0.05;

/// What one endpoint has done in an interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    /// The index of the endpoint.
    pub(super) index: usize,
    pub(super) requests: u32,
    pub(super) errors: u32,
}

impl Tally {
    fn rate(&self) -> f64 {
        1.0 - f64::from(self.errors.min(self.requests)) / f64::from(self.requests.max(1))
    }
}

/// The outliers among endpoints, the worst first.
pub(super) fn outliers(tallies: &[Tally], rule: &SuccessRate) -> Vec<usize> {
    let enough = |tally: &&Tally| tally.requests >= rule.requests.max(1);
    let counted: Vec<&Tally> = tallies.iter().filter(enough).collect();
    let Ok(count) = u32::try_from(counted.len()) else {
        return Vec::new();
    };
    if count == 0 || count < rule.endpoints {
        return Vec::new();
    }
    let mean = counted.iter().map(|tally| tally.rate()).sum::<f64>() / f64::from(count);
    let squares = counted.iter().map(|tally| (tally.rate() - mean).powi(2));
    let deviation = (squares.sum::<f64>() / f64::from(count)).sqrt();
    let below = f64::from(rule.deviations) / 1000.0 * deviation;
    let least = mean - below.max(LEAST_DIFFERENCE);
    let mut low: Vec<&Tally> = counted
        .into_iter()
        .filter(|tally| tally.rate() < least)
        .collect();
    low.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
    low.into_iter().map(|tally| tally.index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_far_below_the_mean_of_enough_endpoints() {
        let rule = SuccessRate::DEFAULT;
        for (errors, requests, expected, why) in [
            (vec![0; 6], 100, vec![], "all are good"),
            (vec![50; 6], 100, vec![], "all are equally bad"),
            (vec![0, 0, 0, 0, 0, 30], 100, vec![5], "one is bad"),
            (vec![0, 0, 0, 0, 0, 30], 99, vec![], "too few requests"),
            (vec![0, 0, 0, 30], 100, vec![], "too few endpoints"),
            (vec![0, 0, 0, 0, 30], 100, vec![4], "just enough endpoints"),
            (vec![0, 0, 0, 0, 1], 100, vec![], "a single error"),
            (vec![0, 0, 0, 0, 5], 100, vec![], "4 points below the mean"),
            (vec![0, 0, 0, 0, 7], 100, vec![4], "5.6 points below it"),
            (vec![10, 30, 50, 70, 90], 100, vec![], "all are different"),
            (vec![0; 0], 100, vec![], "there are none"),
        ] {
            let tallies: Vec<Tally> = errors
                .iter()
                .enumerate()
                .map(|(index, &errors)| Tally {
                    index,
                    requests,
                    errors,
                })
                .collect();
            assert_eq!(outliers(&tallies, &rule), expected, "{why}");
        }
    }

    #[test]
    fn the_worst_is_first() {
        let mut tallies: Vec<Tally> = (0..40)
            .map(|index| Tally {
                index,
                requests: 100,
                errors: 1,
            })
            .collect();
        for (index, errors) in [(7, 60), (20, 99), (31, 80)] {
            tallies[index].errors = errors;
        }
        assert_eq!(outliers(&tallies, &SuccessRate::DEFAULT), [20, 31, 7]);
    }

    #[test]
    fn endpoints_with_few_requests_do_not_count_for_the_mean() {
        let tally = |index, requests, errors| Tally {
            index,
            requests,
            errors,
        };
        let mut tallies: Vec<Tally> = (0..5).map(|index| tally(index, 100, 0)).collect();
        tallies.push(tally(5, 3, 3));
        assert_eq!(outliers(&tallies, &SuccessRate::DEFAULT), [0_usize; 0]);
        tallies.push(tally(6, 1000, 400));
        assert_eq!(outliers(&tallies, &SuccessRate::DEFAULT), [6]);
    }
}
