//! Compiles the function that stands in for the engine's eager seeding (`src/start.c`), and has the C++ runtime linked
//! into the program.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=src/start.c");
    cc::Build::new().file("src/start.c").link_lib_modifier("+whole-archive").compile("yap_start");
    link_runtime();
}

/// The engine asks for `-lstdc++`. Of a folder that holds only the archive the linker takes that, and of the archive what
/// is used: less to load at each start, and a program that runs where there is no C++ runtime.
///
/// Where there is no such archive, or none that fits (LLVM's runtime, other systems), the shared one is linked as ever.
fn link_runtime() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if (variable("CARGO_CFG_TARGET_OS"), variable("CARGO_CFG_TARGET_ENV")) != ("linux".into(), "gnu".into()) {
        return;
    }
    let folder = Path::new(&variable("OUT_DIR")).join("runtime");
    let Some(archive) = archive(&folder) else { return };
    match std::fs::copy(&archive, folder.join("libstdc++.a")) {
        Ok(_) => println!("cargo:rustc-link-search=native={}", folder.display()),
        Err(error) => println!("cargo:warning=the C++ runtime stays shared: {}: {error}", folder.display()),
    }
}

/// A program that uses the runtime.
const TRIAL: &str = "#include <iostream>
int main(int n, char **) { try { if (n > 9) throw n; } catch (int) {} std::cout << n; }
";

/// The compiler's own archive of the C++ runtime, if a program that may lie anywhere in memory can be linked with it.
fn archive(folder: &Path) -> Option<PathBuf> {
    let compiler = cc::Build::new().cpp(true).try_get_compiler().ok().filter(cc::Tool::is_like_gnu)?;
    let said = compiler.to_command().arg("-print-file-name=libstdc++.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    // A compiler that has none says the bare name.
    if !path.is_absolute() || !path.is_file() {
        return None;
    }
    let trial = folder.join("trial.cpp");
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&trial, TRIAL)).ok()?;
    let linked = compiler
        .to_command()
        .args(["-fPIE", "-pie", "-static-libstdc++", "-o"])
        .arg(trial.with_extension("out"))
        .arg(&trial)
        .output()
        .ok()?;
    linked.status.success().then_some(path)
}
