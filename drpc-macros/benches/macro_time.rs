//! How long `#[drpc_module]` takes to expand: 100 modules of 50 methods, against `#[async_trait]` on impls of the same shape.
//!
//! ```sh
//! cargo bench -p drpc-macros
//! ```
//!
//! A crate of each kind is made in a temporary folder and compiled several times, in turn. What is told is the least time of
//! the compiler's pass `macro_expand_crate`, the macros being built as in a user's debug build, and the difference a method.
//! That pass is named by an option that only a bootstrapping compiler has, so the variable for that is set.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const MODULES: usize = 100;
const METHODS: usize = 50;
const ROUNDS: usize = 3;

fn main() {
    let folder = env::temp_dir().join(format!("drpc-macro-time-{}", std::process::id()));
    let subjects = [("plain", plain as fn() -> String), ("async-trait", async_trait), ("drpc", drpc)];
    for (name, source) in subjects {
        write_crate(&folder.join(name), &source());
    }
    let mut best = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        for ((name, _), best) in subjects.iter().zip(&mut best) {
            *best = best.min(expansion_seconds(&folder.join(name), &folder));
        }
    }
    fs::remove_dir_all(&folder).expect("the temporary folder can be removed");

    println!("{MODULES} modules of {METHODS} methods, the least of {ROUNDS} times of macro_expand_crate:");
    for ((name, _), best) in subjects.iter().zip(&best) {
        println!("{name:>12}: {best:.3} s");
    }
    let a_method = |seconds: f64| seconds * 1e3 / (MODULES * METHODS) as f64;
    println!("a method of drpc: {:.3} ms", a_method(best[2] - best[0]));
    println!("and over one of async-trait: {:.3} ms", a_method(best[2] - best[1]));
}

/// Compiles a crate anew and gives the time that the compiler took to expand its macros.
fn expansion_seconds(path: &Path, folder: &Path) -> f64 {
    let source = path.join("src/lib.rs");
    let text = fs::read(&source).expect("written before");
    fs::write(&source, text).expect("touches the file");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["rustc", "--quiet", "--offline", "--profile=check", "--", "-Ztime-passes"])
        .current_dir(path)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .env("RUSTC_BOOTSTRAP", "1")
        .output()
        .expect("cargo runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} does not compile: {stderr}", path.display());
    stdout
        .lines()
        .chain(stderr.lines())
        .find(|line| line.ends_with("macro_expand_crate"))
        .and_then(|line| line.trim_start().strip_prefix("time:")?.split(';').next()?.trim().parse().ok())
        .expect("the compiler tells the times of its passes")
}

fn write_crate(path: &Path, source: &str) {
    let drpc = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("drpc");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let manifest = format!(
        "[package]\nname = \"macro-time-{name}\"\nedition = \"2024\"\n\n[dependencies]\nasync-trait = \"0.1\"\nbytes = \"1\"\n\
         drpc = {{ path = {drpc:?} }}\n\n[workspace]\n"
    );
    fs::create_dir_all(path.join("src")).expect("a temporary folder can be made");
    fs::write(path.join("Cargo.toml"), manifest).expect("a file can be written");
    fs::write(path.join("src/lib.rs"), source).expect("a file can be written");
    // The versions that this workspace has, so that nothing is fetched.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.lock");
    fs::copy(lock, path.join("Cargo.lock")).expect("the workspace has a lock file");
}

fn methods(head: &str, attribute: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for method in 0..METHODS {
        let attribute = attribute(method);
        writeln!(text, "    /// Method {method}.\n    {attribute}{head}async fn method_{method}(&self, body: bytes::Bytes) -> Result<bytes::Bytes, drpc::Failure> {{ Ok(body) }}")
            .expect("a string takes all");
    }
    text
}

fn plain() -> String {
    (0..MODULES)
        .map(|id| format!("pub struct M{id};\nimpl M{id} {{\n{}}}\n", methods("pub ", |_| String::new())))
        .collect()
}

fn async_trait() -> String {
    (0..MODULES)
        .map(|id| {
            let declared: String = (0..METHODS)
                .map(|method| format!("    async fn method_{method}(&self, body: bytes::Bytes) -> Result<bytes::Bytes, drpc::Failure>;\n"))
                .collect();
            let defined = methods("", |_| String::new());
            format!(
                "#[async_trait::async_trait]\npub trait T{id} {{\n{declared}}}\npub struct M{id};\n\
                 #[async_trait::async_trait]\nimpl T{id} for M{id} {{\n{defined}}}\n"
            )
        })
        .collect()
}

fn drpc() -> String {
    (0..MODULES)
        .map(|id| {
            let defined = methods("pub ", |method| format!("#[method({method})] "));
            format!("pub struct M{id};\n#[drpc::drpc_module(id = {id})]\nimpl M{id} {{\n{defined}}}\n")
        })
        .collect()
}
