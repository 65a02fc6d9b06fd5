//! Compiles the function that stands in for the engine's eager seeding; see `src/start.c`.

fn main() {
    println!("cargo:rerun-if-changed=src/start.c");
    cc::Build::new().file("src/start.c").link_lib_modifier("+whole-archive").compile("yap_start");
}
