//! Which file imports which: a small reader of `use` lines.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Source;

/// Files by their module's path, such as `wif_core::token::claims`, and what each imports.
pub(crate) struct Imports {
    modules: BTreeMap<String, Module>,
}

struct Module {
    path: String,
    code: String,
    uses: Vec<Vec<String>>,
    /// What `pub use` hands on: the name, and where it is from.
    re_exports: Vec<(String, Vec<String>)>,
}

/// An import, from file to file.
pub(crate) type Arrow = (String, String);

impl Imports {
    pub(crate) fn read(sources: Vec<Source>) -> Self {
        let modules = sources.into_iter().map(|Source { path, code }| {
            let (mut uses, mut re_exports) = (Vec::new(), Vec::new());
            for (is_public, tree) in statements(&code) {
                for leaf in leaves(&tree) {
                    if is_public {
                        let name = leaf.last().unwrap().rsplit(" as ").next().unwrap().to_owned();
                        re_exports.push((name, bare(leaf)));
                    } else {
                        uses.push(bare(leaf));
                    }
                }
            }
            (module(&path), Module { path, code, uses, re_exports })
        });
        Self { modules: modules.collect() }
    }

    /// Every import of one file by another. A `mod` line or a re-export is none; what comes through a re-export counts as an
    /// import of the file that defines it.
    pub(crate) fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (name, module) in &self.modules {
            for target in module.uses.iter().filter_map(|import| self.defines(name, import, 0)) {
                if target != module.path {
                    arrows.insert((module.path.clone(), target));
                }
            }
        }
        arrows
    }

    /// The file that defines what a path leads to; `None` for other crates.
    fn defines(&self, from: &str, import: &[String], depth: u8) -> Option<String> {
        let (first, rest) = import.split_first()?;
        let root = from.split("::").next()?;
        let mut at = match first.as_str() {
            "crate" => root.to_owned(),
            "self" => from.to_owned(),
            "super" => parent(from),
            name if self.modules.contains_key(&format!("{from}::{name}")) => format!("{from}::{name}"),
            name if self.modules.contains_key(name) => name.to_owned(),
            _ => return None,
        };
        for part in rest {
            let inner = format!("{at}::{part}");
            match part.as_str() {
                "super" => at = parent(&at),
                _ if self.modules.contains_key(&inner) => at = inner,
                item => {
                    let module = self.modules.get(&at)?;
                    let handed_on = module.re_exports.iter().find(|(name, _)| name == item);
                    return match handed_on {
                        Some((_, import)) if depth < 8 && !is_defined(&module.code, item) => {
                            self.defines(&at, import, depth + 1)
                        }
                        _ => Some(module.path.clone()),
                    };
                }
            }
        }
        self.modules.get(&at).map(|module| module.path.clone())
    }
}

/// The arrows that are part of a circle: what is left when files that import none of the others are taken away, and those
/// that none of the others imports, again and again.
pub(crate) fn circles(arrows: &BTreeSet<Arrow>) -> BTreeSet<Arrow> {
    let mut left = arrows.clone();
    loop {
        let from: BTreeSet<_> = left.iter().map(|(from, _)| from.clone()).collect();
        let to: BTreeSet<_> = left.iter().map(|(_, to)| to.clone()).collect();
        let before = left.len();
        left.retain(|(one, other)| from.contains(other) && to.contains(one));
        if left.len() == before {
            return left;
        }
    }
}

fn module(path: &str) -> String {
    let (folder, rest) = path.split_once("src/").unwrap();
    let root = match folder.trim_end_matches('/').rsplit('/').next().unwrap() {
        "" => "wif".to_owned(),
        name => name.replace('-', "_"),
    };
    let mut parts: Vec<_> = rest.trim_end_matches(".rs").split('/').collect();
    match parts.last().copied() {
        Some("mod" | "lib") => drop(parts.pop()),
        Some("main") if root != "wif" => drop(parts.pop()),
        _ => {}
    }
    [&*root].into_iter().chain(parts).collect::<Vec<_>>().join("::")
}

fn parent(module: &str) -> String {
    module.rsplit_once("::").map_or(module, |(parent, _)| parent).to_owned()
}

