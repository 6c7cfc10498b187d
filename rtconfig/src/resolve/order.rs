//! Order of the flow.

/// Puts stages in an order in which everyone comes after those it reads from: all sources first, else the order of the file.
/// `upstream[i]` are the makers of stage i's inputs.
///
/// # Errors
/// A cycle: its stages, each read by the next, the last by the first.
pub fn of(upstream: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut placed: Vec<usize> = (0..upstream.len())
        .filter(|stage| upstream[*stage].is_empty())
        .collect();
    let mut left: Vec<usize> = (0..upstream.len())
        .filter(|stage| !upstream[*stage].is_empty())
        .collect();
    while !left.is_empty() {
        let ready = left
            .iter()
            .position(|stage| upstream[*stage].iter().all(|maker| placed.contains(maker)));
        match ready {
            Some(at) => placed.push(left.remove(at)),
            None => return Err(cycle_among(upstream, &left)),
        }
    }
    Ok(placed)
}

/// Everyone in `left` waits for another in `left`, so walking upstream must come back to where it has been.
fn cycle_among(upstream: &[Vec<usize>], left: &[usize]) -> Vec<usize> {
    let mut walk = vec![left[0]];
    loop {
        let here = walk[walk.len() - 1];
        let Some(maker) = upstream[here].iter().find(|maker| left.contains(maker)) else {
            return walk;
        };
        if let Some(start) = walk.iter().position(|stage| stage == maker) {
            let mut ring = walk.split_off(start);
            ring.reverse();
            return ring;
        }
        walk.push(*maker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_come_first_and_everyone_after_its_makers() {
        assert_eq!(
            of(&[vec![2], vec![0], vec![], vec![0, 1], vec![]]),
            Ok(vec![2, 4, 0, 1, 3])
        );
    }

    #[test]
    fn a_cycle_is_told_from_the_stages_behind_it() {
        // 0 is a source, 1 -> 2 -> 1 is the cycle, 3 hangs behind it.
        assert_eq!(
            of(&[vec![], vec![0, 2], vec![1], vec![2]]),
            Err(vec![1, 2]).map_err(rotated)
        );
        assert_eq!(of(&[vec![0]]), Err(vec![0]));
    }

    fn rotated(mut ring: Vec<usize>) -> Vec<usize> {
        ring.rotate_left(1);
        ring
    }
}
