//! The flags of everything that can be set, made from the [table](crate::config::KEYS).

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{Flag, Flags, KEYS, Key, Scope};

/// The flags that every command has.
#[derive(Clone, Debug, Default)]
pub(super) struct Everywhere(pub(super) Flags);

/// The flags of a node that is started. `SHOWN` says whether help lists them: `yap --help` leaves that to `yap up --help`.
#[derive(Clone, Debug, Default)]
pub(super) struct OfNode<const SHOWN: bool>(pub(super) Flags);

fn keys(scope: Scope) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.scope == scope)
}

fn help(key: &Key) -> String {
    let variable = key.short.map_or_else(|| key.variable(), str::to_owned);
    format!("{} [env: {variable}]", key.help)
}

fn args(key: &'static Key) -> Vec<Arg> {
    match key.flag {
        Flag::Value(name, value) => {
            vec![Arg::new(key.name).long(name).value_name(value).help(help(key)).action(ArgAction::Set)]
        }
        Flag::List(name, value) => {
            vec![Arg::new(key.name).long(name).value_name(value).help(help(key)).action(ArgAction::Append)]
        }
        Flag::Switch { yes, no } => {
            let plain = Arg::new(yes).long(yes).action(ArgAction::SetTrue).hide(true).overrides_with(key.name);
            let text = format!("Not: {}", lower(&help(key)));
            vec![plain, Arg::new(key.name).long(no).action(ArgAction::SetTrue).help(text).overrides_with(yes)]
        }
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// What was typed for keys of that scope.
fn read(matches: &ArgMatches, scope: Scope) -> Flags {
    let typed = |key: &'static Key| match key.flag {
        Flag::Value(..) => matches.get_one::<String>(key.name).cloned(),
        Flag::List(..) => matches.get_many::<String>(key.name).map(|list| list.cloned().collect::<Vec<_>>().join(",")),
        Flag::Switch { yes, .. } => {
            let (no, yes) = (matches.get_flag(key.name), matches.get_flag(yes));
            if no { Some("false".to_owned()) } else { yes.then(|| "true".to_owned()) }
        }
    };
    keys(scope).filter_map(|key| Some((key.name, typed(key)?))).collect()
}

impl FromArgMatches for Everywhere {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = read(matches, Scope::All);
        flags.extend(matches.get_one::<String>("config").map(|path| ("config", path.clone())));
        Ok(Self(flags))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl Args for Everywhere {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config").long("config").value_name("FILE").global(true).help(
            "File that says what no flag and no variable says [default: yap.toml in the data directory] \
             [env: YAP_CONFIG]",
        );
        let heading = "Options of every command";
        let args = keys(Scope::All).flat_map(args).map(|arg| arg.global(true)).chain([file]);
        command.args(args.map(|arg| arg.help_heading(heading)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const SHOWN: bool> FromArgMatches for OfNode<SHOWN> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(read(matches, Scope::Up)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl<const SHOWN: bool> Args for OfNode<SHOWN> {
    fn augment_args(command: Command) -> Command {
        let args = keys(Scope::Up).flat_map(args);
        command.args(args.map(|arg| if SHOWN { arg } else { arg.hide(true) }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::super::{Cli, Command as Chosen, Error, output::Output, run};

    fn parse(words: &str) -> Cli {
        Cli::try_parse_from(words.split_whitespace()).unwrap()
    }

    #[test]
    fn no_flag_is_there_twice() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_a_node_stand_before_up_behind_it_or_alone() {
        assert_eq!(parse("yap --mine off --peers a:1 --peers b:2,c:3").node.0["p2p.peers"], "a:1,b:2,c:3");
        let cli = parse("yap --mine off up --threads 2 --no-wallet --http-port 3009");
        assert_eq!(cli.node.0["mining.mode"], "off");
        assert_eq!(cli.global.settings.0["http.port"], "3009");
        let Some(Chosen::Up(up)) = &cli.command else { panic!("{cli:?}") };
        assert_eq!(format!("{up:?}").matches("mining.threads").count(), 1);
        assert_eq!(format!("{up:?}").matches("wallet.enabled").count(), 1);
    }

    #[test]
    fn of_yes_and_no_the_last_one_counts() {
        assert_eq!(parse("yap --mdns --no-mdns").node.0["p2p.mdns"], "false");
        assert_eq!(parse("yap --no-mdns --mdns").node.0["p2p.mdns"], "true");
        assert!(!parse("yap").node.0.contains_key("p2p.mdns"));
    }

    #[test]
    fn flags_of_every_command_stand_before_it_or_behind_it() {
        for words in ["yap --chain regtest --config a.toml utxo", "yap utxo --chain regtest --config a.toml"] {
            let flags = parse(words).global.settings.0;
            assert_eq!((flags["chain"].as_str(), flags["config"].as_str()), ("regtest", "a.toml"));
        }
    }

    #[test]
    fn other_commands_refuse_flags_of_a_node() {
        let cli = parse("yap --mine off chain show");
        let error = run(&cli, &Output::new(false)).unwrap_err();
        assert!(matches!(error, Error::NodeFlag("mine")), "{error}");
    }
}