/// Each `use` statement: whether it is public, and its tree.
fn statements(code: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        let (is_public, rest) = match line.strip_prefix("pub") {
            Some(rest) => (true, rest.trim_start_matches(|c: char| c != ' ').trim_start()),
            None => (false, line),
        };
        let Some(tree) = rest.strip_prefix("use ") else { continue };
        let mut tree = tree.to_owned();
        while !tree.ends_with(';') {
            tree.push_str(lines.next().unwrap().trim());
        }
        found.push((is_public, tree.trim_end_matches(';').to_owned()));
    }
    found
}

/// The paths of a tree, part by part.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let parts = |path: &str| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let Some((before, group)) = tree.split_once('{') else { return vec![parts(tree)] };
    let before: Vec<String> = parts(before);
    let (mut depth, mut members) = (0, vec![String::new()]);
    for character in group.strip_suffix('}').unwrap().chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(String::new());
                continue;
            }
            _ => {}
        }
        members.last_mut().unwrap().push(character);
    }
    let members = members.iter().map(|member| member.trim()).filter(|member| !member.is_empty());
    let inner = members.flat_map(leaves);
    inner.map(|leaf| before.iter().cloned().chain(leaf).collect()).collect()
}

/// The path as it is in the other file: neither its name here, nor the `self` or `*` at its end.
fn bare(mut leaf: Vec<String>) -> Vec<String> {
    let last = leaf.pop().unwrap();
    let last = last.split(" as ").next().unwrap().trim().to_owned();
    if last != "self" && last != "*" || leaf.is_empty() {
        leaf.push(last);
    }
    leaf
}

fn is_defined(code: &str, item: &str) -> bool {
    ["fn", "struct", "enum", "trait", "const", "static", "type", "mod", "macro_rules!"].iter().any(|kind| {
        let begin = format!("{kind} {item}");
        code.match_indices(&begin).any(|(at, _)| {
            let next = code[at + begin.len()..].chars().next();
            next.is_none_or(|next| !next.is_alphanumeric() && next != '_' && !(*kind == "mod" && next == ';'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, code: &str) -> Source {
        Source { path: path.to_owned(), code: code.to_owned() }
    }

    fn arrows(sources: &[(&str, &str)]) -> Vec<String> {
        let sources = sources.iter().map(|(path, code)| source(path, code)).collect();
        Imports::read(sources).arrows().into_iter().map(|(from, to)| format!("{from} {to}")).collect()
    }

    #[test]
    fn an_import_leads_to_the_file_that_defines_what_it_names() {
        let found = arrows(&[
            ("crates/wif-core/src/lib.rs", "pub mod code;"),
            ("crates/wif-core/src/code/mod.rs", "mod party;\npub use self::party::Party;\npub enum Code {}"),
            ("crates/wif-core/src/code/party.rs", "use super::Code;\npub enum Party {}"),
            ("src/lib.rs", "pub mod a;"),
            ("src/main.rs", "use wif::a::{self, b::{C, D as E}};"),
            ("src/a.rs", "mod b;\nuse std::io;\nuse wif_core::code::{\n    Code,\n    Party,\n};"),
            ("src/a/b.rs", "pub struct C;\npub struct D;\nuse super::super::a;"),
        ]);
        let expected = [
            "crates/wif-core/src/code/party.rs crates/wif-core/src/code/mod.rs",
            "src/a.rs crates/wif-core/src/code/mod.rs",
            "src/a.rs crates/wif-core/src/code/party.rs",
            "src/a/b.rs src/a.rs",
            "src/main.rs src/a.rs",
            "src/main.rs src/a/b.rs",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_circle_is_found_and_what_leads_to_it_is_left_out() {
        let arrow = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let ring = [arrow("a", "b"), arrow("b", "c"), arrow("c", "a")];
        let all = ring.iter().cloned().chain([arrow("x", "a"), arrow("c", "y"), arrow("x", "y")]).collect();
        assert_eq!(circles(&all), ring.into_iter().collect());
        assert!(circles(&[arrow("x", "y")].into_iter().collect()).is_empty());
    }
}
