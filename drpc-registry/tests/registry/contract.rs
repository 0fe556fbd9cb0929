//! Contracts: their text, there and back, and every kind of change.

use std::collections::BTreeSet;

use drpc_registry::contract::{Contract, Reserved, compare};

const CONTRACT: &str = "\
drpc contract 1

module -3 negative
    method -299 raw
        request bytes::Bytes
        reply ()

module 5 greeter
    rule users
    method 501 hello
        request hello.Hello
        reply hello.Greeting
    method 502 stop
        request ()
        reply ()
        idempotent
        rule admin
    method 503 by_hand
        request greeter::Pair<greeter::One, greeter::Two>
        reply bytes::Bytes

message greeter::Pair<greeter::One, greeter::Two>
    its fields are not known here

message hello.Greeting
    1 text: string
    2 to: message hello.Person

message hello.Hello
    1 person: message hello.Person
    2 mood: enum hello.Mood
    3 titles: repeated string
    4 ages: map<string, uint32>
    5 friends: map<uint64, message hello.Person>
    6 by_mail: string, oneof how
    7 by_hand: bool, oneof how
    8 note: optional string
    9 count: optional int32, default 7
    10 kind: required string, default a, oneof b
    11 old: repeated group hello.Person
    reserved 20 to 29, 31

enum hello.Mood
    0 GOOD
    1 BAD
    1 NOT_GOOD
    2 WORSE
    reserved -1, 9 to 2147483647

message hello.Person
    1 name: string
";

fn parsed(text: &str) -> Contract {
    Contract::parse("contract.txt", text).expect("a good contract")
}

/// The changes from [`CONTRACT`] to the same with some text replaced.
fn changes(from: &str, to: &str) -> Vec<String> {
    assert_eq!(CONTRACT.matches(from).count(), 1, "{from}");
    let changes = compare(&parsed(CONTRACT), &parsed(&CONTRACT.replace(from, to)));
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_text_comes_back_as_it_was_read() {
    assert_eq!(parsed(CONTRACT).to_string(), CONTRACT);
    let commented = CONTRACT.replace("\n\n", "\n# A comment.\n\n  \n");
    assert_eq!(parsed(&commented).to_string(), CONTRACT);
    assert_eq!(compare(&parsed(CONTRACT), &parsed(CONTRACT)), []);
    let spaced =
        CONTRACT.replace("default a, oneof b", "default \"a \"").replace("default 7", "default \"\"");
    assert_eq!(parsed(&spaced).to_string(), spaced);
    assert_eq!(changes("default a, oneof b", "default \"\"").len(), 1);
    assert_eq!(changes("default a, oneof b", "default \"a, oneof b\""), [""; 0]);
}

#[test]
fn what_is_no_contract_is_told_with_its_line() {
    let cases = [
        ("drpc contract 1\n", "", "1: expected `drpc contract 1`: this is no contract"),
        (
            "drpc contract 1",
            "drpc contract 2",
            "1: this is version 2 of a contract's text, and version 1 is known: \
             write it and read it with the same version of drpc",
        ),
        ("module 5 greeter", "module five greeter", "8: expected `module ID NAME`"),
        (
            "    method 502 stop",
            "    method 501 stop",
            "13: method 501 stands here twice: settle the merge, or write the file anew",
        ),
        (
            "        idempotent",
            "        twice",
            "16: `twice` is not expected here: take the file as it was written, or write it anew",
        ),
        ("        idempotent", "=======", "16: a merge is not settled: write the file anew"),
        (
            "        request hello.Hello",
            "        request hello.Hallo",
            "11: `hello.Hallo` is not described in this file",
        ),
        (
            "    1 text: string",
            "    1 text: strong",
            "26: expected a field, such as `1 name: string` or `2 ids: repeated message a.Id`",
        ),
        (
            "    1 text: string",
            "    1 text: map<string, map<string, map<string, string>>>",
            "26: expected a field, such as `1 name: string` or `2 ids: repeated message a.Id`",
        ),
        (
            "    1 BAD",
            "    one BAD",
            "45: `one BAD` is not expected here: take the file as it was written, or write it anew",
        ),
    ];
    for (from, to, expected) in cases {
        let error = Contract::parse("contract.txt", &CONTRACT.replacen(from, to, 1)).expect_err(to);
        assert_eq!(error.to_string(), format!("contract.txt:{expected}"));
    }
}

#[test]
fn changes_of_modules_and_methods() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "module 5 greeter\n",
            "module 4 new\n\nmodule 5 greeter\n",
            &["compatible: module 4, `new`, is new"],
        ),
        (
            "module -3 negative\n    method -299 raw\n        request bytes::Bytes\n        reply ()\n",
            "",
            &["breaking: module -3, `negative`, is gone"],
        ),
        (
            "module -3 negative",
            "module -4 negative",
            &["breaking: module `negative` had ID -3 and now has -4"],
        ),
        (
            "module -3 negative",
            "module -3 other",
            &["breaking: module ID -3 was `negative` and is now `other`"],
        ),
        ("    rule users\n", "", &["compatible: module `greeter` is no longer under rule `users`"]),
        (
            "    rule users\n",
            "    rule staff\n",
            &["breaking: module `greeter` was under rule `users` and is now under `staff`"],
        ),
        (
            "        rule admin\n",
            "    method 504 new\n        request bytes::Bytes\n",
            &[
                "compatible: method `greeter.stop` is no longer under rule `admin`",
                "compatible: method 504, `new` of `greeter`, is new",
            ],
        ),
        (
            "        reply hello.Greeting\n",
            "        reply hello.Greeting\n        rule admin\n        idempotent\n",
            &[
                "breaking: method `greeter.hello` is now idempotent: newer clients may send it twice to older servers",
                "breaking: method `greeter.hello` is now for those alone whom rule `admin` allows",
            ],
        ),
        (
            "        idempotent\n",
            "",
            &["breaking: method `greeter.stop` is no longer idempotent: older clients may send it twice"],
        ),
        (
            "        idempotent\n",
            "        idempotent\n        stream\n",
            &["breaking: method `greeter.stop` now answers by a stream"],
        ),
        (
            "    method 502 stop\n        request ()\n        reply ()\n        idempotent\n        rule admin\n",
            "",
            &["breaking: method 502, `stop` of `greeter`, is gone"],
        ),
        (
            "method 502 stop",
            "method 504 stop",
            &["breaking: method `stop` of `greeter` had ID 502 and now has 504"],
        ),
        (
            "method 502 stop",
            "method 502 halt",
            &["breaking: method ID 502 of `greeter` was `stop` and is now `halt`"],
        ),
        (
            "stop\n        request ()",
            "stop\n        request hello.Person",
            &["compatible: greeter.stop's request was `()` and is now `hello.Person`"],
        ),
        // It has a required field.
        (
            "stop\n        request ()",
            "stop\n        request hello.Hello",
            &["breaking: greeter.stop's request was `()` and is now `hello.Hello`"],
        ),
        (
            "        reply hello.Greeting",
            "        reply ()",
            &["breaking: greeter.hello's reply was `hello.Greeting` and is now `()`"],
        ),
        (
            "raw\n        request bytes::Bytes",
            "raw\n        request hello.Person",
            &["breaking: negative.raw's request was `bytes::Bytes` and is now `hello.Person`"],
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(changes(from, to), *expected, "{from} -> {to}");
    }
}

