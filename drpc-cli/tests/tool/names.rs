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
  1209 count              Counts what comes.
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

  // Counts what comes.
  rpc count () returns (shop.Receipt); // 1209, takes a stream of bytes
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
    "id": 12,
    "name": "shop",
    "doc": "Sells things.",
    "rule": null,
    "remote": false,
    "methods": [
      {
        "id": 1201,
        "name": "buy",
        "doc": "Buys a thing./n/nIt is sent by post.",
        "rule": null,
        "kinds": [
          "idempotent",
          "timeout 2s"
        ],
        "request": "shop.Order",
        "reply": "shop.Receipt"
      },
      {
        "id": 1202,
        "name": "echo",
        "doc": "Returns the body as it came.",
        "rule": null,
        "kinds": [],
        "request": "bytes",
        "reply": "bytes"
      },
      {
        "id": 1203,
        "name": "hang",
        "doc": "",
        "rule": null,
        "kinds": [],
        "request": "",
        "reply": ""
      },
      {
        "id": 1204,
        "name": "garble",
        "doc": "",
        "rule": null,
        "kinds": [],
        "request": "",
        "reply": "shop.Receipt"
      },
      {
        "id": 1205,
        "name": "by_hand",
        "doc": "",
        "rule": null,
        "kinds": [],
        "request": "tool::shop::ByHand",
        "reply": "tool::shop::ByHand"
      },
      {
        "id": 1207,
        "name": "sweep",
        "doc": "",
        "rule": null,
        "kinds": [],
        "request": "",
        "reply": ""
      },
      {
        "id": 1208,
        "name": "customers",
        "doc": "Tells of each customer, of whom there is no end where `item` says so.",
        "rule": null,
        "kinds": [
          "stream"
        ],
        "request": "shop.Order",
        "reply": "shop.Receipt"
      },
      {
        "id": 1209,
        "name": "count",
        "doc": "Counts what comes.",
        "rule": null,
        "kinds": [
          "takes a stream of bytes"
        ],
        "request": "",
        "reply": "shop.Receipt"
      }
    ]
  },
  {
    "id": 21474801,
    "name": "reflection",
    "doc": "",
    "rule": null,
    "remote": false,
    "methods": [
      {
        "id": 2147480101,
        "name": "catalogue",
        "doc": "",
        "rule": null,
        "kinds": [
          "idempotent"
        ],
        "request": null,
        "reply": null
      },
      {
        "id": 2147480102,
        "name": "descriptors",
        "doc": "",
        "rule": null,
        "kinds": [
          "idempotent"
        ],
        "request": null,
        "reply": null
      },
      {
        "id": 2147480103,
        "name": "sessions",
        "doc": "",
        "rule": null,
        "kinds": [
          "idempotent"
        ],
        "request": null,
        "reply": null
      }
    ]
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
    // A path needs no configuration, nor does an abstract name.
    folder.drpc("list ./s.sock --config none.toml").assert().code(0);
    folder.drpc("list @no.such.server --config none.toml").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: can't connect to @no.such.server: Connection refused (os error 111); is the server started, in this network namespace, and the name right?

"#]]);
}

