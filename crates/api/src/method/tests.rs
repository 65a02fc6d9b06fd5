//! Methods are called as with Bitcoin Core: by position, by name, and with its words when they don't fit.

use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::fixture::StandIn;

/// Gives back what it was given.
#[derive(Debug, Deserialize, JsonSchema)]
struct Echo {
    /// What is said.
    text: String,
    /// How often.
    #[serde(default = "once")]
    times: u32,
    /// Whether loudly.
    loud: Option<bool>,
}

fn once() -> u32 {
    1
}

/// What was said.
#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// All of it.
    said: String,
}

impl Method for Echo {
    const NAME: &'static str = "echo";
    const GROUP: Group = Group::Util;
    const ACCESS: Access = Access::Open;
    const ALIASES: &'static [(&'static str, &'static str)] = &[("count", "times")];
    type Reply = Said;

    async fn call(self, _: Context) -> Result<Said, Error> {
        let said = self.text.repeat(self.times as usize);
        Ok(Said { said: if self.loud == Some(true) { said.to_uppercase() } else { said } })
    }
}

/// Runs what does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn call(parameters: Value) -> Result<Value, Error> {
    let methods = Arc::new(Methods::default().with::<Echo>());
    let context = Context { backend: StandIn::new(), methods: Arc::clone(&methods) };
    now(methods.call("echo", parameters, context))
}

fn said(parameters: Value) -> String {
    call(parameters).unwrap()["said"].as_str().unwrap().to_owned()
}

fn refused(parameters: Value) -> (Code, String) {
    let error = call(parameters).unwrap_err();
    (error.code, error.message)
}

#[test]
fn parameters_go_by_position_by_name_or_both() {
    assert_eq!(said(json!(["a"])), "a");
    assert_eq!(said(json!(["a", 2, true])), "AA");
    assert_eq!(said(json!(["a", null, true])), "A");
    assert_eq!(said(json!({"text": "a", "loud": true})), "A");
    assert_eq!(said(json!({"args": ["a"], "times": 3})), "aaa");
    assert_eq!(said(json!({"text": "a", "count": 3})), "aaa");
}

#[test]
fn too_many_or_too_few_are_answered_with_help() {
    for parameters in [json!(["a", 1, true, 4]), json!([]), Value::Null, json!({"times": 2}), json!([null])] {
        let (code, message) = refused(parameters);
        assert_eq!(code, Code::Misc);
        assert!(message.starts_with("echo \"text\" ( times loud )\n\nGives back"), "{message}");
    }
}

#[test]
fn names_are_checked_as_bitcoin_core_does() {
    let unknown = refused(json!({"text": "a", "lound": true}));
    assert_eq!(unknown, (Code::InvalidParameter, "Unknown named parameter lound".into()));
    let twice = refused(json!({"args": ["a"], "text": "b"}));
    assert_eq!(
        twice,
        (Code::InvalidParameter, "Parameter text specified twice both as positional and named argument".into())
    );
    let both = refused(json!({"text": "b", "times": 1, "count": 1}));
    assert_eq!(both.0, Code::InvalidParameter);
    assert_eq!(refused(json!({"args": 1, "text": "b"})).1, "Unknown named parameter args");
    assert_eq!(refused(json!("a")), (Code::InvalidRequest, "Params must be an array or object".into()));
}

#[test]
fn wrong_types_are_told_in_bitcoin_cores_words() {
    let (code, message) = refused(json!([1, "x"]));
    assert_eq!(code, Code::Type);
    assert_eq!(
        message,
        "Wrong type passed:\n{\n    \
         \"Position 1 (text)\": \"JSON value of type number is not of expected type string\",\n    \
         \"Position 2 (times)\": \"JSON value of type string is not of expected type number\"\n}"
    );
    for number in [json!(-1), json!(1.5), json!(1_u64 << 32)] {
        assert_eq!(refused(json!(["a", number])), (Code::Misc, "JSON integer out of range".into()));
    }
}

#[test]
fn a_method_that_is_not_there_is_not_found() {
    let methods = Arc::new(Methods::default());
    let context = Context { backend: StandIn::new(), methods: Arc::clone(&methods) };
    let error = now(methods.call("echo", Value::Null, context)).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::MethodNotFound, "Method not found"));
}

#[test]
fn help_is_written_from_the_types() {
    let methods = Methods::default().with::<Echo>();
    assert_eq!(methods.help(), "== Util ==\necho \"text\" ( times loud )\n");
    assert_eq!(
        methods.get("echo").unwrap().help(),
        "echo \"text\" ( times loud )\n\nGives back what it was given.\n\nArguments:\n\
         1. text (string, required) What is said.\n\
         2. times (integer, optional, default=1) How often.\n\
         3. loud (boolean, optional) Whether loudly.\n\n\
         Result:\nobject What was said.\n  said (string) All of it.\n"
    );
}