#[test]
fn changes_of_fields() {
    const REQUEST: &str = "(greeter.hello's request)";
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "    8 note: optional string\n",
            "    8 note: optional string\n    12 new: string\n",
            &["compatible: field 12, `new` of `hello.Hello`, is new"],
        ),
        (
            "    8 note: optional string\n",
            "    8 note: optional string\n    12 new: required string\n",
            &["breaking: field 12, `new` of `hello.Hello`, is new and required: older peers don't send it"],
        ),
        (
            "    8 note: optional string\n",
            "    8 note: optional string\n    12 new: string, oneof how\n",
            &["compatible: field 12, `new` of `hello.Hello`, is new"],
        ),
        (
            "    8 note: optional string\n",
            "    8 note: optional string\n    25 new: string\n",
            &["breaking: field 25, `new` of `hello.Hello`, has a number that was reserved"],
        ),
        (
            "    8 note: optional string\n",
            "",
            &["breaking: field 8, `note` of `hello.Hello`, is gone and its number not reserved"],
        ),
        (
            "    8 note",
            "    12 note",
            &["breaking: field `note` of `hello.Hello` had number 8 and now has 12"],
        ),
        (
            "    8 note",
            "    8 remark",
            &["compatible: field 8 of `hello.Hello` was `note` and is now `remark`"],
        ),
        (
            "    8 note: optional string\n",
            "    8 note: string\n",
            &["compatible: field 8, `note` of `hello.Hello`, was `optional string` and is now `string`"],
        ),
        (
            "    8 note: optional string\n",
            "    8 note: required string\n",
            &[
                "breaking: field 8, `note` of `hello.Hello`, was `optional string` and is now `required string`",
            ],
        ),
        (
            "    3 titles: repeated string\n",
            "    3 titles: string\n",
            &["breaking: field 3, `titles` of `hello.Hello`, was `repeated string` and is now `string`"],
        ),
        (
            "    3 titles: repeated string\n",
            "    3 titles: repeated bytes\n",
            &[
                "breaking: field 3, `titles` of `hello.Hello`, was `repeated string` and is now `repeated bytes`",
            ],
        ),
        (
            "    2 mood: enum hello.Mood\n",
            "    2 mood: int32\n",
            &["compatible: field 2, `mood` of `hello.Hello`, was `enum hello.Mood` and is now `int32`"],
        ),
        (
            "    2 mood: enum hello.Mood\n",
            "    2 mood: sint32\n",
            &["breaking: field 2, `mood` of `hello.Hello`, was `enum hello.Mood` and is now `sint32`"],
        ),
        (
            "    1 person: message hello.Person\n",
            "    1 person: bytes\n",
            &["breaking: field 1, `person` of `hello.Hello`, was `message hello.Person` and is now `bytes`"],
        ),
        (
            "    4 ages: map<string, uint32>\n",
            "    4 ages: map<string, int64>\n",
            &[
                "compatible: field 4, `ages` of `hello.Hello`, was `map<string, uint32>` and is now `map<string, int64>`",
            ],
        ),
        (
            "    4 ages: map<string, uint32>\n",
            "    4 ages: map<uint32, uint32>\n",
            &[
                "breaking: field 4, `ages` of `hello.Hello`, was `map<string, uint32>` and is now `map<uint32, uint32>`",
            ],
        ),
        (
            "    9 count: optional int32, default 7\n",
            "    9 count: optional int32, default 8\n",
            &[
                "breaking: field 9, `count` of `hello.Hello`, was `optional int32, default 7` and is now `optional int32, default 8`",
            ],
        ),
        (
            "    8 note: optional string\n",
            "    8 note: string, oneof how\n",
            &[
                "breaking: field 8, `note` of `hello.Hello`, was `optional string` and is now `string, oneof how`",
                // They exclude another one now.
                "breaking: field 6, `by_mail` of `hello.Hello`, shares its oneof with others than before",
                "breaking: field 7, `by_hand` of `hello.Hello`, shares its oneof with others than before",
            ],
        ),
        (
            "    6 by_mail: string, oneof how\n    7 by_hand: bool, oneof how\n",
            "    6 by_mail: string, oneof way\n    7 by_hand: bool, oneof way\n",
            &[
                "compatible: field 6, `by_mail` of `hello.Hello`, was `string, oneof how` and is now `string, oneof way`",
                "compatible: field 7, `by_hand` of `hello.Hello`, was `bool, oneof how` and is now `bool, oneof way`",
            ],
        ),
        (
            "    reserved 20 to 29, 31\n",
            "    reserved 20 to 22, 25 to 40\n",
            &["breaking: no longer reserved in `hello.Hello`: 23 to 24"],
        ),
    ];
    for (from, to, expected) in cases {
        let expected: BTreeSet<_> = expected.iter().map(|line| format!("{line} {REQUEST}")).collect();
        assert_eq!(changes(from, to).into_iter().collect::<BTreeSet<_>>(), expected, "{from} -> {to}");
    }
}

