//! Numbers of scripts: little-endian, with the sign in the last byte's highest bit. Bitcoin Core's `CScriptNum`.

use super::Error;

/// Bytes that a number has at most.
pub(crate) const SIZE: usize = 4;
/// Bytes that a lock time has at most, which goes beyond 2³¹.
pub(super) const LOCK_TIME_SIZE: usize = 5;

/// Reads a number of `size` bytes at most (8 or fewer); if `minimal`, one that could not be shorter.
pub(crate) fn read(item: &[u8], minimal: bool, size: usize) -> Result<i64, Error> {
    let Some((&last, others)) = item.split_last() else { return Ok(0) };
    if item.len() > size {
        return Err(Error::ScriptNumber);
    }
    // The last byte may hold the sign alone only where the one before has its highest bit in use. That also excludes
    // a negative zero.
    if minimal && last & 0x7f == 0 && others.last().is_none_or(|before| before & 0x80 == 0) {
        return Err(Error::ScriptNumber);
    }
    let mut bytes = [0; 8];
    for (byte, digit) in bytes.iter_mut().zip(others.iter().copied().chain([last & 0x7f])) {
        *byte = digit;
    }
    let absolute = i64::from_le_bytes(bytes);
    Ok(if last & 0x80 == 0 { absolute } else { absolute.wrapping_neg() })
}

/// The shortest bytes of `number`.
pub(super) fn write(number: i64) -> Vec<u8> {
    let mut bytes = number.unsigned_abs().to_le_bytes().to_vec();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    if bytes.last().is_some_and(|last| last & 0x80 != 0) {
        bytes.push(0);
    }
    if let Some(last) = bytes.last_mut().filter(|_| number < 0) {
        *last |= 0x80;
    }
    bytes
}

/// Whether an item means true: it is neither zero nor negative zero, of whatever length.
pub(super) fn is_true(item: &[u8]) -> bool {
    item.split_last().is_some_and(|(last, others)| last & 0x7f != 0 || others.iter().any(|byte| *byte != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, -1, 127, 128, -128, 255, -255, 256, 32_767, 32_768, -32_768, 0x7fff_ffff, -0x7fff_ffff] {
            let bytes = write(number);
            assert!(bytes.len() <= SIZE);
            assert_eq!(read(&bytes, true, SIZE), Ok(number));
        }
    }

    #[test]
    fn a_number_of_five_bytes_is_a_lock_time_only() {
        let bytes = write(0x8000_0000);
        assert_eq!(bytes.len(), 5);
        assert_eq!(read(&bytes, true, SIZE), Err(Error::ScriptNumber));
        assert_eq!(read(&bytes, true, LOCK_TIME_SIZE), Ok(0x8000_0000));
        assert_eq!(read(&[1; 6], true, LOCK_TIME_SIZE), Err(Error::ScriptNumber));
    }

    #[test]
    fn longer_forms_are_numbers_only_where_they_may_be() {
        for (long, number) in [(&[0_u8][..], 0), (&[0x80], 0), (&[5, 0], 5), (&[5, 0x80], -5), (&[0, 0], 0)] {
            assert_eq!(read(long, true, SIZE), Err(Error::ScriptNumber));
            assert_eq!(read(long, false, SIZE), Ok(number));
        }
        // These need their last byte for the sign.
        assert_eq!(read(&[0xff, 0], true, SIZE), Ok(255));
        assert_eq!(read(&[0xff, 0x80], true, SIZE), Ok(-255));
    }

    #[test]
    fn zero_of_any_form_is_false() {
        for zero in [&[][..], &[0], &[0x80], &[0, 0, 0], &[0, 0, 0x80]] {
            assert!(!is_true(zero), "{zero:?}");
        }
        for other in [&[1][..], &[0x81], &[0x80, 0], &[0, 1], &[0, 0x80, 0x80]] {
            assert!(is_true(other), "{other:?}");
        }
    }
}
