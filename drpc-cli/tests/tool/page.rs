//! The page of a recording, in a real browser.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Folder;

const REGISTRY: &str = r#"
[[module]]
id = 5
name = "greeter"
method = [{ number = 1, name = "hello" }, { number = 2, name = "bye" }, { number = 3, name = "wait" }, { number = 4, name = "watch" }]
"#;

/// What the browser does with the page, and what it then sees there.
const CHECKS: &str = include_str!("page_checks.js");

/// The page renders, is searched, zoomed and moved about in, and the browser has no complaint.
#[test]
fn a_browser_shows_searches_and_zooms() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium; `just page-test` installs one on Debian");
        return;
    };
    let folder = Folder::new();
    folder.write("modules.toml", REGISTRY);
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tool/data/traffic.jsonl");
    fs::copy(recording, folder.path("traffic.jsonl")).unwrap();
    folder
        .drpc("show traffic.jsonl --registry modules.toml --html page.html")
        .assert()
        .code(0)
        .stderr_eq("23 calls\n");
    let page = folder.read("page.html");
    assert!(!page.contains("<script>alert"), "a client's name is no markup");
    // What is complained of before the checks begin counts, too.
    let watch = "<script>window.complaints = []; window.onerror = (what) => complaints.push(what);</script>";
    let page = page.replacen("<head>", &format!("<head>{watch}"), 1);
    folder.write("page.html", &page.replace("</body>", &format!("<script>{CHECKS}</script></body>")));

    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1300,800",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", folder.path("profile").display()))
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("file://{}", folder.path("page.html").display()))
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let result = seen.split("<pre id=\"result\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    assert_eq!(result, Some("all is well"), "{said}");
    assert!(!said.contains("CONSOLE"), "{said}");
}

fn browser() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|browser| {
        Command::new(browser).arg("--version").output().is_ok_and(|output| output.status.success())
    })
}
