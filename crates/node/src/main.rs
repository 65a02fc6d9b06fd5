//! The `yap` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    yap_node::cli::main()
}
