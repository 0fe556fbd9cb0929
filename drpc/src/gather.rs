//! Items of a stream that are ready at once go in one message, whichever end sends them (E5).

use std::task::Poll;
use std::time::{Duration, Instant};

use crate::wire::{Body, Gathered};

/// Gathers the items of one stream, which ends with an `E`.
///
/// Nothing is waited for while something is gathered. And as who makes the items may be slow, or block, so many are gathered at most as were made
/// quickly before, and no more once it takes long.
pub(crate) struct Gatherer<E> {
    most: usize,
    /// What did not fit into the last message.
    behind: Option<Result<Body, E>>,
}

/// How long gathering may take.
const QUICK: Duration = Duration::from_micros(50);

/// The most items of one message.
const MOST: usize = 1024;

/// How many items are gathered without a look at the clock, which costs a good part of what a short item does.
const UNTIMED: usize = 16;

impl<E> Gatherer<E> {
    /// Gathers what `next` gives, from the message as far as there is one; or gives the stream's end. Pending if nothing is there.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        takes_many: bool,
        mut next: impl FnMut(&Gathered) -> Poll<Result<Body, E>>,
    ) -> Poll<Result<Gathered, E>> {
        let begun = takes_many.then(Instant::now);
        let mut gathered = Gathered::default();
        while gathered.len() < self.most {
            let polled = match self.behind.take() {
                Some(behind) => Poll::Ready(behind),
                None => next(&gathered),
            };
            match polled {
                Poll::Ready(Ok(item)) => {
                    if let Err(item) = gathered.put(item) {
                        self.behind = Some(Ok(item));
                        break;
                    }
                    let is_timed = gathered.len().is_power_of_two() || gathered.len().is_multiple_of(UNTIMED);
                    if is_timed && begun.is_some_and(|begun| begun.elapsed() > QUICK) {
                        break;
                    }
                }
                Poll::Ready(Err(end)) if gathered.is_empty() => return Poll::Ready(Err(end)),
                Poll::Ready(end) => {
                    self.behind = Some(end);
                    break;
                }
                Poll::Pending if gathered.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if let Some(begun) = begun {
            self.keep_pace(gathered.len(), begun.elapsed());
        }
        Poll::Ready(Ok(gathered))
    }

    fn keep_pace(&mut self, items: usize, took: Duration) {
        if took > QUICK {
            let fit = items as u128 * QUICK.as_nanos() / took.as_nanos();
            self.most = (fit as usize).clamp(1, MOST);
        } else if items == self.most {
            self.most = (2 * items).min(MOST);
        }
    }
}

impl<E> Default for Gatherer<E> {
    fn default() -> Self {
        Gatherer { most: 1, behind: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(gatherer: &mut Gatherer<&'static str>, from: &mut Vec<Body>) -> Result<usize, &'static str> {
        let polled = gatherer.poll(true, |_| Poll::Ready(from.pop().ok_or("all")));
        let Poll::Ready(gathered) = polled else { panic!("it never waits") };
        gathered.map(|gathered| gathered.len())
    }

    #[test]
    fn more_are_gathered_the_more_come_and_the_end_comes_last() {
        let mut gatherer = Gatherer::default();
        let mut items = vec![Body::from(vec![1]); 1000];
        let mut rounds = Vec::new();
        let end = loop {
            match gather(&mut gatherer, &mut items) {
                Ok(count) => rounds.push(count),
                Err(end) => break end,
            }
        };
        assert_eq!((rounds.iter().sum::<usize>(), rounds[0], end), (1000, 1, "all"));
        assert!(rounds.len() < 1000);
    }

    #[test]
    fn what_is_made_slowly_is_not_kept_for_what_comes_behind() {
        let mut gatherer = Gatherer::<()> { most: 64, behind: None };
        gatherer.keep_pace(64, 64 * QUICK);
        assert_eq!(gatherer.most, 1);
        gatherer.most = 64;
        gatherer.keep_pace(64, 2 * QUICK);
        assert_eq!(gatherer.most, 32);
    }

    #[test]
    fn what_is_gathered_goes_soon_once_the_next_is_slow() {
        let mut gatherer = Gatherer::<()> { most: MOST, behind: None };
        let polled = gatherer.poll(true, |gathered| {
            if gathered.len() >= 3 {
                std::thread::sleep(2 * QUICK);
            }
            Poll::Ready(Ok(vec![1].into()))
        });
        assert!(matches!(polled, Poll::Ready(Ok(gathered)) if gathered.len() <= UNTIMED));
        assert!(gatherer.most < UNTIMED);
    }

    #[test]
    fn one_goes_alone_where_several_are_not_taken() {
        let mut gatherer = Gatherer::<()>::default();
        for _ in 0..5 {
            let polled = gatherer.poll(false, |_| Poll::Ready(Ok(vec![1].into())));
            assert!(matches!(polled, Poll::Ready(Ok(gathered)) if gathered.len() == 1));
        }
    }
}