/// The file that nobody asked for stops no command that does without it.
#[test]
fn a_default_configuration_that_can_not_be_used_is_told_of() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.write("config/drpc/config.toml", "[socket.shop]\npaht = \"s.sock\"\n");
    let listed = folder.drpc("list s.sock").assert().code(0).stderr_eq(str![[r#"
drpc: warning: [..]/config/drpc/config.toml: TOML parse error at line 2, column 1
  |
2 | paht = "s.sock"
  | ^^^^
unknown field `paht`, expected one of `path`, `wire`, `registry`, `contract`, `proto`, `descriptors`, `daos`

"#]]);
    assert!(String::from_utf8_lossy(&listed.get_output().stdout).contains("1201 buy"));
    // Where there is no such socket, it may be a short name.
    folder.drpc("list shop").assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: [..]/config/drpc/config.toml: TOML parse error at line 2, column 1
...
"#]]);
    std::fs::remove_file(folder.path("config/drpc/config.toml")).unwrap();
    std::fs::create_dir(folder.path("config/drpc/config.toml")).unwrap();
    folder.drpc("list s.sock").assert().code(0).stderr_eq(str![[r#"
drpc: warning: can't read the configuration file [..]/config/drpc/config.toml: Is a directory (os error 21)

"#]]);
}

#[test]
fn what_is_described_comes_as_json() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    folder.drpc("describe s.sock shop.buy --json").assert().code(0).stderr_eq("").stdout_eq(str![[r#"
[
  {
    "id": 12,
    "name": "shop",
    "doc": "Sells things.",
    "rule": null,
    "remote": false,
    "methods": [
      {
        "id": 1201,
        "name": "buy",
        "doc": "Buys a thing./n/nIt is sent by post.",
        "rule": null,
        "kinds": [
          "idempotent",
          "timeout 2s"
        ],
        "request": "shop.Order",
        "reply": "shop.Receipt"
      }
    ],
    "messages": [
      {
        "name": "shop.Order",
        "doc": "What to buy.",
        "fields": [
          {
            "number": 1,
            "name": "item",
            "type": "string",
            "label": null,
            "oneof": null,
            "doc": "What it is called."
          },
          {
            "number": 2,
            "name": "amount",
            "type": "uint32",
            "label": null,
            "oneof": null,
            "doc": ""
          },
          {
            "number": 3,
            "name": "lines",
            "type": "shop.Line",
            "label": "repeated",
            "oneof": null,
            "doc": ""
          },
          {
            "number": 4,
            "name": "by_name",
            "type": "map<string, shop.Line>",
            "label": null,
            "oneof": null,
            "doc": ""
          },
          {
            "number": 5,
            "name": "card",
            "type": "string",
            "label": null,
            "oneof": "payment",
            "doc": ""
          },
          {
            "number": 6,
            "name": "cash",
            "type": "uint64",
            "label": null,
            "oneof": "payment",
            "doc": ""
          },
          {
            "number": 7,
            "name": "colour",
            "type": "shop.Colour",
            "label": null,
            "oneof": null,
            "doc": ""
          },
          {
            "number": 8,
            "name": "due_at",
            "type": "google.protobuf.Timestamp",
            "label": null,
            "oneof": null,
            "doc": ""
          },
          {
            "number": 9,
            "name": "patience",
            "type": "google.protobuf.Duration",
            "label": null,
            "oneof": null,
            "doc": ""
          },
          {
            "number": 10,
            "name": "parent",
            "type": "shop.Order",
            "label": null,
            "oneof": null,
            "doc": "What it was ordered with."
          },
          {
            "number": 11,
            "name": "token",
            "type": "bytes",
            "label": null,
            "oneof": null,
            "doc": ""
          },
          {
            "number": 12,
            "name": "children",
            "type": "shop.Order",
            "label": "repeated",
            "oneof": null,
            "doc": ""
          }
        ]
      },
      {
        "name": "shop.Receipt",
        "doc": "",
        "fields": [
          {
            "number": 1,
            "name": "text",
            "type": "string",
            "label": null,
            "oneof": null,
            "doc": ""
          }
        ]
      },
      {
        "name": "shop.Line",
        "doc": "",
        "fields": [
          {
            "number": 1,
            "name": "text",
            "type": "string",
            "label": null,
            "oneof": null,
            "doc": ""
          },
          {
            "number": 2,
            "name": "price",
            "type": "sint64",
            "label": null,
            "oneof": null,
            "doc": ""
          }
        ]
      }
    ],
    "enums": [
      {
        "name": "shop.Colour",
        "doc": "",
        "values": [
          {
            "number": 0,
            "name": "ANY",
            "doc": ""
          },
          {
            "number": 1,
            "name": "RED",
            "doc": "Like a brick."
          }
        ]
      }
    ]
  }
]

"#]]);
}

/// Reflection tells no more than the catalogue does: nobody may open the till, and nobody is shown what only that needs.
#[test]
fn what_only_denied_methods_carry_is_not_told() {
    let folder = Folder::new();
    let _server = serve(shop(), &folder.path("s.sock"));
    let client = drpc::blocking::Client::connect(folder.path("s.sock")).unwrap();
    let told = drpc::reflection::ReflectionClient::new(client).descriptors().unwrap();
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("Receipt"));
    assert!(!told.contains("Key") && !told.contains("safe"), "{told}");
}

#[test]
fn the_environment_says_what_the_command_line_does_not() {
    let folder = Folder::new();
    folder.write("modules.toml", SHOP);
    let said = folder.drpc("list none.sock").env("DRPC_REGISTRY", "modules.toml").assert().code(0);
    assert!(String::from_utf8_lossy(&said.get_output().stdout).contains("1209 order"));
    folder.drpc("list none.sock").env("DRPC_WIRE", "fast").assert().code(2).stdout_eq("").stderr_eq(str![[
        r#"
error: invalid value 'fast' for '--wire <WIRE>'
  [possible values: auto, chunked, plain]

For more information, try '--help'.

"#
    ]]);
    folder.drpc("list none.sock").env("DRPC_TIMEOUT", "soon").assert().code(2).stdout_eq("").stderr_eq(str![
        [r#"
error: invalid value 'soon' for '--timeout <TIMEOUT>': expected a time span, such as 5s or 100ms

For more information, try '--help'.

"#]
    ]);
}

/// What files leave open the server tells: the names, where they have types alone, and the types.
#[test]
fn files_are_completed_by_what_the_server_tells() {
    let folder = Folder::new();
    let server = serve(shop(), &folder.path("s.sock"));
    folder.write("proto/shop.proto", PROTO);
    let listed = |line: &str| folder.drpc(line).assert().code(0).stderr_eq("").get_output().stdout.clone();
    assert_eq!(listed("list s.sock --proto proto"), listed("list s.sock"));
    folder.write(
        "modules.toml",
        "[[module]]\nid = 12\nname = \"shop\"\nmethod = [{ number = 1, name = \"buy\" }]\n",
    );
    let call = "call s.sock shop.buy {\"item\":\"bus\"} --registry modules.toml";
    folder.drpc(call).assert().code(0).stderr_eq("").stdout_eq("{\"text\":\"one bus\"}\n");
    folder.drpc("call s.sock shop.buy --registry modules.toml --template").assert().code(0).stderr_eq("");
    // Where they name modules, the list is theirs.
    folder.drpc("list s.sock --registry modules.toml").assert().code(0).stdout_eq("12 shop\n  1201 buy\n");
    folder
        .drpc("bench s.sock shop.buy --data {\"item\":\"bus\"} -n 1 --warm-up 0s --registry modules.toml")
        .assert()
        .code(0);
    drop(server);

    let _silent = serve(plain_shop(), &folder.path("s.sock"));
    folder.drpc("list s.sock --proto proto").assert().code(3).stdout_eq("").stderr_eq(str![[r#"
drpc: the server has no reflection; it needs `.reflection(true)` where it is built, or name its modules by --registry, --contract or --daos

"#]]);
    folder.drpc(call).assert().code(2).stdout_eq("").stderr_eq(str![[r#"
drpc: the request: the type of the body is not known, so give its bytes in hex digits: "00ff"

"#]]);
}

/// What the command line names is all there is: the environment's files are for where it names none. An empty variable says nothing.
#[test]
fn the_command_line_comes_before_the_environment() {
    let folder = Folder::with_registry();
    folder.write("contract.txt", CONTRACT);
    let listed = |line: &str, environment: &[(&str, &str)]| {
        let drpc = environment.iter().fold(folder.drpc(line), |drpc, (name, value)| drpc.env(name, value));
        String::from_utf8(drpc.assert().code(0).stderr_eq("").get_output().stdout.clone()).unwrap()
    };
    let variables =
        [("DRPC_REGISTRY", "modules.toml"), ("DRPC_CONTRACT", "contract.txt"), ("DRPC_PROTO", "none")];
    for line in ["describe none.sock --daos mgmt.ping_rank", "list none.sock --daos"] {
        assert_eq!(listed(line, &variables), listed(line, &[]));
    }
    let described = "describe none.sock --registry modules.toml";
    assert_eq!(listed(described, &variables), listed(described, &[]));
    let empty =
        ["DRPC_REGISTRY", "DRPC_CONTRACT", "DRPC_PROTO", "DRPC_DESCRIPTORS", "DRPC_WIRE", "DRPC_TIMEOUT"];
    let empty: Vec<_> = empty.into_iter().map(|name| (name, "")).collect();
    assert_eq!(listed("list none.sock --daos", &empty), listed("list none.sock --daos", &[]));
    folder.drpc("list none.sock --registry ").assert().code(2).stdout_eq("");
}

#[test]
fn proto_files_are_named_by_their_folder() {
    let folder = Folder::new();
    folder.write("proto/shop.proto", PROTO);
    folder.drpc("list none.sock --proto proto/shop.proto").assert().code(2).stdout_eq("").stderr_eq(str![[
        r#"
drpc: proto/shop.proto is a file: name the folder that its imports are looked for in

"#
    ]]);
}
