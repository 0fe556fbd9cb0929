//! `list` and `describe`: what a server offers, and where names come from.

use snapbox::str;

use crate::shop::{PROTO, descriptors, plain_shop, serve, serve_in_steps, serve_in_threads, shop};
use crate::support::{CONTRACT, Folder};

#[test]
fn what_every_kind_of_server_offers_is_listed() {
    for serve in [serve, serve_in_threads, serve_in_steps] {
        let folder = Folder::new();
        let _server = serve(shop(), &folder.path("s.sock"));
        folder.drpc("list s.sock").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
12 shop                   Sells things.
  1201 buy                Buys a thing.
  1202 echo               Returns the body as it came.
  1203 hang
  1204 garble
  1205 by_hand
  1207 sweep
  1208 customers          Tells of each customer, of whom there is no end where `item` says so.
21474801 reflection
  2147480101 catalogue
  2147480102 descriptors
  2147480103 sessions

"#]]);
    }
}

/// A rule hides what the caller may not call, and what only that needs.
#[test]
fn a_method_that_is_denied_is_not_shown() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let said = folder.drpc("describe s.sock").assert().code(0).get_output().stdout.clone();
    assert!(!String::from_utf8(said).unwrap().contains("till"));
    folder.drpc("call s.sock shop.open_till").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `shop.open_till`; `drpc list` shows all

