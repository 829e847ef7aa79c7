//! How much may go through a device in a time: token buckets, with the meaning of Firecracker's `rate_limiter`.
//!
//! A bucket holds `size` tokens and is full at first. A byte, or an operation, takes one out; `refill_time` fills an
//! empty bucket, bit by bit. A `one_time_burst` of tokens is used up first, and never comes back.
//!
//! Nothing is refused for its size: what finds a token goes as a whole, and whoever comes next waits for as long as it
//! takes to pay for that. So what goes in any time T is at most
//! `size + one_time_burst + size × T / refill_time`, and one more. (Firecracker lets what is larger than the bucket go
//! once that is full, and then waits too.)
//!
//! ```
//! use bulkhead_devices::virtio::rate::{Limit, RateLimiter, RateLimits};
//! use std::time::Duration;
//!
//! let second = Duration::from_secs(1);
//! let bytes = Limit { size: 1000, one_time_burst: 0, refill_time: second };
//! let mut limiter = RateLimiter::new(&RateLimits { bandwidth: Some(bytes), ops: None });
//! assert_eq!(limiter.ready_at(second), None);
//! limiter.charge(second, 1500); // half a second too much, and a token for whoever is next
//! assert_eq!(limiter.ready_at(second), Some(Duration::from_millis(1501)));
//! ```

#[cfg(test)]
mod tests;

use std::time::Duration;

/// The longest time to refill a bucket that is told from a longer one, in nanoseconds: 146 years. With it, the tokens of
/// the largest bucket times the nanoseconds fit an `i128`.
const LONGEST_REFILL: u128 = 1 << 62;

/// One bucket, as a configuration describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many tokens it holds: bytes or operations. 0: there is no limit.
    pub size: u64,
    /// How many more there are at first, which never come back.
    pub one_time_burst: u64,
    /// How long it takes to fill an empty bucket. 0: there is no limit.
    pub refill_time: Duration,
}

/// What limits a stream of operations; `None`: nothing does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Their bytes.
    pub bandwidth: Option<Limit>,
    /// How many they are.
    pub ops: Option<Limit>,
}

/// A bucket. Tokens are counted with the nanoseconds that make up one, so that nothing is rounded.
#[derive(Debug)]
struct Bucket {
    size: u64,
    /// Nanoseconds that fill it.
    refill: u64,
    burst: u64,
    /// Tokens × `refill`. Below 0: somebody took more than there was.
    level: i128,
    /// When `level` was true.
    at: Duration,
}

impl Bucket {
    fn new(limit: &Limit) -> Option<Self> {
        let refill = limit.refill_time.as_nanos().min(LONGEST_REFILL) as u64;
        if limit.size == 0 || refill == 0 {
            return None;
        }
        let level = i128::from(limit.size) * i128::from(refill);
        Some(Self {
            size: limit.size,
            refill,
            burst: limit.one_time_burst,
            level,
            at: Duration::ZERO,
        })
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_nanos();
        self.at = self.at.max(now);
        let full = i128::from(self.size) * i128::from(self.refill);
        let gained = i128::try_from(passed.saturating_mul(self.size.into())).unwrap_or(i128::MAX);
        self.level = self.level.saturating_add(gained).min(full);
    }

    /// When there is a token; `None`: now.
    fn ready_at(&mut self, now: Duration) -> Option<Duration> {
        self.refill(now);
        let missing = i128::from(self.refill).saturating_sub(self.level);
        if self.burst > 0 || missing <= 0 {
            return None;
        }
        let nanos = missing.unsigned_abs().div_ceil(self.size.into());
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Some(now.saturating_add(wait))
    }

    fn charge(&mut self, now: Duration, tokens: u64) {
        self.refill(now);
        let from_burst = tokens.min(self.burst);
        self.burst -= from_burst;
        let cost = i128::from(tokens - from_burst) * i128::from(self.refill);
        self.level = self.level.saturating_sub(cost);
    }
}

/// Limits a stream of operations. Times are those of any clock that does not go back.
#[derive(Debug)]
pub struct RateLimiter {
    bandwidth: Option<Bucket>,
    ops: Option<Bucket>,
}

impl RateLimiter {
    /// With full buckets.
    pub fn new(limits: &RateLimits) -> Self {
        let bucket = |limit: &Option<Limit>| limit.as_ref().and_then(Bucket::new);
        Self { bandwidth: bucket(&limits.bandwidth), ops: bucket(&limits.ops) }
    }

    /// Whether it limits anything: if not, nobody has to know what time it is.
    pub fn limits_anything(&self) -> bool {
        self.bandwidth.is_some() || self.ops.is_some()
    }

    /// When the next operation may go; `None`: now.
    pub fn ready_at(&mut self, now: Duration) -> Option<Duration> {
        let buckets = [&mut self.bandwidth, &mut self.ops].into_iter().flatten();
        buckets.filter_map(|bucket| bucket.ready_at(now)).max()
    }

    /// An operation of so many bytes goes.
    pub fn charge(&mut self, now: Duration, bytes: u64) {
        if let Some(bucket) = &mut self.bandwidth {
            bucket.charge(now, bytes);
        }
        if let Some(bucket) = &mut self.ops {
            bucket.charge(now, 1);
        }
    }
}
