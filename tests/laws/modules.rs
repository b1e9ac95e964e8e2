//! The modules of a crate, and the file that defines what a path names.
//!
//! Sources are read as tokens: an import is a `use`, or a path in code. What carries `#[cfg(test)]` is left
//! out, and with it the files of test modules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The names that one file takes from another, by (taker, giver).
pub type Imports = BTreeMap<(String, String), BTreeSet<String>>;

/// A module: a file, or `mod x { … }` inside one.
struct Module {
    file: String,
    parent: usize,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths in code; a bare name is a path of one segment.
    paths: Vec<Vec<String>>,
}

/// One name that a `use` brings in; `*` for a glob.
struct Use {
    name: String,
    path: Vec<String>,
    public: bool,
}

/// What a path leads to.
enum Target {
    Module(usize),
    /// An item of this name that a module defines.
    Item(usize, String),
}

/// All modules of a crate; the first one is its root.
pub struct Crate {
    folder: PathBuf,
    modules: Vec<Module>,
}

impl Crate {
    /// Reads `lib.rs` of a folder and what it declares. Files are named relative to the folder.
    pub fn read(folder: &Path) -> Self {
        let mut all = Self { folder: folder.to_owned(), modules: Vec::new() };
        all.file(&folder.join("lib.rs"), 0);
        all
    }

    /// Names of the modules that the root declares.
    pub fn rooms(&self) -> BTreeSet<&str> {
        self.modules[0].children.keys().map(String::as_str).collect()
    }

    fn add(&mut self, file: String, parent: usize) -> usize {
        let (children, items) = (BTreeMap::new(), BTreeSet::new());
        self.modules.push(Module { file, parent, children, items, uses: Vec::new(), paths: Vec::new() });
        self.modules.len() - 1
    }

    fn file(&mut self, path: &Path, parent: usize) -> usize {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.strip_prefix(&self.folder).unwrap_or(path).display().to_string();
        let module = self.add(name, parent);
        let owns_folder = path.ends_with("mod.rs") || path.ends_with("lib.rs");
        let children = if owns_folder { path.with_file_name("") } else { path.with_extension("") };
        self.scan(tokens, module, Some(&children));
        module
    }

    /// Reads tokens into a module; `children` is the folder of its child modules, `None` inside of items.
    fn scan(&mut self, tokens: TokenStream, module: usize, children: Option<&Path>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, what: char| tokens.get(at).is_some_and(|t| is_punct(t, what));
        let end =
            |from: usize| (from..tokens.len()).find(|at| is(*at, ';') || is_group(&tokens[*at], Delimiter::Brace));
        let (mut at, mut public) = (0, false);
        while at < tokens.len() {
            let starts_path = at == 0
                || !(is(at - 1, '\'') || is(at - 1, '.') && (at < 2 || !is(at - 2, '.')))
                    && !(at > 1 && is(at - 1, ':') && is(at - 2, ':'));
            let mut next = at + 1;
            let word = match &tokens[at] {
                TokenTree::Ident(word) if starts_path => word.to_string(),
                TokenTree::Punct(_) if is(at, '#') => {
                    let test = tokens.get(next).is_some_and(|t| t.to_string().replace(' ', "") == "[cfg(test)]");
                    at = if test { end(next).map_or(tokens.len(), |end| end + 1) } else { at + 2 };
                    continue;
                }
                TokenTree::Group(group) => {
                    self.scan(group.stream(), module, None);
                    String::new()
                }
                _ => String::new(),
            };
            match word.as_str() {
                "" => {}
                "pub" => {
                    public = true;
                    at += 1 + usize::from(matches!(tokens.get(next), Some(TokenTree::Group(_))));
                    continue;
                }
                // Not the `use<…>` of a bound.
                "use" if !is(next, '<') => {
                    next = (at..tokens.len()).find(|at| is(*at, ';')).unwrap_or(tokens.len());
                    for (name, path) in use_tree(&tokens[at + 1..next], &[]) {
                        self.modules[module].uses.push(Use { name, path, public });
                    }
                }
                "mod" => {
                    let (name, folder) = (tokens[next].to_string(), children.expect("no module inside of an item"));
                    let child = if let TokenTree::Group(body) = &tokens[next + 1] {
                        let child = self.add(self.modules[module].file.clone(), module);
                        self.scan(body.stream(), child, Some(&folder.join(&name)));
                        child
                    } else {
                        let file = folder.join(&name).with_extension("rs");
                        self.file(&if file.exists() { file } else { folder.join(&name).join("mod.rs") }, module)
                    };
                    self.modules[module].children.insert(name, child);
                    next = at + 3;
                }
                // A pointer `*const T` names no item.
                "const" if at > 0 && is(at - 1, '*') => {}
                "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" | "macro_rules" => {
                    next += usize::from(is(next, '!'));
                    let name = tokens.get(next).map(TokenTree::to_string).unwrap_or_default();
                    if !["fn", "unsafe", "extern", "mut"].contains(&name.as_str()) {
                        next += usize::from(matches!(tokens.get(next), Some(TokenTree::Ident(_))));
                        if children.is_some() {
                            self.modules[module].items.insert(name);
                        }
                    }
                }
                _ => {
                    let mut path = vec![word];
                    while let (true, true, Some(TokenTree::Ident(segment))) =
                        (is(next, ':'), is(next + 1, ':'), tokens.get(next + 2))
                    {
                        path.push(segment.to_string());
                        next += 3;
                    }
                    // A bare name in small letters may be a variable's, unless it is called.
                    let called = tokens.get(next).is_some_and(|t| is_group(t, Delimiter::Parenthesis));
                    if path.len() > 1 || called || path[0].contains(char::is_uppercase) {
                        self.modules[module].paths.push(path);
                    }
                }
            }
            (at, public) = (next, false);
        }
    }

