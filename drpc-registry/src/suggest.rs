//! "Did you mean": the candidate that is nearest to a misspelt word.

/// The candidate that `word` was probably meant to be, if one is near enough.
///
/// ```
/// assert_eq!(drpc_registry::closest("nmae", ["id", "name", "doc"]), Some("name"));
/// assert_eq!(drpc_registry::closest("colour", ["id", "name", "doc"]), None);
/// ```
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters to insert, remove, replace or swap with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if j > 0 && previous == Some(y) && b[j - 1] == x {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
        previous = Some(x);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_slip_costs_one() {
        for slip in ["methd", "methood", "mathod", "mehtod"] {
            assert_eq!(distance(slip, "method"), 1, "{slip}");
        }
        assert_eq!(distance("", "id"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn the_nearest_of_several_wins() {
        assert_eq!(closest("numbr", ["name", "number"]), Some("number"));
        assert_eq!(closest("ids", ["id"]), Some("id"));
        assert_eq!(closest("zz", ["id"]), None);
    }
}
