//! The tests of one executable in parts, so that they run in several emulated hosts side by side.

/// Which of an executable's tests are meant: of `of` parts, the one with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Counted from 0.
    number: usize,
    /// How many there are.
    of: usize,
}

impl Part {
    /// The only one.
    pub const WHOLE: Part = Part { number: 0, of: 1 };

    /// All parts. Each test is in one of them.
    pub fn all(of: usize) -> impl Iterator<Item = Part> {
        (0..of).map(move |number| Part { number, of })
    }

    /// It is all there is.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Those of `tests` that are in it. Neighbours in a file are often alike, so they go to different parts.
    pub fn choose(self, tests: &[String]) -> Vec<String> {
        tests.iter().skip(self.number).step_by(self.of).cloned().collect()
    }

    /// For a name: nothing, or ", part 1 of 3".
    pub fn suffix(self) -> String {
        if self.is_whole() {
            String::new()
        } else {
            format!(", part {} of {}", self.number + 1, self.of)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_is_in_one_part() {
        let tests: Vec<String> = (0..7).map(|number| number.to_string()).collect();
        for of in 1..10 {
            let parts = Part::all(of).map(|part| part.choose(&tests));
            let mut chosen: Vec<String> = parts.flatten().collect();
            chosen.sort();
            assert_eq!(chosen, tests);
        }
        assert_eq!(Part { number: 1, of: 3 }.choose(&tests), ["1", "4"]);
    }

    #[test]
    fn a_name_says_which_part_it_is() {
        let suffixes: Vec<String> = Part::all(2).map(Part::suffix).collect();
        assert_eq!(suffixes, [", part 1 of 2", ", part 2 of 2"]);
        assert_eq!(Part::all(1).map(Part::suffix).collect::<Vec<_>>(), [""]);
    }
}
