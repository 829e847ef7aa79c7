use proptest::prelude::*;

use super::*;

fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// A bucket that lives through every nanosecond. Its tokens come in `refill` pieces each.
struct Slow {
    size: i64,
    refill: i64,
    burst: i64,
    pieces: i64,
}

impl Slow {
    fn new(limit: &Limit) -> Option<Self> {
        let (size, refill) = (limit.size as i64, limit.refill_time.as_nanos() as i64);
        let burst = limit.one_time_burst as i64;
        (size > 0 && refill > 0).then_some(Self { size, refill, burst, pieces: size * refill })
    }

    fn nanosecond(&mut self) {
        for _ in 0..self.size {
            if self.pieces < self.size * self.refill {
                self.pieces += 1;
            }
        }
    }

    fn has_one(&self) -> bool {
        self.burst >= 1 || self.pieces >= self.refill
    }

    fn take(&mut self, tokens: u64) {
        for _ in 0..tokens {
            if self.burst > 0 {
                self.burst -= 1;
            } else {
                self.pieces -= self.refill;
            }
        }
    }
}

fn limit() -> impl Strategy<Value = Option<Limit>> {
    let limit = (0..20u64, 0..10u64, 0..40u64).prop_map(|(size, one_time_burst, refill)| Limit {
        size,
        one_time_burst,
        refill_time: nanos(refill),
    });
    prop::option::of(limit)
}

proptest! {
    #[test]
    fn it_does_what_one_does_that_lives_through_every_nanosecond(
        bandwidth in limit(),
        ops in limit(),
        steps in prop::collection::vec((0..60u64, prop::option::of(0..50u64)), 1..40),
    ) {
        let mut limiter = RateLimiter::new(&RateLimits { bandwidth, ops });
        let mut slow = [bandwidth, ops].map(|limit| limit.as_ref().and_then(Slow::new));
        prop_assert_eq!(limiter.limits_anything(), slow.iter().flatten().count() > 0);
        let mut now = 0;
        for (passes, operation) in steps {
            for _ in 0..passes {
                now += 1;
                slow.iter_mut().flatten().for_each(Slow::nanosecond);
            }
            let has_one = slow.iter().flatten().all(Slow::has_one);
            prop_assert_eq!(limiter.ready_at(nanos(now)).is_none(), has_one);
            // Whoever may not go waits, or goes all the same.
            if let Some(ready_at) = limiter.ready_at(nanos(now)).filter(|_| operation.is_none()) {
                while !slow.iter().flatten().all(Slow::has_one) {
                    now += 1;
                    slow.iter_mut().flatten().for_each(Slow::nanosecond);
                }
                prop_assert_eq!(ready_at, nanos(now));
            }
            if let Some(bytes) = operation {
                limiter.charge(nanos(now), bytes);
                for (slow, tokens) in slow.iter_mut().zip([bytes, 1]) {
                    if let Some(slow) = slow {
                        slow.take(tokens);
                    }
                }
            }
        }
    }

    #[test]
    fn no_numbers_are_too_large(
        (size, one_time_burst, refill_millis) in any::<(u64, u64, u64)>(),
        steps in prop::collection::vec(any::<(u64, u64)>(), 1..20),
    ) {
        let refill_time = Duration::from_millis(refill_millis);
        let limit = Some(Limit { size, one_time_burst, refill_time });
        let mut limiter = RateLimiter::new(&RateLimits { bandwidth: limit, ops: limit });
        for (at, bytes) in steps {
            let now = Duration::from_millis(at);
            prop_assert!(limiter.ready_at(now).is_none_or(|ready_at| ready_at >= now));
            limiter.charge(now, bytes);
        }
    }
}

#[test]
fn a_burst_is_used_up_first_and_never_comes_back() {
    let refill_time = Duration::from_millis(100);
    let limit = Some(Limit { size: 2, one_time_burst: 3, refill_time });
    let mut limiter = RateLimiter::new(&RateLimits { bandwidth: None, ops: limit });
    let mut goes_at = |now: Duration| {
        let mut times = 0;
        while limiter.ready_at(now).is_none() {
            limiter.charge(now, 1 << 40);
            times += 1;
        }
        times
    };
    assert_eq!(goes_at(Duration::ZERO), 5);
    assert_eq!(goes_at(Duration::from_millis(49)), 0);
    assert_eq!(goes_at(Duration::from_millis(50)), 1);
    assert_eq!(goes_at(Duration::from_secs(3600)), 2);
    // A clock that goes back stands still.
    assert_eq!(goes_at(Duration::from_secs(1)), 0);
}
