//! Keeps Bitcoin Core's library from seeding random numbers, for 100 ms, before `main`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The linkers of other systems know no `--wrap`; there the program starts as the library wants.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,--wrap=_Z10RandomInitv");
    }
}
