use super::Whose;
use super::name::{MAX_LABEL, Name};

#[test]
fn a_name_says_which_run_made_it() {
    let name: Name = Name::new(4711, "alice").unwrap().to_string().parse().unwrap();
    assert_eq!((name.run(), name.to_string()), (4711, "yl4711-alice".to_owned()));
}

#[test]
fn what_others_have_made_is_no_name_of_ours() {
    for foreign in [
        "", "yl", "yl-", "yl12", "yl12-", "docker0", "ylang-1", "yl+7-a", "yl007-a", "xl7-a", "yl7-A", "yl7-a/b",
        "yl7-..",
    ] {
        assert!(foreign.parse::<Name>().is_err(), "{foreign}");
    }
}

#[test]
fn a_label_of_the_longest_length_is_taken_and_one_byte_more_is_not() {
    assert!(Name::new(1, &"a".repeat(MAX_LABEL)).is_ok());
    assert!(Name::new(1, &"a".repeat(MAX_LABEL + 1)).is_err());
}

#[test]
fn only_what_dead_runs_have_left_is_swept() {
    let own = Name::new(std::process::id(), "a").unwrap();
    assert!(Whose::Own.includes(&own) && !Whose::Dead.includes(&own));
    // Linux gives no process a number this high.
    let dead = Name::new(u32::MAX, "a").unwrap();
    assert!(Whose::Dead.includes(&dead) && !Whose::Own.includes(&dead));
    let living = Name::new(1, "a").unwrap();
    assert!(!Whose::Dead.includes(&living) && !Whose::Own.includes(&living));
}
