//! What `#[drpc_module]` costs who compiles: beside the same methods without it, and beside `#[async_trait]`.
//!
//! ```sh
//! cargo bench -p drpc-macros
//! cargo bench -p drpc-macros -- /absolute/path/of/another/checkout    # beside that one, in the same rounds
//! ```
//!
//! A crate of each kind is made in a temporary folder and compiled several times, in turn. Four figures a method, each
//! without what the plain methods cost:
//!
//! - **expansion**: time of the compiler's pass `macro_expand_crate`; the macros are built as in a user's debug build;
//! - **check**: CPU time of a whole `cargo check`, so also for the types that the expansion makes the compiler look at;
//! - **source**: bytes of the expansion as the compiler prints it;
//! - **lines**, **code**: lines of LLVM's form before it optimises, and bytes of machine code after, of what a server runs. A
//!   client's stubs are generic, and no code until they are called.
//!
//! Times are the least of the rounds. They are a machine's; what can be held against those of another day is the ratio to
//! `async-trait`, which is taken within a round and told as the median of all. The compiler tells passes and prints expansions for options that only a bootstrapping one has, so the
//! variable for that is set. Machine code is counted by `size`, which comes with the linker.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

const MODULES: usize = 20;
const METHODS: usize = 50;
const ROUNDS: usize = 5;

/// Of as many modules is code made: that takes the compiler far longer than a check.
const CODE_MODULES: usize = 10;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace");
    let folder = env::temp_dir().join(format!("drpc-macro-cost-{}", std::process::id()));
    let mut subjects = vec![
        Subject::new(&folder, "plain", here, plain),
        Subject::new(&folder, "async-trait", here, async_trait),
        Subject::new(&folder, "drpc", here, drpc),
    ];
    // Cargo itself adds `--bench`.
    if let Some(other) = env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        let other =
            fs::canonicalize(&other).unwrap_or_else(|error| panic!("no checkout at {other}: {error}"));
        subjects.push(Subject::new(&folder, "drpc before", &other, drpc));
    }
    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            subject.time();
        }
    }
    for subject in &mut subjects {
        subject.weigh();
    }
    fs::remove_dir_all(&folder).expect("the temporary folder can be removed");

    println!(
        "a method, of {MODULES} modules of {METHODS}, {ROUNDS} rounds; in brackets, of async-trait's:\n"
    );
    println!("| | expansion, µs | check, µs | source, B | lines | code, B |");
    println!("|---|---|---|---|---|---|");
    let (plain, others) = subjects.split_first().expect("the first of them");
    let baseline = plain.added_to(&others[0]);
    for subject in others {
        let added = plain.added_to(subject);
        let figures: String = added
            .iter()
            .zip(&baseline)
            .map(|(rounds, of)| {
                let mut ratios: Vec<f64> = rounds.iter().zip(of).map(|(one, of)| one / of).collect();
                ratios.sort_by(f64::total_cmp);
                let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
                format!(" {least:.0} ({:.2}) |", ratios[ratios.len() / 2])
            })
            .collect();
        println!("| {} |{figures}", subject.name);
    }
}

/// How many figures there are of a method.
const COSTS: usize = 5;

/// A way to write the methods.
struct Subject {
    name: &'static str,
    /// Where all that belongs to this run is.
    folder: PathBuf,
    source: fn(usize) -> String,
    /// Of each round, or of the only one: expansion and check in microseconds, bytes of source, lines and bytes of code.
    costs: [Vec<f64>; COSTS],
}

impl Subject {
    /// Makes two crates of it, over the drpc of a checkout: one to check, one to make code of.
    fn new(folder: &Path, name: &'static str, checkout: &Path, source: fn(usize) -> String) -> Subject {
        let subject = Subject { name, folder: folder.to_owned(), source, costs: Default::default() };
        for (of, modules) in [("checked", MODULES), ("code", CODE_MODULES)] {
            subject.write_crate(of, modules, checkout);
        }
        // What it depends on is compiled here, so that it is in no round's time.
        subject.compile("checked", &["--profile=check"], &[]);
        subject
    }

    fn path(&self, of: &str) -> PathBuf {
        self.folder.join(self.name.replace(' ', "-")).join(of)
    }

    fn write_crate(&self, of: &str, modules: usize, checkout: &Path) {
        let path = self.path(of);
        let drpc = checkout.join("drpc");
        let package = package_of(&drpc);
        let manifest = format!(
            "[package]\nname = \"macro-cost\"\nedition = \"2024\"\n\n[dependencies]\nasync-trait = \"0.1\"\nbytes = \"1\"\n\
             drpc = {{ package = {package:?}, path = {drpc:?} }}\n\n[profile.release]\ncodegen-units = 1\n\n[workspace]\n"
        );
        fs::create_dir_all(path.join("src")).expect("a temporary folder can be made");
        fs::write(path.join("Cargo.toml"), manifest).expect("a file can be written");
        fs::write(path.join("src/lib.rs"), (self.source)(modules)).expect("a file can be written");
        // The versions that its workspace has, so that nothing is fetched.
        fs::copy(checkout.join("Cargo.lock"), path.join("Cargo.lock"))
            .expect("the workspace has a lock file");
    }

    /// What a method costs in another way of writing them, beyond what it costs in this one.
    fn added_to(&self, other: &Subject) -> [Vec<f64>; COSTS] {
        std::array::from_fn(|cost| {
            other.costs[cost].iter().zip(&self.costs[cost]).map(|(theirs, ours)| theirs - ours).collect()
        })
    }

