use std::fs;
use std::path::{Path, PathBuf};

use drpc::Wire;

/// A case of `tests/vectors`: packets that real peers sent each other (V).
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    /// Its path below `vectors`, without the extension.
    pub(crate) name: String,
    pub(crate) wire: Wire,
    /// The first line: what it is.
    title: String,
    pub(crate) packets: Vec<(Direction, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client: `>`.
    Call,
    /// From the server: `<`.
    Reply,
}

/// What the server did with the connection in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Open,
    Closed,
}

/// What a real client was told to call, as the title says it.
#[derive(Debug)]
pub(crate) struct Meant {
    pub(crate) module: i32,
    pub(crate) method: i32,
    pub(crate) body: Vec<u8>,
}

/// What a real client printed about one reply, as the title says it.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) status: i32,
    pub(crate) sequence: i64,
    pub(crate) body: Vec<u8>,
}

impl Vector {
    /// All of them.
    pub(crate) fn all() -> Vec<Vector> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
        let mut files = Vec::new();
        collect(&root, &mut files);
        files.sort();
        assert_eq!(files.len(), 38, "a vector was added or lost");
        files.iter().map(|file| Vector::read(&root, file)).collect()
    }

    /// Those of a real client's calls.
    pub(crate) fn of_real_clients() -> Vec<Vector> {
        Self::all().into_iter().filter(|vector| vector.name.contains("/c-client_")).collect()
    }

    fn read(root: &Path, file: &Path) -> Vector {
        let text = fs::read_to_string(file).expect("a vector");
        let mut lines = text.lines();
        let title = lines.next().expect("a title").to_owned();
        let packet = |line: &str| match line.split_at(1) {
            (">", hex) => (Direction::Call, unhex(hex.trim())),
            ("<", hex) => (Direction::Reply, unhex(hex.trim())),
            _ => panic!("{}: a line that is no packet: {line}", file.display()),
        };
        let name = file.strip_prefix(root).unwrap().with_extension("").display().to_string();
        let wire = match name.split('/').next() {
            Some("chunked-2.8") => Wire::Chunked,
            Some("plain-2.6") => Wire::Plain,
            _ => panic!("{name}: of no known generation"),
        };
        Vector { name, wire, title, packets: lines.map(packet).collect() }
    }

    pub(crate) fn of(&self, direction: Direction) -> impl Iterator<Item = &[u8]> {
        self.packets.iter().filter(move |(of, _)| *of == direction).map(|(_, packet)| &packet[..])
    }

    pub(crate) fn afterwards(&self) -> Afterwards {
        if self.title.contains("(server closed)") { Afterwards::Closed } else { Afterwards::Open }
    }

    pub(crate) fn meant(&self) -> Meant {
        let mut words = self.title_part("| args ").split(' ');
        let mut word = || words.next().expect("module, method and body");
        let (module, method) = (word().parse().unwrap(), word().parse().unwrap());
        let body = match word() {
            "-" => Vec::new(),
            hex => unhex(hex),
        };
        Meant { module, method, body }
    }

    pub(crate) fn printed(&self) -> Vec<Printed> {
        let line = |line: &str| {
            let value = |key: &str| {
                line.split(' ').find_map(|word| word.strip_prefix(key)).expect("a value").to_owned()
            };
            Printed {
                status: value("status=").parse().unwrap(),
                sequence: value("sequence=").parse().unwrap(),
                body: unhex(&value("body=")),
            }
        };
        self.title_part("| client printed: ").split(" / ").map(line).collect()
    }

    fn title_part(&self, start: &str) -> &str {
        let (_, part) = self.title.split_once(start).expect("the part of the title");
        part.split(" | ").next().expect("the part of the title")
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the vectors") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).expect("a hex digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
