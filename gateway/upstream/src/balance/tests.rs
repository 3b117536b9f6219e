use super::{Balance, Candidate, Cursor, Tried};

fn candidates(weights: &[u32], in_flight: &[u32]) -> Vec<Candidate> {
    let each = weights.iter().zip(in_flight).enumerate();
    each.map(|(index, (&weight, &in_flight))| Candidate {
        index,
        weight,
        in_flight,
    })
    .collect()
}

fn turns(cursor: &mut Cursor, weights: &[u32], count: usize) -> Vec<usize> {
    let idle = vec![0; weights.len()];
    (0..count)
        .map(|_| {
            let among = candidates(weights, &idle).into_iter();
            cursor
                .choose(Balance::RoundRobin, weights.len(), among)
                .unwrap()
        })
        .collect()
}

fn counts(chosen: &[usize], len: usize) -> Vec<usize> {
    (0..len)
        .map(|i| chosen.iter().filter(|&&c| c == i).count())
        .collect()
}

#[test]
fn turns_follow_the_weights_exactly_and_without_runs() {
    for seed in 0..50 {
        let chosen = turns(&mut Cursor::from_seed(seed), &[5, 1, 1], 70);
        assert_eq!(counts(&chosen, 3), [50, 10, 10], "{chosen:?}");
        // Never all five in a row, as with weighting by repetition; across the
        // end of a round, up to four are in a row.
        assert!(!chosen.windows(5).any(|w| w == [0; 5]), "{chosen:?}");
    }
}

#[test]
fn four_workers_start_apart_and_spread_evenly_together() {
    let mut first = [0; 3];
    for seed in 0..300 {
        first[turns(&mut Cursor::from_seed(seed), &[1, 1, 1], 1)[0]] += 1;
    }
    assert!(first.iter().all(|&n| n > 70), "{first:?}");

    let mut workers: Vec<Cursor> = (0..4).map(Cursor::from_seed).collect();
    let mut all = Vec::new();
    for _ in 0..100 {
        for worker in &mut workers {
            all.extend(turns(worker, &[3, 2, 1], 1));
        }
    }
    let counts = counts(&all, 3);
    for (have, expected) in counts.iter().zip([200_usize, 133, 67]) {
        // Each worker deviates by at most one turn.
        assert!(have.abs_diff(expected) <= 4, "{counts:?}");
    }
}

#[test]
fn random_starts_differ() {
    let starts: Vec<Vec<usize>> = (0..20)
        .map(|_| turns(&mut Cursor::new(), &[1; 16], 16))
        .collect();
    assert!(starts.iter().any(|s| *s != starts[0]));
}

#[test]
fn least_conn_takes_the_fewest_for_its_weight() {
    let cases: [(&[u32], &[u32], &[usize]); 6] = [
        (&[1, 1, 1], &[2, 1, 3], &[1]),
        (&[1, 1, 1], &[2, 2, 3], &[0, 1]),
        (&[1, 2], &[1, 2], &[0, 1]),
        (&[1, 2], &[1, 1], &[1]),
        (&[1, 3], &[1, 4], &[0]),
        (&[u32::MAX, 1], &[u32::MAX, 0], &[1]),
    ];
    for (weights, in_flight, expected) in cases {
        let mut cursor = Cursor::from_seed(1);
        let mut chosen: Vec<usize> = (0..12)
            .filter_map(|_| {
                let among = candidates(weights, in_flight).into_iter();
                cursor.choose(Balance::LeastConn, weights.len(), among)
            })
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, expected, "{weights:?} {in_flight:?}");
    }
}

#[test]
fn among_equals_least_conn_takes_turns_by_weight() {
    let mut cursor = Cursor::from_seed(3);
    let mut chosen = Vec::new();
    for _ in 0..30 {
        let among = candidates(&[2, 1], &[0, 0]).into_iter();
        chosen.extend(cursor.choose(Balance::LeastConn, 2, among));
    }
    assert_eq!(counts(&chosen, 2), [20, 10]);
}

#[test]
fn skipped_endpoints_gain_no_credit() {
    let mut cursor = Cursor::from_seed(0);
    for _ in 0..100 {
        let among = candidates(&[1, 1], &[0, 0]).into_iter().skip(1);
        assert_eq!(cursor.choose(Balance::RoundRobin, 2, among), Some(1));
    }
    // After its return the other endpoint does not get a hundred requests in a
    // row.
    let counts = counts(&turns(&mut cursor, &[1, 1], 10), 2);
    assert_eq!(counts, [5, 5]);
    let none = cursor.choose(Balance::RoundRobin, 2, [].into_iter());
    assert_eq!(none, None);
}

#[test]
fn tried_holds_any_number() {
    let mut tried = Tried::new();
    let places = [0, 3, 63, 64, 200];
    for place in places {
        assert!(!tried.contains(place));
        tried.insert(place);
        tried.insert(place);
    }
    let found: Vec<usize> = (0..300).filter(|&i| tried.contains(i)).collect();
    assert_eq!(found, places);
    assert_eq!(tried.count(), 5);
}