#[test]
fn a_field_that_went_may_leave_its_number_reserved() {
    let new = CONTRACT.replace("    8 note: optional string\n", "").replace("reserved 20", "reserved 8, 20");
    let changes = compare(&parsed(CONTRACT), &parsed(&new));
    let expected = "compatible: field 8, `note` of `hello.Hello`, is gone and its number reserved (greeter.hello's request)";
    assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);

    let new = CONTRACT
        .replace("    10 kind: required string, default a, oneof b\n", "")
        .replace("reserved 20", "reserved 10, 20");
    let changes = compare(&parsed(CONTRACT), &parsed(&new));
    let expected = "breaking: field 10, `kind` of `hello.Hello`, is gone and was required: older peers refuse a message without it \
                    (greeter.hello's request)";
    assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn scalars_of_one_wire_form_read_each_other() {
    let compatible: &[_] = &[
        ("int32", "int64"),
        ("int64", "int32"),
        ("uint32", "bool"),
        ("uint64", "int32"),
        ("sint32", "sint64"),
        ("fixed32", "sfixed32"),
        ("sfixed64", "fixed64"),
    ];
    let breaking: &[_] = &[
        ("bytes", "string"),
        ("string", "bytes"),
        ("int32", "sint32"),
        ("int32", "fixed32"),
        ("fixed32", "fixed64"),
        ("fixed32", "float"),
        ("float", "double"),
        ("fixed64", "double"),
        ("string", "int32"),
    ];
    let text = |scalar: &str| CONTRACT.replace("    1 text: string\n", &format!("    1 text: {scalar}\n"));
    for (pairs, is_breaking) in [(compatible, false), (breaking, true)] {
        for (old, new) in pairs {
            let changes = compare(&parsed(&text(old)), &parsed(&text(new)));
            assert_eq!(changes.len(), 1, "{old} -> {new}");
            assert_eq!(changes[0].is_breaking(), is_breaking, "{old} -> {new}");
        }
    }
}

