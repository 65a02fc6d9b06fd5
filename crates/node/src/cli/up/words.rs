//! Numbers as people read them.

use std::time::Duration;

/// How long ago something was. Coarse, so that a line that shows it stays the same for a while.
pub(super) fn ago(age: Duration) -> String {
    match age.as_secs() {
        0..=9 => "just now".to_owned(),
        seconds @ 10..=59 => format!("{} s ago", (seconds / 10).saturating_mul(10)),
        _ => format!("{} ago", span(age)),
    }
}

/// How long something takes.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} min", seconds / 60),
        3_600..=86_399 => match (seconds / 3_600, seconds % 3_600 / 60) {
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        },
        _ => match seconds / 86_400 {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        },
    }
}

/// A number with a comma before each three digits.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Satoshis as coins, without the zeros that say nothing.
pub(super) fn coins(satoshis: u64, ticker: &str) -> String {
    let (whole, rest) = (satoshis / 100_000_000, satoshis % 100_000_000);
    let rest = format!("{rest:08}");
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { format!("{} {ticker}", number(whole)) } else { format!("{}.{rest} {ticker}", number(whole)) }
}

/// `1 block`, `2 blocks`.
pub(super) fn count(many: u64, what: &str) -> String {
    format!("{} {what}{}", number(many), if many == 1 { "" } else { "s" })
}

/// A peer's name, short enough for a line: its last letters tell peers apart.
pub(super) fn short(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= 16 {
        return name.to_owned();
    }
    let first = letters.iter().take(4);
    let last = letters.iter().skip(letters.len().saturating_sub(6));
    first.chain(['…'].iter()).chain(last).collect()
}

/// What stands in a block's hash behind its zeros, which all have.
pub(super) fn short_hash(hash: &str) -> String {
    let last = hash.len().saturating_sub(8);
    hash.get(last..).map_or_else(|| hash.to_owned(), |end| format!("…{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_coarse() {
        let ago = |seconds| ago(Duration::from_secs(seconds));
        assert_eq!(ago(0), "just now");
        assert_eq!([ago(10), ago(19), ago(59)], ["10 s ago", "10 s ago", "50 s ago"]);
        assert_eq!([ago(60), ago(3_599)], ["1 min ago", "59 min ago"]);
        assert_eq!([ago(3_600), ago(3_660)], ["1 h ago", "1 h 1 min ago"]);
        assert_eq!([ago(86_400), ago(u64::MAX)], ["1 day ago", "213503982334601 days ago"]);
    }

    #[test]
    fn numbers_and_coins_are_readable() {
        assert_eq!([number(0), number(999), number(1_000), number(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(coins(0, "YAP"), "0 YAP");
        assert_eq!(coins(123_456_789_012, "YAP"), "1,234.56789012 YAP");
        assert_eq!(coins(150_000_000, "YAP"), "1.5 YAP");
        assert_eq!(coins(1, "YAP"), "0.00000001 YAP");
    }

    #[test]
    fn names_keep_what_tells_them_apart() {
        assert_eq!(short("12D3KooWAbcdefghijklmnopqrstuvwxyz"), "12D3…uvwxyz");
        assert_eq!(short("192.0.2.7:6001"), "192.0.2.7:6001");
        assert_eq!(short_hash("00000000000000000000000000000000000000000000000000000000deadbeef"), "…deadbeef");
        assert_eq!(short_hash("ab"), "…ab");
    }
}