"#]]);
    folder.drpc("call s.sock 1206").assert().code(1).stdout_eq("").stderr_eq(str![[r#"
status=FAILURE cause=denied
error: refused: rule `owner` does not allow this caller

"#]]);
}

#[test]
fn modules_and_methods_are_described_as_proto_files() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.drpc("describe s.sock shop").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
// Sells things.
service shop { // module 12
  // Buys a thing.
  //
  // It is sent by post.
  rpc buy (shop.Order) returns (shop.Receipt); // 1201, idempotent, timeout 2s

  // Returns the body as it came.
  rpc echo (bytes) returns (bytes); // 1202

  rpc hang () returns (); // 1203

  rpc garble () returns (shop.Receipt); // 1204

  rpc by_hand (tool::shop::ByHand) returns (tool::shop::ByHand); // 1205

  rpc sweep () returns (); // 1207

  // Tells of each customer, of whom there is no end where `item` says so.
  rpc customers (shop.Order) returns (stream shop.Receipt); // 1208
}

// What to buy.
message shop.Order {
  // What it is called.
  string item = 1;
  uint32 amount = 2;
  repeated shop.Line lines = 3;
  map<string, shop.Line> by_name = 4;
  oneof payment {
    string card = 5;
    uint64 cash = 6;
  }
  shop.Colour colour = 7;
  google.protobuf.Timestamp due_at = 8;
  google.protobuf.Duration patience = 9;
  // What it was ordered with.
  shop.Order parent = 10;
  bytes token = 11;
  repeated shop.Order children = 12;
}

message shop.Receipt {
  string text = 1;
}

message shop.Line {
  string text = 1;
  sint64 price = 2;
}

enum shop.Colour {
  ANY = 0;
  // Like a brick.
  RED = 1;
}

"#]]);
    let garble = str![[r#"
// Sells things.
service shop { // module 12
  rpc garble () returns (shop.Receipt); // 1204
}

message shop.Receipt {
  string text = 1;
}

"#]];
    for name in ["shop.garble", "12.1204", "1204", "shop.1204"] {
        folder
            .drpc(&format!("describe s.sock {name}"))
            .assert()
            .code(0)
            .stderr_eq("")
            .stdout_eq(garble.clone());
    }
    folder.drpc("list s.sock --json").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
[
  {
    "doc": "Sells things.",
    "id": 12,
    "methods": [
      {
        "doc": "Buys a thing./n/nIt is sent by post.",
        "id": 1201,
        "kinds": [
          "idempotent",
          "timeout 2s"
        ],
        "name": "buy",
        "reply": "shop.Receipt",
        "request": "shop.Order",
        "rule": null
      },
      {
        "doc": "Returns the body as it came.",
        "id": 1202,
        "kinds": [],
        "name": "echo",
        "reply": "bytes",
        "request": "bytes",
        "rule": null
      },
      {
        "doc": "",
        "id": 1203,
        "kinds": [],
        "name": "hang",
        "reply": "",
        "request": "",
        "rule": null
      },
      {
        "doc": "",
        "id": 1204,
        "kinds": [],
        "name": "garble",
        "reply": "shop.Receipt",
        "request": "",
        "rule": null
      },
      {
        "doc": "",
        "id": 1205,
        "kinds": [],
        "name": "by_hand",
        "reply": "tool::shop::ByHand",
        "request": "tool::shop::ByHand",
        "rule": null
      },
      {
        "doc": "",
        "id": 1207,
        "kinds": [],
        "name": "sweep",
        "reply": "",
        "request": "",
        "rule": null
      },
      {
        "doc": "Tells of each customer, of whom there is no end where `item` says so.",
        "id": 1208,
        "kinds": [
          "stream"
        ],
        "name": "customers",
        "reply": "shop.Receipt",
        "request": "shop.Order",
        "rule": null
      }
    ],
    "name": "shop",
    "rule": null
  },
  {
    "doc": "",
    "id": 21474801,
    "methods": [
      {
        "doc": "",
        "id": 2147480101,
        "kinds": [
          "idempotent"
        ],
        "name": "catalogue",
        "reply": null,
        "request": null,
        "rule": null
      },
      {
        "doc": "",
        "id": 2147480102,
        "kinds": [
          "idempotent"
        ],
        "name": "descriptors",
        "reply": null,
        "request": null,
        "rule": null
      },
      {
        "doc": "",
        "id": 2147480103,
        "kinds": [
          "idempotent"
        ],
        "name": "sessions",
        "reply": null,
        "request": null,
        "rule": null
      }
    ],
    "name": "reflection",
    "rule": null
  }
]

"#]]);
}

#[test]
fn a_name_that_is_not_there_is_told_with_what_is() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.drpc("describe s.sock shop.bui").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `shop.bui`: did you mean `shop.buy`?

"#]]);
    folder.drpc("describe s.sock shob").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no module `shob`: did you mean `shop`?

"#]]);
    folder.drpc("describe s.sock 1299").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `1299`; `drpc list` shows all

"#]]);
    folder.drpc("call s.sock shpo.buy").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `shpo.buy`: did you mean `shop.buy`?

"#]]);
    folder.drpc("call s.sock buy").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `buy`: did you mean `shop.buy`?

"#]]);
    folder.drpc("call s.sock pools.destroy").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `pools.destroy`; `drpc list` shows all

"#]]);
}

/// With files, the server is not asked, and need not be there.
#[test]
fn names_come_from_files_too() {
    let folder = Folder::new();
    folder.write("contract.txt", CONTRACT);
    folder.drpc("list none.sock --contract contract.txt").assert().code(0).stderr_eq("").stdout_eq(str![[
        r#"
5 greeter
  501 hello

"#
    ]]);
    folder
        .drpc("describe none.sock greeter.hello --contract contract.txt")
        .assert()
        .code(0)
        .stderr_eq("")
        .stdout_eq(str![[r#"
service greeter { // module 5
  rpc hello (hello.Hello) returns (hello.Greeting); // 501
}

message hello.Hello {
  string name = 1;
  uint32 birth_year = 2;
}

message hello.Greeting {
  string greeting = 1;
}

"#]]);

    folder.write("modules.toml", SHOP);
    folder.write("proto/shop.proto", PROTO);
    std::fs::write(folder.path("shop.bin"), descriptors()).unwrap();
    let by_convention = str![[r#"
// Sells things.
service shop { // module 12
  // Has a request that is named after it, and no reply.
  rpc order (shop.Order) returns (?); // 1209
}

// What to buy.
message shop.Order {
  // What it is called.
  string item = 1;
  uint32 amount = 2;
  repeated shop.Line lines = 3;
  map<string, shop.Line> by_name = 4;
  oneof payment {
    string card = 5;
    uint64 cash = 6;
  }
  shop.Colour colour = 7;
  google.protobuf.Timestamp due_at = 8;
  google.protobuf.Duration patience = 9;
  // What it was ordered with.
  shop.Order parent = 10;
  bytes token = 11;
  repeated shop.Order children = 12;
}

message shop.Line {
  string text = 1;
  sint64 price = 2;
}

enum shop.Colour {
  ANY = 0;
  // Like a brick.
  RED = 1;
}

"#]];
    for files in ["--proto proto", "--descriptors shop.bin"] {
        folder
            .drpc(&format!("describe none.sock shop.order --registry modules.toml {files}"))
            .assert()
            .code(0)
            .stderr_eq("")
            .stdout_eq(by_convention.clone());
    }
}

const SHOP: &str = r#"[[module]]
id = 12
name = "shop"
doc = "Sells things."

[[module.method]]
number = 2
name = "line"

[[module.method]]
number = 9
name = "order"
doc = "Has a request that is named after it, and no reply."
"#;

#[test]
fn daos_is_known() {
    let folder = Folder::new();
    folder.drpc("describe none.sock mgmt.ping_rank --daos").assert().code(0).stderr_eq("").stdout_eq(str![[
        r#"
// Management
service mgmt { // module 2
  // Checks that a rank answers
  rpc ping_rank (mgmt.PingRankReq) returns (mgmt.DaosResp); // 225, idempotent
}

// Checks that a rank answers (225).
message mgmt.PingRankReq {
  uint32 rank = 1;
}

// Nothing but how it went: the reply of many methods.
message mgmt.DaosResp {
  // 0, or a negative DER_* code
  int32 status = 1;
}

"#
    ]]);
    let said =
        folder.drpc("list none.sock --daos").assert().code(0).stderr_eq("").get_output().stdout.clone();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("sec_agent") && said.contains("request_creds"), "{said}");
    // DAOS's own header, as it is.
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/daos/drpc_modules.h");
    let said = folder.drpc(&format!("list none.sock --registry {header}")).assert().code(0).stderr_eq("");
    assert!(String::from_utf8_lossy(&said.get_output().stdout).contains("ping_rank"));
}

#[test]
fn a_server_without_reflection_says_what_to_do() {
    let folder = Folder::new();
    let _server = serve(plain_shop(), &folder.path("s.sock"));
    for command in ["list s.sock", "describe s.sock"] {
        folder.drpc(command).assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: the server has no reflection; it needs `.reflection(true)` where it is built, or name its modules by --registry, --contract or --daos

"#]]);
    }
    folder.drpc("call s.sock shop.buy").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no method `shop.buy`: no names are known here; give its number, or name a registry with --registry FILE

"#]]);
    folder.drpc("call s.sock 1201 --template").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the type of the request is not known: name it by --contract or --proto, or switch on the server's reflection

"#]]);
    folder.drpc("call s.sock 1201 {}").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: the type of the body is not known, so give its bytes in hex digits: "00ff"

"#]]);
    // The reply's type is not known: it is shown as digits.
    folder.drpc("call s.sock 1201 0a03627573 --hex").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
0a076f6e6520627573

"#]]);
    folder.drpc("call s.sock 1202").assert().code(0).stderr_eq("").stdout_eq("\n");
}

#[test]
fn files_that_can_not_be_used_are_told_of() {
    let folder = Folder::new();
    folder.write("wrong.toml", "[[module]]\nid = 12\n");
    folder.write("wrong.txt", "drpc contract 1\n\nmodule twelve shop\n");
    folder.write("wrong.bin", "these are no descriptors");
    folder.write("wrong/shop.proto", "syntax = \"proto3\";\nmessage Order {\n  strin item = 1;\n}\n");
    folder.write("empty/README", "");
    let list = |files: &str| folder.drpc(&format!("list none.sock {files}")).assert().code(2).stdout_eq("");
    list("--registry none.toml").stderr_eq(str![[r#"
drpc: the registry none.toml can't be read: No such file or directory (os error 2)
  = help: create the file, or correct the path

"#]]);
    list("--registry wrong.toml").stderr_eq(str![[r#"
drpc: the registry wrong.toml has 1 mistake

error: `[[module]]` without `name`
 --> wrong.toml:1:1
  |
1 | [[module]]
  | ^^^^^^^^^^ `name` is missing
  |
  = help: add `name = "…"`, in lower_snake_case

"#]]);
    list("--contract wrong.txt").stderr_eq(str![[r#"
drpc: wrong.txt:3: expected `module ID NAME`

"#]]);
    list("--descriptors wrong.bin").stderr_eq(str![[r#"
drpc: wrong.bin: failed to decode file descriptor set

"#]]);
    list("--proto wrong").stderr_eq(str![[r#"
drpc: shop.proto:3:3: name 'strin' is not defined

"#]]);
    list("--proto empty").stderr_eq(str![[r#"
drpc: there is no .proto file in empty

"#]]);
    list("--proto none").stderr_eq(str![[r#"
drpc: can't read none: No such file or directory (os error 2)

"#]]);
}

#[test]
fn the_configuration_gives_sockets_short_names() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.write("modules.toml", SHOP);
    folder.write(
        "config/drpc/config.toml",
        "[socket.shop]\npath = \"../../s.sock\"\nwire = \"chunked\"\n\n\
         [socket.files]\npath = \"../../s.sock\"\nregistry = \"../../modules.toml\"\n",
    );
    folder.drpc("call shop shop.buy {\"item\":\"bus\"}").assert().code(0).stderr_eq("").stdout_eq(str![[
        r#"
{"text":"one bus"}

"#
    ]]);
    folder.drpc("list files").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
12 shop       Sells things.
  1202 line
  1209 order  Has a request that is named after it, and no reply.

"#]]);
    folder.drpc("list shob").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: there is no socket `shob`: did you mean `shop`, of [..]/config/drpc/config.toml?

"#]]);
    // The command line is nearer.
    folder.drpc("list files --daos").assert().code(0).stderr_eq("");

    let configured = |text: &str, line: &str| {
        folder.write("own.toml", text);
        folder.drpc(line).env("DRPC_CONFIG", "own.toml").assert().code(2).stdout_eq("")
    };
    configured("[socket.shop]\npaht = \"s.sock\"\n", "list shop").stderr_eq(str![[r#"
drpc: own.toml: TOML parse error at line 2, column 1
  |
2 | paht = "s.sock"
  | ^^^^
unknown field `paht`, expected one of `path`, `wire`, `registry`, `contract`, `proto`, `descriptors`, `daos`

"#]]);
    configured("[socket.shop]\npath = \"s.sock\"\nwire = \"fast\"\n", "list shop").stderr_eq(str![[r#"
drpc: own.toml: socket `shop`: expected `auto`, `chunked` or `plain`

"#]]);
    folder.drpc("list shop --config none.toml").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: can't read the configuration file none.toml: No such file or directory (os error 2)

"#]]);
    // A path needs no configuration.
    folder.drpc("list ./s.sock --config none.toml").assert().code(0);
}

#[test]
fn the_environment_says_what_the_command_line_does_not() {
    let folder = Folder::new();
    folder.write("modules.toml", SHOP);
    let said = folder.drpc("list none.sock").env("DRPC_REGISTRY", "modules.toml").assert().code(0);
    assert!(String::from_utf8_lossy(&said.get_output().stdout).contains("1209 order"));
    folder.drpc("list none.sock").env("DRPC_WIRE", "fast").assert().code(2).stdout_eq("").stderr_eq(str![[
        r#"
error: invalid value 'fast' for '--wire <WIRE>': expected `auto`, `chunked` or `plain`

For more information, try '--help'.

"#
    ]]);
    folder.drpc("list none.sock").env("DRPC_TIMEOUT", "soon").assert().code(2).stdout_eq("").stderr_eq(str![
        [r#"
error: invalid value 'soon' for '--timeout <TIMEOUT>': expected number at 0

For more information, try '--help'.

"#]
    ]);
}
