//! `spec/tables/*.yaml`: tables of properties as papers print them, to compare derived ones with.

use std::sync::Arc;

use super::diagnostic::{Location, Sink, SourceFile, SpecError, SpecErrors};
use super::fields::{Fields, is_kebab};
use super::yaml::{self, Key, Node};

/// Properties that tables can have as columns, in the order in which they are shown.
pub const PROPERTIES: [&str; 6] =
    ["structure", "unbiased", "seamless", "frequency-allocation", "spatial-symmetry", "temporal-scaling"];

/// A table as a paper prints it.
#[derive(Debug, Clone)]
pub struct PropertyTable {
    /// Kebab-case id.
    pub id: String,
    /// One line.
    pub title: String,
    /// Paper and number of the table.
    pub source: String,
    /// Property ids.
    pub columns: Vec<String>,
    /// What the paper claims of each scheme, in the paper's order.
    pub rows: Vec<TableRow>,
    /// Where versions of the paper disagree.
    pub errata: Vec<String>,
}

/// What a paper claims of one scheme.
#[derive(Debug, Clone)]
pub struct TableRow {
    /// `scheme` or `scheme@profile`.
    pub scheme: String,
    /// One per column.
    pub claims: Vec<bool>,
    pub(super) location: Location,
}

impl PropertyTable {
    /// Reads a table.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn load(file: &Arc<SourceFile>) -> Result<Self, SpecErrors> {
        let root = yaml::parse(file)?;
        let mut sink = Sink::default();
        let mut fields = Fields::new(&root, "a table of properties")?;
        let id = fields.required_text("table", &mut sink);
        let title = fields.required_text("title", &mut sink);
        let source = fields.required_text("source", &mut sink);
        let columns = sink.take(fields.required("columns").and_then(columns));
        let rows = sink.take(fields.required("rows").and_then(|node| node.map("rows")));
        let errata = fields.optional("errata").map_or(Ok(Vec::new()), |node| node.texts("errata"));
        let errata = sink.take(errata);
        fields.finish(&mut sink);
        if !id.is_empty() && !is_kebab(&id) {
            sink.push(root.error(format!("expected an id of lower-case letters, digits and `-`, found `{id}`")));
        }
        let (Some(columns), Some(rows), Some(errata)) = (columns, rows, errata) else { return sink.finish(None) };
        let rows: Vec<_> = rows.iter().map(|(key, node)| sink.take(row(key, node, columns.len()))).collect();
        let rows = rows.into_iter().collect::<Option<Vec<_>>>();
        sink.finish(rows.map(|rows| PropertyTable { id, title, source, columns, rows, errata }))
    }
}

fn columns(node: &Node) -> Result<Vec<String>, SpecError> {
    let one = |item: &Node| Ok(item.one_of("property", &PROPERTIES.map(|id| (id, id)))?.to_owned());
    node.list("properties")?.iter().map(one).collect()
}

fn row(key: &Key, node: &Node, columns: usize) -> Result<TableRow, SpecError> {
    let claims = node.list("claims")?;
    if claims.len() != columns {
        return Err(node.error(format!("expected {columns} claims, one per column, found {}", claims.len())));
    }
    let claims = claims.iter().map(|claim| claim.truth("a claim")).collect::<Result<_, _>>()?;
    Ok(TableRow { scheme: key.text.clone(), claims, location: key.location.clone() })
}
