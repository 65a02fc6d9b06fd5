//! A look at JSON before it is parsed: how deep, and how much of it.
//!
//! Parsed values are many times larger than their text (`[0,0,0…`), so their number is bounded before there are any. It
//! does not say whether the text is JSON; of what is, it never says less than there is.

/// Why a text is not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMuch {
    /// Lists and objects in one another.
    #[error("nested deeper than {0} levels")]
    Deep(usize),
    /// Values.
    #[error("more than {0} values")]
    Many(usize),
}

/// Whether a text has at most so many levels and values.
pub(super) fn check(text: &[u8], levels: usize, values: usize) -> Result<(), TooMuch> {
    let (mut depth, mut count) = (0_usize, 1_usize);
    let (mut string, mut escaped) = (false, false);
    for byte in text {
        if string {
            string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => string = true,
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                count = count.saturating_add(1);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' => count = count.saturating_add(1),
            _ => {}
        }
        if depth > levels {
            return Err(TooMuch::Deep(levels));
        }
        if count > values {
            return Err(TooMuch::Many(values));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(check(nested(64).as_bytes(), 64, 1000), Ok(()));
        assert_eq!(check(nested(65).as_bytes(), 64, 1000), Err(TooMuch::Deep(64)));
        assert_eq!(check(br#"{"a":[{"b":1}]}"#, 3, 100), Ok(()));
        assert_eq!(check(br#"{"a":[{"b":1}]}"#, 2, 100), Err(TooMuch::Deep(2)));
    }

    #[test]
    fn number_of_values_is_bounded() {
        let list = |length: usize| format!("[{}]", vec!["0"; length].join(","));
        assert_eq!(check(list(9).as_bytes(), 1, 10), Ok(()));
        assert_eq!(check(list(10).as_bytes(), 1, 10), Err(TooMuch::Many(10)));
    }

    #[test]
    fn what_is_in_strings_does_not_count() {
        assert_eq!(check(br#"["[[[[,,,,","\"[[[[","\\",[1]]"#, 2, 6), Ok(()));
        assert_eq!(check(br#"["\\",[[1]]]"#, 2, 100), Err(TooMuch::Deep(2)));
        assert_eq!(check(b"\"\\\"[[[", 1, 100), Ok(()), "a string without an end is one string");
    }
}
