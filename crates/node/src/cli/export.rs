//! `yap export`: the best chain in `blk` framing, for `yap import` and Bitcoin Core's `-loadblock`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use yap_chain::header::tree::Id;
use yap_store::framing;

use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::chainstate::{Chainstate, Options};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// File to write; `-` is standard output.
    file: PathBuf,
    /// First height.
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    from: u32,
    /// Last height [default: the tip's].
    #[arg(long, value_name = "HEIGHT")]
    to: Option<u32>,
    /// Overwrite the file if it exists.
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) fn run(&self, global: &Global, output: &Output) -> Result<Ending, Error> {
        let chainstate = global.open(Options::default())?;
        let blocks = self.range(&chainstate)?;
        if self.file == Path::new("-") {
            write(&chainstate, &blocks, BufWriter::new(io::stdout().lock()), Error::Output)?;
            return Ok(Ending::Done);
        }
        let failed = |cause| Error::file(self.file.clone(), cause);
        let mut options = File::options();
        options.write(true);
        let options = if self.force { options.create(true).truncate(true) } else { options.create_new(true) };
        let file = options.open(&self.file).map_err(failed)?;
        let written = write(&chainstate, &blocks, BufWriter::new(&file), failed);
        let bytes = written.and_then(|bytes| file.sync_all().map(|()| bytes).map_err(failed));
        let bytes = bytes.inspect_err(|_| discard(&self.file))?;
        output.fields(
            Fields::default()
                .with("file", self.file.display().to_string())
                .with("blocks", blocks.len())
                .with("size", bytes),
        )?;
        Ok(Ending::Done)
    }

    fn range(&self, chainstate: &Chainstate) -> Result<Vec<Id>, Error> {
        let tip = chainstate.tree().height(chainstate.tip());
        let to = self.to.unwrap_or(tip);
        if self.from > to || to > tip {
            return Err(Error::NoHeights { from: self.from, to, tip });
        }
        Ok((self.from..=to).filter_map(|height| chainstate.at_height(height)).collect())
    }
}

/// Removes a file that was not written to its end, lest it pass for the whole.
fn discard(path: &Path) {
    if path.metadata().is_ok_and(|file| file.is_file())
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::warn!(file = %path.display(), %error, "the file is not whole and cannot be removed");
    }
}

/// Writes the blocks, and gives the bytes written.
fn write(
    chainstate: &Chainstate,
    blocks: &[Id],
    mut out: impl Write,
    failed: impl Fn(io::Error) -> Error,
) -> Result<u64, Error> {
    let mut bytes = 0_u64;
    for &id in blocks {
        let block = chainstate.read_block(id)?;
        let frame = framing::frame(chainstate.spec().magic, block.bytes().len());
        out.write_all(&frame).and_then(|()| out.write_all(block.bytes())).map_err(&failed)?;
        let size = u64::try_from(block.bytes().len().saturating_add(framing::FRAME)).unwrap_or(u64::MAX);
        bytes = bytes.saturating_add(size);
    }
    out.flush().map_err(&failed)?;
    Ok(bytes)
}
