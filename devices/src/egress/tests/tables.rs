//! The table that everything is kept in, beside the most obvious one; and that no flood makes any grow.

use proptest::prelude::*;

use super::frames::{A, Datagram, host, question};
use super::*;
use crate::egress::table::Table;
use crate::limits::{ADMITTED, DNS_RECORDS, QUESTIONS};

#[test]
fn no_flood_of_questions_or_answers_is_kept() {
    let mut filter = filter(&["*.example.org"]);
    for number in 0..3 * QUESTIONS as u16 {
        let message = question(number, "a.example.org", A);
        assert_eq!(sent(&mut filter, &Datagram::to_resolver(&message).frame(), 1), Ok(()));
    }
    assert_eq!(filter.dns.under_way().0, QUESTIONS);
    for number in 0..100_u16 {
        let records: Vec<_> =
            (0..100).map(|last| host(&format!("203.0.{number}.{last}"), 300)).collect();
        resolve(&mut filter, "a.example.org", &records, 1);
        assert_eq!(filter.rules.admitted(), ADMITTED.min((usize::from(number) + 1) * DNS_RECORDS));
    }
    assert_eq!(connects(&mut filter, "203.0.0.1", 443, 1), Err(Reason::Rule));
    assert_eq!(connects(&mut filter, "203.0.99.1", 443, 1), Ok(()));
}

proptest! {
    #[test]
    fn a_table_is_a_list_of_the_youngest(
        steps in prop::collection::vec((0..4_u8, 0..8_u8, 0..6_u64), 0..60), most in 1..5_usize,
    ) {
        let mut table = Table::new(most);
        // The oldest first.
        let mut list: Vec<(u8, usize, Duration)> = Vec::new();
        for (value, (step, key, until)) in steps.into_iter().enumerate() {
            let until = seconds(until);
            let place = list.iter().position(|entry| entry.0 == key);
            match step {
                0 | 1 => {
                    table.insert(key, value, until);
                    if let Some(place) = place {
                        list.remove(place);
                    } else if list.len() == most {
                        list.remove(0);
                    }
                    list.push((key, value, until));
                }
                2 => {
                    prop_assert_eq!(table.remove(&key), place.map(|place| list.remove(place).1));
                }
                _ => {
                    table.renew(&key, until);
                    if let Some(place) = place {
                        let (key, value, _) = list.remove(place);
                        list.push((key, value, until));
                    }
                }
            }
            let now = seconds(3);
            for key in 0..8 {
                let entry = list.iter().find(|entry| entry.0 == key);
                let good = entry.filter(|entry| now <= entry.2);
                prop_assert_eq!(table.get(&key, now).copied(), good.map(|entry| entry.1));
                prop_assert_eq!(table.until(&key), entry.map(|entry| entry.2));
            }
            let youngest: Vec<_> = table.youngest_first().map(|(key, value)| (*key, *value)).collect();
            let expected: Vec<_> = list.iter().rev().map(|entry| (entry.0, entry.1)).collect();
            prop_assert_eq!(youngest, expected);
            let inside = |entry: &&(u8, usize, Duration)| now <= entry.2 && (2..=5).contains(&entry.0);
            let mut good: Vec<_> = list.iter().filter(inside).map(|entry| entry.0).collect();
            good.sort();
            prop_assert_eq!(table.keys(2..=5, now).copied().collect::<Vec<_>>(), good);
            if table.is_full(now) {
                prop_assert!(list.len() == most && list.iter().all(|entry| now <= entry.2));
            } else if list.len() == most {
                list.retain(|entry| now <= entry.2);
            }
            prop_assert_eq!(table.len(), list.len());
        }
    }
}
