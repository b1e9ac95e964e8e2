//! Where a backend's code is, as its manifest says: reports that mark lines of code point there.

use serde::{Serialize, Serializer};
use serde_json::json;

use super::foreign_text::is_printable;
use super::manifest_kinds::{Kind, expected, value};

/// Most characters of a place, and most places.
const MOST: [usize; 2] = [200, 16];

/// A file, and a line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlace {
    /// Path, relative to the root of the repository that the code is in.
    pub file: String,
    /// Line, from 1 on.
    pub line: Option<u32>,
}

impl SourcePlace {
    /// Reads `FILE` or `FILE:LINE`.
    fn parse(text: &str) -> Option<SourcePlace> {
        let usable = |file: &str| (1..=MOST[0]).contains(&file.len()) && file.chars().all(is_printable);
        let numbered = text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse::<u32>().ok()?)));
        let (file, line) = match numbered {
            Some((file, line)) if line > 0 => (file, Some(line)),
            Some(_) => return None,
            None => (text, None),
        };
        usable(file).then(|| SourcePlace { file: file.to_owned(), line })
    }
}

impl Serialize for SourcePlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.line {
            Some(line) => serializer.collect_str(&format_args!("{}:{line}", self.file)),
            None => serializer.serialize_str(&self.file),
        }
    }
}

/// One place, or a list of them.
pub(super) fn source() -> Kind<'static, Vec<SourcePlace>> {
    let one = json!({"type": "string", "minLength": 1, "maxLength": MOST[0]});
    let list = json!({"type": "array", "items": one});
    Kind::new(json!({"anyOf": [one, list]}), |json| {
        let texts = value::<String>(json).map(|text| vec![text]).or_else(|| value::<Vec<String>>(json));
        let places = texts.filter(|texts| texts.len() <= MOST[1]);
        let places: Option<Vec<_>> = places.and_then(|all| all.iter().map(|text| SourcePlace::parse(text)).collect());
        places.ok_or_else(|| expected("a place such as \"rope.cu:120\", or a list of up to 16", json))
    })
}

#[cfg(test)]
mod tests {
    use super::SourcePlace;

    #[test]
    fn a_place_is_a_file_and_perhaps_a_line() {
        let place = |text| SourcePlace::parse(text).map(|place| (place.file, place.line));
        assert_eq!(place("src/rope.cu:120"), Some(("src/rope.cu".to_owned(), Some(120))));
        assert_eq!(place("rope.py"), Some(("rope.py".to_owned(), None)));
        assert_eq!(place("a:b:7"), Some(("a:b".to_owned(), Some(7))));
        for wrong in ["", "rope.cu:0", ":3", "rope\u{1b}.cu", &"x".repeat(201)] {
            assert_eq!(place(wrong), None, "{wrong:?}");
        }
    }
}