    /// What a path leads to, seen from a module; `None` if out of the crate. `open` are the `use`s on the
    /// way.
    fn resolve<'a>(&'a self, from: usize, path: &[String], open: &mut Vec<&'a Use>) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let here = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent,
            _ => return self.look_up(from, path, open),
        };
        match rest.first().map(String::as_str) {
            None => Some(Target::Module(here)),
            Some("super") => self.resolve(here, rest, open),
            Some(_) => self.look_up(here, rest, open),
        }
    }

    fn look_up<'a>(&'a self, id: usize, path: &[String], open: &mut Vec<&'a Use>) -> Option<Target> {
        let Some((name, rest)) = path.split_first() else { return Some(Target::Module(id)) };
        let module = &self.modules[id];
        let child = module.children.get(name);
        if let (Some(child), false) = (child, rest.is_empty()) {
            return self.look_up(*child, rest, open);
        }
        if module.items.contains(name) {
            return Some(Target::Item(id, name.clone()));
        }
        for brought in module.uses.iter().filter(|u| u.name == *name || u.name == "*") {
            if open.iter().any(|used| std::ptr::eq(*used, brought)) {
                continue;
            }
            open.push(brought);
            let found = match (brought.path.split_last(), brought.name == "*") {
                (Some((_, all)), true) => match self.resolve(id, all, open) {
                    Some(Target::Module(all)) => self.look_up(all, path, open),
                    _ => None,
                },
                _ => match self.resolve(id, &brought.path, open) {
                    Some(Target::Module(inner)) => self.look_up(inner, rest, open),
                    found => found,
                },
            };
            open.pop();
            if found.is_some() {
                return found;
            }
        }
        child.map(|child| Target::Module(*child))
    }

    fn lies_in(&self, mut module: usize, outer: usize) -> bool {
        while module > outer {
            module = self.modules[module].parent;
        }
        module == outer
    }

    /// Every import between two files; and the paths that begin in the crate and lead nowhere, which are
    /// errors of this reader.
    pub fn imports(&self) -> (Imports, Vec<String>) {
        let (mut imports, mut lost) = (Imports::new(), Vec::new());
        for (id, module) in self.modules.iter().enumerate() {
            let uses =
                module.uses.iter().map(|u| (u.path.strip_suffix(&["*".to_owned()]).unwrap_or(&u.path), u.public));
            for (path, public) in uses.chain(module.paths.iter().map(|path| (path.as_slice(), false))) {
                match self.resolve(id, path, &mut Vec::new()) {
                    // What a parent offers of its children is no import.
                    Some(Target::Item(giver, _)) if public && self.lies_in(giver, id) => {}
                    Some(Target::Item(giver, name)) if self.modules[giver].file != module.file => {
                        let files = (module.file.clone(), self.modules[giver].file.clone());
                        imports.entry(files).or_default().insert(name);
                    }
                    None if path.len() > 1 && ["crate", "self", "super"].contains(&path[0].as_str()) => {
                        lost.push(format!("{}: {}", module.file, path.join("::")));
                    }
                    _ => {}
                }
            }
        }
        (imports, lost)
    }
}

/// The names that a `use` brings in, and their paths.
fn use_tree(tokens: &[TokenTree], prefix: &[String]) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for part in tokens.split(|token| is_punct(token, ',')).filter(|part| !part.is_empty()) {
        let (mut path, mut name) = (prefix.to_vec(), None);
        for (at, token) in part.iter().enumerate() {
            match token {
                TokenTree::Group(inner) => {
                    found.extend(use_tree(&inner.stream().into_iter().collect::<Vec<_>>(), &path));
                }
                TokenTree::Ident(word) if word == "as" => name = part.get(at + 1).map(TokenTree::to_string),
                // `a::{self}` is `a`.
                TokenTree::Ident(word) if name.is_some() || word == "self" && !path.is_empty() => {}
                TokenTree::Punct(p) if p.as_char() == ':' => {}
                word => path.push(word.to_string()),
            }
        }
        if !part.last().is_some_and(|t| is_group(t, Delimiter::Brace)) {
            found.extend(name.or(path.last().cloned()).map(|name| (name, path)));
        }
    }
    found
}

fn is_punct(token: &TokenTree, what: char) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == what)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}
