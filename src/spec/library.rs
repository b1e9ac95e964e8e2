//! Every scheme there is: those built into the program, and those that a user adds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

use super::catalogue::Catalogue;
use super::diagnostic::{Sink, SourceFile, SpecError, SpecErrors};
use super::load::{self, Reference};
use super::meaning::hex;
use super::model::{Claim, Invariant, Scheme};
use super::presets::{ModelPreset, natural};
use super::suggest::{hint, unknown};
use super::tables::PropertyTable;
use super::yaml::{self, Node};

/// The `spec/` folder, as it was when the program was built.
static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/spec");

/// Why a name is not a scheme, a profile or a model, and which may have been meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(String);

/// A file that a user added to the built-in schemes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct AddedSpec {
    /// The file, as it was named.
    pub file: String,
    /// Name of its scheme.
    pub scheme: String,
    /// Whether it took the place of a built-in scheme.
    pub replaces: bool,
}

/// Schemes by name, with the catalogue of invariants, the papers' tables and the models.
#[derive(Debug, Clone)]
pub struct Library {
    defaults: Node,
    catalogue: Catalogue,
    schemes: BTreeMap<String, Vec<Arc<Scheme>>>,
    /// The file of each scheme, by its name.
    files: BTreeMap<String, Arc<SourceFile>>,
    added: Vec<AddedSpec>,
    /// Whether a file that is added must make the required statements.
    requires: bool,
    tables: Vec<PropertyTable>,
    models: Vec<ModelPreset>,
}

impl Library {
    /// Everything that is built into the program.
    ///
    /// # Errors
    /// Every mistake in the built-in files, which tests rule out.
    pub fn embedded() -> Result<Self, SpecErrors> {
        let defaults = embedded_document("defaults.yaml")?;
        let catalogue = Catalogue::load(&embedded_file("invariants.yaml")?)?;
        let mut library = Library {
            defaults,
            catalogue,
            schemes: BTreeMap::new(),
            files: BTreeMap::new(),
            added: Vec::new(),
            requires: true,
            tables: Vec::new(),
            models: Vec::new(),
        };
        let mut references = Vec::new();
        for file in embedded_files("schemes") {
            let loaded = load::load(&file, &library.defaults, &library.reading())?;
            library.insert(loaded.schemes, &file);
            references.extend(loaded.references);
        }
        library.check_references(&references)?;
        for file in embedded_files("tables") {
            let table = PropertyTable::load(&file)?;
            library.check_table(&table)?;
            library.tables.push(table);
        }
        for file in embedded_files("models") {
            let model = ModelPreset::load(&file)?;
            library.check_model(&model)?;
            library.models.push(model);
        }
        library.models.sort_by_key(|model| natural(&model.name));
        Ok(library)
    }

    /// The same library, into which files may be added that do not state what is required: to look at a scheme that is
    /// being written. The catalogue says which are required as before.
    #[must_use]
    pub fn without_requirements(mut self) -> Self {
        self.requires = false;
        self
    }

    /// Adds a user's scheme file; a scheme of the same name is replaced, with all its profiles.
    /// Gives the name of the scheme.
    ///
    /// # Errors
    /// Every mistake in the file, or that it cannot be read.
    pub fn add_file(&mut self, path: &Path) -> Result<String, SpecErrors> {
        let file = yaml::read(path)?;
        self.add(&file)
    }

    /// Adds a scheme from text, such as one that a test or an embedding program holds. `name` is what messages show.
    ///
    /// # Errors
    /// Every mistake in the text.
    pub fn add_text(&mut self, name: &str, text: &str) -> Result<String, SpecErrors> {
        self.add(&Arc::new(SourceFile { name: name.to_owned(), text: text.to_owned() }))
    }

    fn add(&mut self, file: &Arc<SourceFile>) -> Result<String, SpecErrors> {
        let loaded = load::load(file, &self.defaults, &self.reading())?;
        let mut sink = Sink::default();
        let Some(first) = loaded.schemes.first() else { return sink.finish(None) };
        let name = first.name.clone();
        for alias in first.aliases.iter().chain([&name]) {
            let other = self.schemes.values().flatten().find(|other| {
                other.name != name && (other.name == *alias || other.aliases.iter().any(|taken| taken == alias))
            });
            if let Some(other) = other {
                let message = format!("the name `{alias}` is taken by the scheme `{}` ({})", other.name, other.file);
                sink.push(SpecError::new(&loaded.head, message));
            }
        }
        let mut with_new = self.clone();
        with_new.insert(loaded.schemes, file);
        if let Err(errors) = with_new.check_references(&loaded.references) {
            errors.errors().iter().for_each(|error| sink.push(error.clone()));
        }
        let name = sink.finish(Some(name))?;
        *self = with_new;
        let replaces = embedded_file(&format!("schemes/{name}.yaml")).is_ok();
        self.added.retain(|added| added.scheme != name);
        self.added.push(AddedSpec { file: file.name.clone(), scheme: name.clone(), replaces });
        Ok(name)
    }