#[test]
fn changes_of_enums() {
    const REQUEST: &str = "(greeter.hello's request)";
    let cases = [
        (
            "    2 WORSE\n",
            "    2 WORSE\n    3 WORST\n",
            "compatible: value 3, `WORST` of `hello.Mood`, is new",
        ),
        (
            "    2 WORSE\n",
            "",
            "breaking: value 2, `WORSE` of `hello.Mood`, is gone and its number not reserved",
        ),
        ("    2 WORSE\n", "    3 WORSE\n", "breaking: value `WORSE` of `hello.Mood` was 2 and is now 3"),
        (
            "    2 WORSE\n",
            "    2 EVIL\n",
            "compatible: value 2 of `hello.Mood` was `WORSE` and is now `EVIL`",
        ),
        (
            "    2 WORSE\n",
            "    2 WORSE\n    9 END\n",
            "breaking: value 9, `END` of `hello.Mood`, has a number that was reserved",
        ),
        ("    reserved -1, 9 to", "    reserved 9 to", "breaking: no longer reserved in `hello.Mood`: -1"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(changes(from, to), [format!("{expected} {REQUEST}")]);
    }
}

#[test]
fn a_change_names_all_the_places_that_it_reaches() {
    assert_eq!(
        changes("    1 name: string\n", "    1 name: uint32\n"),
        ["breaking: field 1, `name` of `hello.Person`, was `string` and is now `uint32` \
          (greeter.hello's request, greeter.hello's reply)"]
    );
    let method = |id: i32| format!("    method {id} m{id}\n        request hello.Person\n        reply ()\n");
    let many: String = (510..520).map(method).collect();
    let old = CONTRACT.replace("\nmessage greeter", &format!("{many}\nmessage greeter"));
    let changes = compare(&parsed(&old), &parsed(&old.replace("    1 name: string", "    1 name: uint32")));
    assert_eq!(changes[0].reached_by().len(), 12);
    assert!(changes[0].to_string().ends_with(
        "(greeter.hello's request, greeter.hello's reply, greeter.m510's request, greeter.m511's request, and 8 more)"
    ));
}

#[test]
fn a_message_of_another_name_is_compared_by_its_fields() {
    let renamed = CONTRACT.replace("hello.Person", "people.Person");
    let changes = compare(&parsed(CONTRACT), &parsed(&renamed));
    assert!(!changes.is_empty() && changes.iter().all(|change| !change.is_breaking()), "{changes:?}");

    let changes =
        compare(&parsed(CONTRACT), &parsed(&renamed.replace("    1 name: string", "    1 name: float")));
    let breaking: Vec<_> = changes.iter().filter(|change| change.is_breaking()).collect();
    assert_eq!(breaking.len(), 1);
    assert!(breaking[0].to_string().contains("`name` of `people.Person`, was `string` and is now `float`"));
}

#[test]
fn messages_that_are_not_known_are_the_same_by_name_alone() {
    let renamed = CONTRACT.replace("greeter::Pair<greeter::One, greeter::Two>", "greeter::Pair");
    let changes = compare(&parsed(CONTRACT), &parsed(&renamed));
    assert_eq!(
        changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "compatible: greeter.by_hand's request was `greeter::Pair<greeter::One, greeter::Two>` and is now `greeter::Pair`",
            "breaking: `greeter::Pair<greeter::One, greeter::Two>`, whose fields are not known, became `greeter::Pair`, \
             whose fields are not known: nothing shows that both are the same on the wire (greeter.by_hand's request)",
        ]
    );
}

#[test]
fn messages_that_lead_to_themselves_are_compared_once() {
    let recursive =
        CONTRACT.replace("    1 name: string\n", "    1 name: string\n    2 next: message hello.Person\n");
    let changes = compare(&parsed(CONTRACT), &parsed(&recursive));
    assert_eq!(changes.len(), 1);
    assert_eq!(compare(&parsed(&recursive), &parsed(&recursive)), []);
}

#[test]
fn reserved_numbers_are_ranges() {
    let reserved =
        Reserved::of([(12, 12), (6, 9), (8, 10), (11, 11), (i32::MIN, -5), (20, i32::MAX), (4, 3)]);
    assert_eq!(reserved.to_string(), "-2147483648 to -5, 6 to 12, 20 to 2147483647");
    assert!(reserved.contains(i32::MAX) && reserved.contains(6) && !reserved.contains(5));
    let others = Reserved::of([(7, 8), (12, 25), (i32::MIN, i32::MIN)]);
    assert_eq!(reserved.without(&others).to_string(), "-2147483647 to -5, 6, 9 to 11, 26 to 2147483647");
    assert!(reserved.without(&Reserved::of([(i32::MIN, i32::MAX)])).is_empty());
}