    /// Checks it anew.
    fn time(&mut self) {
        let before = cpu_of_children();
        let told = self.compile("checked", &["--profile=check"], &["-Ztime-passes"]);
        let check = (cpu_of_children() - before).as_secs_f64();
        let expansion: f64 = told
            .lines()
            .filter(|line| line.ends_with("macro_expand_crate"))
            .find_map(|line| line.trim_start().strip_prefix("time:")?.split(';').next()?.trim().parse().ok())
            .expect("the compiler tells the times of its passes");
        for (rounds, seconds) in self.costs.iter_mut().zip([expansion, check]) {
            rounds.push(seconds * 1e6 / (MODULES * METHODS) as f64);
        }
    }

    /// Counts its expansion and its code.
    fn weigh(&mut self) {
        let expansion = self.compile("code", &["--profile=check"], &["-Zunpretty=expanded"]);
        let lines = self.folder.join("lines.ll");
        self.compile(
            "code",
            &[],
            &[&format!("--emit=llvm-ir={}", lines.display()), "-Cno-prepopulate-passes", "-Cdebuginfo=0"],
        );
        let object = self.folder.join("code.o");
        self.compile("code", &["--release"], &[&format!("--emit=obj={}", object.display())]);
        let lines = fs::read_to_string(lines).expect("the compiler wrote it").lines().count();
        for (rounds, count) in self.costs[2..].iter_mut().zip([expansion.len(), lines, machine_code(&object)])
        {
            rounds.push(count as f64 / (CODE_MODULES * METHODS) as f64);
        }
    }

    /// Compiles one of its crates anew; gives what the compiler said.
    fn compile(&self, of: &str, cargo: &[&str], rustc: &[&str]) -> String {
        let path = self.path(of);
        let source = path.join("src/lib.rs");
        let text = fs::read(&source).expect("written before");
        fs::write(&source, text).expect("touches the file");
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["rustc", "--quiet", "--offline"])
            .args(cargo)
            .arg("--")
            .args(rustc)
            .current_dir(&path)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTC_BOOTSTRAP", "1")
            .output()
            .expect("cargo runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} does not compile: {stderr}", path.display());
        String::from_utf8_lossy(&output.stdout).into_owned() + &stderr
    }
}

/// CPU time of all processes that this one has waited for, and of those that they waited for.
fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage knows RUSAGE_CHILDREN");
    let of = |time: TimeVal| {
        Duration::from_secs(time.tv_sec().unsigned_abs())
            + Duration::from_micros(time.tv_usec().unsigned_abs())
    };
    of(usage.user_time()) + of(usage.system_time())
}

/// Bytes of machine code in an object file.
fn machine_code(object: &Path) -> usize {
    let output =
        Command::new("size").args(["-A", "-d"]).arg(object).output().expect("`size` of binutils is there");
    assert!(output.status.success(), "size: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.starts_with(".text"))
        .map(|line| {
            line.split_whitespace().nth(1).and_then(|size| size.parse::<usize>().ok()).expect("a size")
        })
        .sum()
}

/// The forms of a method that take turns: what stands before `fn`, its parameters and what it returns, and its body.
const FORMS: [(&str, &str, &str); 4] = [
    ("async ", "(&self, body: bytes::Bytes) -> Result<bytes::Bytes, drpc::Failure>", "Ok(body)"),
    (
        "async ",
        "(&self, context: &drpc::Context, body: bytes::Bytes) -> Result<bytes::Bytes, drpc::Failure>",
        "let _ = context; Ok(body)",
    ),
    ("", "(&self, body: bytes::Bytes) -> bytes::Bytes", "body"),
    ("async ", "(&self) -> Result<(), drpc::Failure>", "Ok(())"),
];

fn methods(head: &str, attribute: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for method in 0..METHODS {
        let (keywords, signature, body) = FORMS[method % FORMS.len()];
        let attribute = attribute(method);
        writeln!(text, "    /// Method {method}.\n    {attribute}{head}{keywords}fn method_{method}{signature} {{ {body} }}")
            .expect("a string takes all");
    }
    text
}

fn plain(modules: usize) -> String {
    (0..modules)
        .map(|id| format!("pub struct M{id};\nimpl M{id} {{\n{}}}\n", methods("pub ", |_| String::new())))
        .collect()
}

fn async_trait(modules: usize) -> String {
    let declared: String = (0..METHODS)
        .map(|method| {
            let (keywords, signature, _) = FORMS[method % FORMS.len()];
            format!("    {keywords}fn method_{method}{signature};\n")
        })
        .collect();
    let defined = methods("", |_| String::new());
    (0..modules)
        .map(|id| {
            format!(
                "#[async_trait::async_trait]\npub trait T{id} {{\n{declared}}}\npub struct M{id};\n\
                 #[async_trait::async_trait]\nimpl T{id} for M{id} {{\n{defined}}}\n"
            )
        })
        .collect()
}

fn drpc(modules: usize) -> String {
    let defined = methods("pub ", |method| format!("#[method({method})] "));
    (0..modules)
        .map(|id| format!("pub struct M{id};\n#[drpc::drpc_module(id = {id})]\nimpl M{id} {{\n{defined}}}\n"))
        .collect()
}

/// The name of the package in a folder: it was `drpc` once.
fn package_of(folder: &Path) -> String {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a package has a manifest");
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    name.expect("a package has a name").to_owned()
}
