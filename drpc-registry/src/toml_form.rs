//! The TOML form: from text to drafts. Syntax, keys and types are judged here, all else in [`check`](crate::check).

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::draft::{Field, MethodDraft, MethodId, ModuleDraft, ReservedDraft};
use crate::report::Problem;
use crate::source::{At, Span};
use crate::suggest::closest;

/// Reads the modules; nothing when the syntax is too broken to make sense of the rest.
pub(crate) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<Vec<ModuleDraft>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let is_list = document.get_ref().get("module").is_none_or(|module| module.get_ref().is_array());
    if (!errors.is_empty() || !is_list)
        && let Some(problem) = member_without_module(text)
    {
        problems.push(problem);
        return None;
    }
    if !errors.is_empty() {
        problems.extend(errors.iter().map(syntax_problem));
        return None;
    }
    let span = document.span();
    let mut root = Table::open("the registry", &["module"], span, document.get_ref(), problems);
    Some(root.tables("module").into_iter().map(|(span, table)| module(span, table, problems)).collect())
}

fn module(span: Span, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> ModuleDraft {
    let keys = &["id", "name", "doc", "owners", "remote", "method", "reserved"];
    let mut fields = Table::open("`[[module]]`", keys, span, table, problems);
    let id = fields.integer("id");
    let name = fields.string("name");
    let doc = fields.text("doc");
    let owners = fields.strings("owners");
    let remote = fields.flag("remote");
    let methods = fields.tables("method");
    let reserved = fields.tables("reserved");
    ModuleDraft {
        span: fields.span,
        id,
        name,
        doc,
        owners,
        remote,
        methods: methods.into_iter().map(|(span, table)| method(span, table, problems)).collect(),
        reserved: reserved.into_iter().map(|(span, table)| reservation(span, table, problems)).collect(),
    }
}

fn method(span: Span, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> MethodDraft {
    let keys = &["number", "id", "name", "doc"];
    let mut fields = Table::open("`[[module.method]]`", keys, span, table, problems);
    let id = fields.method_id();
    let name = fields.string("name");
    let doc = fields.text("doc");
    MethodDraft { span: fields.span, id, name, doc }
}

fn reservation(span: Span, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> ReservedDraft {
    let keys = &["number", "id", "reason"];
    let mut fields = Table::open("`[[module.reserved]]`", keys, span, table, problems);
    let id = fields.method_id();
    let reason = fields.string("reason");
    ReservedDraft { span: fields.span, id, reason }
}

/// A method or a reservation in front of all modules. To TOML it is a part of a table `module`, or of none that it knows.
fn member_without_module(text: &str) -> Option<Problem> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let header: String = line.chars().take_while(|c| *c != '#').filter(|c| !c.is_whitespace()).collect();
        if header.starts_with("[[module.") {
            let span = start..start + line.trim_end().len();
            let problem = Problem::new(format!("`{header}` before any `[[module]]`"), &span, "whose is it?");
            return Some(problem.help("begin with `[[module]]`, its `id` and its `name`"));
        }
        if header.starts_with("[[module]]") {
            return None;
        }
        start += line.len();
    }
    None
}

fn syntax_problem(error: &toml::de::Error) -> Problem {
    let title = format!("the TOML is malformed: {}", error.message());
    Problem::new(title, &error.span().unwrap_or(0..0), "")
}

/// One table whose keys are known, read field by field.
struct Table<'t, 'p> {
    span: Span,
    table: &'t DeTable<'t>,
    /// The keys that were probably meant by unknown ones.
    misspelt: Vec<&'static str>,
    problems: &'p mut Vec<Problem>,
}

impl<'t, 'p> Table<'t, 'p> {
    /// Reports the keys that a table of this kind does not have.
    fn open(
        kind: &str,
        keys: &[&'static str],
        span: Span,
        table: &'t DeTable<'t>,
        problems: &'p mut Vec<Problem>,
    ) -> Self {
        let mut misspelt = Vec::new();
        for key in table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let meant = closest(name, keys.iter().copied());
            misspelt.extend(meant);
            let help = match (meant, keys) {
                (Some(key), _) => format!("did you mean `{key}`?"),
                (None, [key]) => format!("the only key of {kind} is `{key}`"),
                (None, keys) => format!("the keys of {kind} are `{}`", keys.join("`, `")),
            };
            let title = format!("unknown key `{}` in {kind}", name.escape_debug());
            problems.push(Problem::new(title, &key.span(), "not known").help(help));
        }
        Self { span, table, misspelt, problems }
    }

    fn integer(&mut self, key: &str) -> Field<i32> {
        let Some(value) = self.table.get(key) else { return self.absent(key) };
        let Some(integer) = value.get_ref().as_integer() else {
            let text = value.get_ref().as_str().filter(|text| text.parse::<i32>().is_ok());
            let help = text.map(|text| format!("remove the quotes: `{key} = {text}`"));
            return self.wrong_type(key, "an integer", value, help);
        };
        match i32::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Field::Given(At { value: number, span: value.span() }),
            Err(_) => {
                let title = format!("`{key} = {integer}` does not fit an i32");
                let problem = Problem::new(title, &value.span(), "out of range");
                self.problems.push(problem.help("dRPC sends module and method IDs as i32"));
                Field::Faulty
            }
        }
    }

    fn method_id(&mut self) -> MethodId {
        MethodId { number: self.integer("number"), global: self.integer("id") }
    }

    fn string(&mut self, key: &str) -> Field<String> {
        let Some(value) = self.table.get(key) else { return self.absent(key) };
        match value.get_ref().as_str() {
            Some(text) => Field::Given(At { value: text.to_owned(), span: value.span() }),
            None => self.wrong_type(key, "a string", value, None),
        }
    }

    /// An optional string.
    fn text(&mut self, key: &str) -> String {
        self.string(key).given().map(|text| text.value.trim().to_owned()).unwrap_or_default()
    }

    /// An optional `true` or `false`.
    fn flag(&mut self, key: &str) -> bool {
        let Some(value) = self.table.get(key) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| {
            let _: Field<()> = self.wrong_type(key, "`true` or `false`", value, None);
            false
        })
    }

    /// An optional array of strings, which must not be empty when it is there.
    fn strings(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let strings =
            value.get_ref().as_array().map(|array| array.iter().map(|item| item.get_ref().as_str()));
        match strings.and_then(|strings| strings.collect::<Option<Vec<_>>>()) {
            Some(strings) if strings.is_empty() => {
                let problem =
                    Problem::new(format!("`{key}` is empty"), &value.span(), "nobody is listed here");
                let help =
                    format!("name the packages that may implement the module, or remove `{key}` to let any");
                self.problems.push(problem.help(help));
                Vec::new()
            }
            Some(strings) => strings.into_iter().map(str::to_owned).collect(),
            None => {
                let _: Field<()> = self.wrong_type(key, "an array of strings", value, None);
                Vec::new()
            }
        }
    }

    /// An array of tables; the span of each begins at its header.
    fn tables(&mut self, key: &str) -> Vec<(Span, &'t DeTable<'t>)> {
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let tables = value.get_ref().as_array().map(|array| {
            array.iter().map(|item| item.get_ref().as_table().map(|table| (item.span(), table))).collect()
        });
        tables.flatten().unwrap_or_else(|| {
            let help = value
                .get_ref()
                .is_table()
                .then(|| format!("double the brackets of its header: `[[…{key}]]`"));
            let _: Field<()> = self.wrong_type(key, "an array of tables", value, help);
            Vec::new()
        })
    }

    /// A key that is not there; if it was misspelt, that is enough of a complaint.
    fn absent<T>(&self, key: &str) -> Field<T> {
        if self.misspelt.contains(&key) { Field::Faulty } else { Field::Missing }
    }

    fn wrong_type<T>(
        &mut self,
        key: &str,
        expected: &str,
        value: &Spanned<DeValue<'_>>,
        help: Option<String>,
    ) -> Field<T> {
        let found = value.get_ref().type_str();
        let title = format!("`{key}` must be {expected}");
        let mut problem = Problem::new(title, &value.span(), format!("this is of type {found}"));
        if let Some(help) = help {
            problem = problem.help(help);
        }
        self.problems.push(problem);
        Field::Faulty
    }
}