    /// A scheme with `patch` laid over it as a profile would be. Nothing checks that it is still what it states about itself.
    ///
    /// # Errors
    /// If there is no such scheme, or the result is no scheme.
    pub fn patched(&self, id: &str, patch: &Node) -> Result<Arc<Scheme>, SpecErrors> {
        let wrong = |why: String| SpecErrors::from(SpecError::new(&patch.location, why));
        let scheme = self.get(id).map_err(|e| wrong(e.to_string()))?;
        let file = self.files.get(&scheme.name).ok_or_else(|| wrong(format!("`{id}` has no file")))?;
        load::patched(file, &self.defaults, &self.reading(), &scheme.profile, patch).map(Arc::new)
    }

    /// The catalogue as files are read against it.
    fn reading(&self) -> Cow<'_, Catalogue> {
        if self.requires { Cow::Borrowed(&self.catalogue) } else { Cow::Owned(self.catalogue.without_requirements()) }
    }

    fn insert(&mut self, schemes: Vec<Scheme>, file: &Arc<SourceFile>) {
        if let Some(first) = schemes.first() {
            self.files.insert(first.name.clone(), Arc::clone(file));
            let mut schemes: Vec<Arc<Scheme>> = schemes.iter().cloned().map(Arc::new).collect();
            schemes[1..].sort_by(|a, b| a.profile.cmp(&b.profile));
            self.schemes.insert(first.name.clone(), schemes);
        }
    }

    /// A scheme by name or alias, with `@profile` or under its default profile.
    ///
    /// # Errors
    /// [`LookupError`] with a suggestion.
    pub fn get(&self, id: &str) -> Result<&Arc<Scheme>, LookupError> {
        let (name, profile) = match id.split_once('@') {
            Some((name, profile)) => (name, Some(profile)),
            None => (id, None),
        };
        let by_alias = || {
            self.schemes
                .values()
                .find(|schemes| schemes.iter().any(|one| one.aliases.iter().any(|alias| alias == name)))
        };
        let schemes = self.schemes.get(name).or_else(by_alias).ok_or_else(|| {
            let aliases = self.schemes.values().flatten().flat_map(|scheme| scheme.aliases.iter());
            let all = self.schemes.keys().chain(aliases).map(String::as_str);
            LookupError(format!("there is no scheme {name:?}{}", hint(name, all)))
        })?;
        let found = match profile {
            None => schemes.iter().find(|scheme| scheme.is_default_profile),
            Some(profile) => schemes.iter().find(|scheme| scheme.profile == profile),
        };
        found.ok_or_else(|| {
            let profiles = schemes.iter().map(|scheme| scheme.profile.as_str());
            let what = format!("profile of scheme {}", schemes.first().map_or(name, |scheme| scheme.name.as_str()));
            LookupError(unknown(&what, profile.unwrap_or_default(), profiles))
        })
    }

    /// Every scheme that a run takes without being told, under every profile: by name, the default profile first, the
    /// others by name. A user's own file is told by being there.
    pub fn schemes(&self) -> impl Iterator<Item = &Arc<Scheme>> {
        self.all().filter(|scheme| !scheme.by_name || self.added.iter().any(|added| added.scheme == scheme.name))
    }

    /// Every scheme there is, in the same order: those that a run takes only by name, too.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Scheme>> {
        self.schemes.values().flatten()
    }

    /// SHA-256 of what a scheme means and states of itself, in hex.
    ///
    /// # Errors
    /// If there is no such scheme.
    pub fn meaning(&self, scheme: &str) -> Result<String, LookupError> {
        self.hash(scheme, |_| true).map(|hash| hex(&hash.finalize()))
    }

    /// Which scheme a case of a check is about, in 32 bits: of what the scheme states of itself, only that counts which
    /// the check is about.
    ///
    /// # Errors
    /// If there is no such scheme.
    pub fn meaning_for(&self, scheme: &str, check: &str) -> Result<u32, LookupError> {
        let hash = self.hash(scheme, |one| one.id == check)?.finalize();
        Ok(hash.iter().take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    fn hash(&self, scheme: &str, counts: impl Fn(&Invariant) -> bool) -> Result<Sha256, LookupError> {
        let scheme = self.get(scheme)?;
        let mut statements: Vec<&Invariant> = scheme.invariants.iter().filter(|one| counts(one)).collect();
        statements.sort_by(|a, b| a.id.cmp(&b.id));
        let mut hash = Sha256::new_with_prefix(&scheme.meaning);
        for one in statements {
            hash.update(scheme.statement(one));
            if let Claim::Equals(other) = &one.claim {
                hash.update(&self.get(other)?.meaning);
            }
        }
        Ok(hash)
    }

    /// The files that were added, those that another one took the place of left out.
    #[must_use]
    pub fn added(&self) -> &[AddedSpec] {
        &self.added
    }

    /// The catalogue of named invariants.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The papers' tables of properties.
    #[must_use]
    pub fn tables(&self) -> &[PropertyTable] {
        &self.tables
    }

    /// The models, by name.
    #[must_use]
    pub fn models(&self) -> &[ModelPreset] {
        &self.models
    }

    /// The models of schemes that a run takes without being told, and of `others`: what a run tries of itself does not
    /// depend on models that it is not about.
    pub fn models_met<'a>(&'a self, others: &'a [&Scheme]) -> impl Iterator<Item = &'a ModelPreset> {
        self.models.iter().filter(|model| {
            let same = |scheme: &Scheme, other: &Scheme| scheme.name == other.name && scheme.profile == other.profile;
            self.get(&model.scheme).is_ok_and(|scheme| {
                let usual = self.schemes().any(|usual| same(usual, scheme));
                usual || others.iter().any(|other| same(other, scheme))
            })
        })
    }

    /// A model by name.
    ///
    /// # Errors
    /// [`LookupError`] with a suggestion.
    pub fn model(&self, name: &str) -> Result<&ModelPreset, LookupError> {
        self.models.iter().find(|model| model.name == name).ok_or_else(|| {
            let names = self.models.iter().map(|model| model.name.as_str());
            LookupError(format!("there is no model {name:?}{} (`ropecheck list models` shows all)", hint(name, names)))
        })
    }

    fn check_references(&self, references: &[Reference]) -> Result<(), SpecErrors> {
        let mut sink = Sink::default();
        for reference in references {
            match self.get(&reference.scheme) {
                Err(error) => sink.push(SpecError::new(&reference.location, error.to_string())),
                Ok(scheme) if scheme.axes.len() != 1 => {
                    let message =
                        format!("`equals` needs a scheme of one axis, `{}` has {}", scheme.name, scheme.axes.len());
                    sink.push(SpecError::new(&reference.location, message));
                }
                Ok(_) => {}
            }
        }
        sink.finish(Some(()))
    }

    fn check_table(&self, table: &PropertyTable) -> Result<(), SpecErrors> {
        let mut sink = Sink::default();
        for row in &table.rows {
            if let Err(error) = self.get(&row.scheme) {
                sink.push(SpecError::new(&row.location, error.to_string()));
            }
        }
        sink.finish(Some(()))
    }

    fn check_model(&self, model: &ModelPreset) -> Result<(), SpecErrors> {
        let mut sink = Sink::default();
        match self.get(&model.scheme) {
            Err(error) => sink.push(SpecError::new(&model.scheme_location, error.to_string())),
            Ok(scheme) => {
                for ((name, _), location) in model.parameters.iter().zip(&model.parameter_locations) {
                    if !scheme.parameters.iter().any(|parameter| parameter.name == *name) {
                        let message = format!("`{}` has no parameter `{name}`", scheme.name);
                        let names = scheme.parameters.iter().map(|parameter| parameter.name.as_str());
                        sink.push(SpecError::new(location, message).suggest(name, names));
                    }
                }
                match model.rotated(scheme) {
                    Ok((rotated, _)) if rotated == model.rotary_dim => {}
                    Ok((rotated, _)) => {
                        let message =
                            format!("expected {rotated}, as `{}` rotates, found {}", scheme.id(), model.rotary_dim);
                        sink.push(SpecError::new(&model.rotary_location, message));
                    }
                    Err(error) => sink.push(SpecError::new(&model.scheme_location, error.to_string())),
                }
            }
        }
        sink.finish(Some(()))
    }
}

/// A built-in file, by its path below `spec/`, such as `contracts.yaml`.
///
/// # Errors
/// If there is none, or it is not UTF-8.
pub fn embedded_file(path: &str) -> Result<Arc<SourceFile>, SpecError> {
    let name = format!("spec/{path}");
    let file = EMBEDDED
        .get_file(path)
        .ok_or_else(|| SpecError::file(&*name, format!("there is no built-in file {path:?}")))?;
    let text = file.contents_utf8().ok_or_else(|| SpecError::file(&*name, "is not UTF-8"))?;
    Ok(Arc::new(SourceFile { name, text: text.to_owned() }))
}

/// The tree of a built-in file, by its path below `spec/`.
///
/// # Errors
/// If there is none, or it is not YAML.
pub fn embedded_document(path: &str) -> Result<Node, SpecError> {
    yaml::parse(&embedded_file(path)?)
}

/// The built-in YAML files of one folder below `spec/`, by name. A folder that does not exist has none.
#[must_use]
pub fn embedded_files(folder: &str) -> Vec<Arc<SourceFile>> {
    let Some(folder) = EMBEDDED.get_dir(folder) else { return Vec::new() };
    let mut paths: Vec<&str> = folder.files().filter_map(|file| file.path().to_str()).collect();
    paths.retain(|path| path.ends_with(".yaml"));
    paths.sort_unstable();
    paths.into_iter().filter_map(|path| embedded_file(path).ok()).collect()
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
