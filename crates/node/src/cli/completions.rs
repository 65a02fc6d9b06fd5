//! `yap completions`: what a shell needs to complete commands and flags.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Ending, Error};

#[derive(Debug, Args)]
#[command(after_help = "To use them:\n  \
    bash        yap completions bash > ~/.local/share/bash-completion/completions/yap\n  \
    zsh         yap completions zsh > \"${fpath[1]}/_yap\"\n  \
    fish        yap completions fish > ~/.config/fish/completions/yap.fish\n  \
    elvish      yap completions elvish >> ~/.config/elvish/rc.elv\n  \
    powershell  yap completions powershell >> $PROFILE")]
pub(super) struct Completions {
    /// Shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, output: &super::Output) -> Result<Ending, Error> {
        output.text(script(self.shell).trim_end())?;
        Ok(Ending::Done)
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "yap", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = script(shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(script.contains("subtract-fee"), "{shell}");
        }
    }

    #[test]
    fn the_table_of_commands_holds() {
        Cli::command().debug_assert();
    }
}
