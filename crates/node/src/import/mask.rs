//! Block files as Bitcoin Core keeps them since version 28: every byte XORed with a key, lest other programs find
//! patterns in them.
//!
//! The key is in `xor.dat` beside the files, eight bytes, and byte `n` of each `blkNNNNN.dat` is masked with byte
//! `n mod 8` of it. All zeros mean no mask. Exported files, under any other name, are never masked.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const KEY_SIZE: usize = 8;

/// A reader that takes the mask off.
#[derive(Debug)]
pub(super) struct Unmasked<R> {
    input: R,
    key: [u8; KEY_SIZE],
    /// Offset in the input; only its place in the key matters.
    at: u64,
}

impl<R> Unmasked<R> {
    fn new(input: R, key: [u8; KEY_SIZE]) -> Self {
        Self { input, key, at: 0 }
    }
}

/// Opens a file, and takes off the mask if there is one.
pub(super) fn open(path: &Path) -> io::Result<Unmasked<File>> {
    let file = File::open(path)?;
    let masked = is_block_file(path) && file.metadata()?.is_file();
    let key = if masked { fs::read(path.with_file_name("xor.dat")).ok() } else { None };
    Ok(Unmasked::new(file, key.and_then(|key| key.try_into().ok()).unwrap_or_default()))
}

/// Whether this is the name of one of a node's own block files.
fn is_block_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let number = name.strip_prefix("blk").and_then(|name| name.strip_suffix(".dat"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl<R: Read> Read for Unmasked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if self.key != [0; KEY_SIZE] {
            let skipped = usize::try_from(self.at % 8).unwrap_or_default();
            let key = self.key.iter().cycle().skip(skipped);
            for (byte, key) in buffer.iter_mut().take(read).zip(key) {
                *byte ^= key;
            }
        }
        self.at = self.at.wrapping_add(u64::try_from(read).unwrap_or_default());
        Ok(read)
    }
}

impl<R: Seek> Seek for Unmasked<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.input.seek(to)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_goes_by_the_place_in_the_file() {
        let key = [1, 2, 3, 4, 5, 6, 7, 0xff];
        let plain: Vec<u8> = (0..100).collect();
        let masked: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        let mut input = Unmasked::new(io::Cursor::new(&masked), key);
        for (start, length) in [(0_u64, 3_usize), (3, 8), (11, 1), (12, 50), (5, 20)] {
            input.seek(SeekFrom::Start(start)).unwrap();
            let mut part = vec![0; length];
            input.read_exact(&mut part).unwrap();
            let start = usize::try_from(start).unwrap();
            assert_eq!(part, plain[start..].iter().copied().take(length).collect::<Vec<_>>());
        }
        let mut rest = Vec::new();
        input.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, plain[25..]);
    }

    #[test]
    fn only_a_node_s_own_files_have_a_mask() {
        for (name, is) in [("blk00000.dat", true), ("a/blk123456.dat", true), ("blk.dat", false), ("blk0.blk", false)] {
            assert_eq!(is_block_file(Path::new(name)), is, "{name}");
        }
    }
}
