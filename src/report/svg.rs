//! Drawings as SVG: shapes, texts and scales of charts, light and dark, with the same bytes on every machine.

use std::fmt::Write as _;

/// Colours of lines and points, told apart by eyes that see few colours too; the first is what matters most.
const LINES: [(&str, &str); 6] = [
    ("#0b62a4", "#6fb7f2"),
    ("#c2500a", "#f2a15f"),
    ("#1b7f4b", "#63cf97"),
    ("#8a3ea8", "#cf96e6"),
    ("#80690b", "#d9c25a"),
    ("#b02a4c", "#f0879f"),
];

/// A drawing of a fixed size in user units.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// Where a text stands to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A text that is safe between tags and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no other characters below the blank.
            c if c < ' ' && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A coordinate with two decimals at most.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

impl Svg {
    pub(super) fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let (title, description) = (title.to_owned(), description.to_owned());
        Svg { width, height, title, description, body: String::new() }
    }

    /// A text in a class: `name` (a heading), `note` (smaller, paler) or none.
    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = (short(x), short(y));
        let text = escaped(text);
        let _ =
            writeln!(self.body, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>");
    }

    /// A text that runs upwards, centred at its point.
    pub(super) fn upward(&mut self, (x, y): (f64, f64), text: &str) {
        let (x, y) = (short(x), short(y));
        let turn = format!("rotate(-90 {x} {y})");
        let text = escaped(text);
        let _ = writeln!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" class=\"note\" transform=\"{turn}\">{text}</text>"
        );
    }

    /// A filled rectangle; `share` from 0 to 1 is its place on the scale of colours.
    pub(super) fn cell(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), share: f64) {
        let (x, y, width, height) = (short(x), short(y), short(width), short(height));
        let fill = scale(share);
        let _ =
            writeln!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>");
    }

    /// The frame around a panel.
    pub(super) fn frame(&mut self, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let (x, y, width, height) = (short(x), short(y), short(width), short(height));
        let _ =
            writeln!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"frame\"/>");
    }

    /// A thin line, such as of a grid.
    pub(super) fn rule(&mut self, (x, y): (f64, f64), (to_x, to_y): (f64, f64)) {
        let (x, y, to_x, to_y) = (short(x), short(y), short(to_x), short(to_y));
        let _ = writeln!(self.body, "<line x1=\"{x}\" y1=\"{y}\" x2=\"{to_x}\" y2=\"{to_y}\" class=\"rule\"/>");
    }

    /// A line through points, in a colour of its number; the pattern of dashes tells it apart without colour.
    pub(super) fn line(&mut self, points: impl Iterator<Item = (f64, f64)>, number: usize) {
        let points: Vec<String> = points.map(|(x, y)| format!("{},{}", short(x), short(y))).collect();
        let class = number % LINES.len();
        let _ = writeln!(self.body, "<polyline points=\"{}\" class=\"line l{class}\"/>", points.join(" "));
    }

    /// A point on the scale of colours.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), share: f64) {
        let (x, y, fill) = (short(x), short(y), scale(share));
        let _ = writeln!(self.body, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{fill}\" class=\"dot\"/>");
    }

    /// A small hollow square.
    pub(super) fn square(&mut self, (x, y): (f64, f64)) {
        let (x, y) = (short(x - 3.0), short(y - 3.0));
        let _ = writeln!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"6\" height=\"6\" class=\"square\"/>");
    }

    /// A small cross: what is not as it must be.
    pub(super) fn cross(&mut self, (x, y): (f64, f64)) {
        let at = |x: f64, y: f64| format!("{} {}", short(x), short(y));
        let (one, other) = ((at(x - 4.0, y - 4.0), at(x + 4.0, y + 4.0)), (at(x - 4.0, y + 4.0), at(x + 4.0, y - 4.0)));
        let _ = writeln!(self.body, "<path d=\"M{} L{} M{} L{}\" class=\"cross\"/>", one.0, one.1, other.0, other.1);
    }

    /// A filled square with a short text in it, such as of a heat map; `title` says it in full.
    pub(super) fn heat(&mut self, (x, y): (f64, f64), side: f64, share: f64, text: &str, title: &str) {
        let (left, top, size, fill) = (short(x), short(y), short(side - 1.0), scale(share));
        let ink = if share > 0.6 { "deep" } else { "pale" };
        let (across, down) = (short(x + side / 2.0), short(y + side / 2.0 + 3.0));
        let (text, title) = (escaped(text), escaped(title));
        let _ = writeln!(
            self.body,
            "<g><title>{title}</title><rect x=\"{left}\" y=\"{top}\" width=\"{size}\" height=\"{size}\" fill=\"{fill}\"/>\
             <text x=\"{across}\" y=\"{down}\" text-anchor=\"middle\" class=\"heat {ink}\">{text}</text></g>"
        );
    }

    /// The whole drawing, as a file of its own.
    pub(super) fn finish(self) -> String {
        let (width, height) = (short(self.width), short(self.height));
        let style =
            format!("<style>{}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n", style());
        self.drawing(" xmlns=\"http://www.w3.org/2000/svg\"", &style)
    }

    /// The drawing as a part of a page that has [`style`].
    pub(super) fn inline(self) -> String {
        self.drawing("", "")
    }

    fn drawing(&self, space: &str, before: &str) -> String {
        let (width, height) = (short(self.width), short(self.height));
        format!(
            "<svg{space} viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
             aria-label=\"{title}\">\n<title>{title}</title>\n<desc>{description}</desc>\n{before}{body}</svg>\n",
            title = escaped(&self.title),
            description = escaped(&self.description),
            body = self.body,
        )
    }
}

/// How drawings look, light and dark.
pub(super) fn style() -> String {
    let mut light = String::new();
    let mut dark = String::new();
    for (class, (of_light, of_dark)) in LINES.iter().enumerate() {
        let dash = ["none", "6 3", "2 3", "8 3 2 3", "1 4", "10 5"][class];
        let _ = write!(light, ".l{class}{{stroke:{of_light};stroke-dasharray:{dash}}}");
        let _ = write!(dark, ".l{class}{{stroke:{of_dark}}}");
    }
    format!(
        "text{{font:12px system-ui,sans-serif;fill:#1b1f24}}.name{{font-weight:600;font-size:14px}}\
         .note{{font-size:11px;fill:#57606a}}.paper{{fill:#fff}}.frame{{fill:none;stroke:#8c959f}}\
         .rule{{stroke:#d8dee4;stroke-width:1}}.line{{fill:none;stroke-width:1.6}}.heat{{font-size:9px}}.heat.pale{{fill:#fff}}.heat.deep{{fill:#0d1117}}\
         .cross{{fill:none;stroke:#b3261e;stroke-width:2}}\
         .dot{{stroke:#1b1f24;stroke-width:.4}}.square{{fill:none;stroke:#57606a}}{light}\
         @media (prefers-color-scheme:dark){{text{{fill:#e6edf3}}.note{{fill:#9da7b3}}.paper{{fill:#0d1117}}\
         .frame{{stroke:#6e7681}}.rule{{stroke:#30363d}}.dot{{stroke:#e6edf3}}.square{{stroke:#9da7b3}}\
         .cross{{stroke:#ff9a92}}{dark}}}"
    )
}

/// A colour between dark blue and yellow, whose lightness grows evenly: it can be read in grey.
fn scale(share: f64) -> String {
    const STOPS: [[f64; 3]; 5] =
        [[48.0, 18.0, 89.0], [59.0, 82.0, 139.0], [33.0, 145.0, 140.0], [94.0, 201.0, 98.0], [253.0, 231.0, 37.0]];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let share = share * (STOPS.len() - 1) as f64;
    let at = (share.floor() as usize).min(STOPS.len() - 2);
    let part = share - at as f64;
    let mix = |channel: usize| {
        let (from, to) = (STOPS[at][channel], STOPS[at + 1][channel]);
        (from + (to - from) * part).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

/// Round numbers from `low` to `high`, five or so.
pub(super) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low];
    }
    let power = 10f64.powi((span / 5.0).log10().floor() as i32);
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| span / step <= 6.0);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    (first..=(high / step + 1e-9).floor() as i64).map(|n| n as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_acts() {
        let mut svg = Svg::new(10.0, 10.0, "a<b", "\"&'\u{1}");
        svg.text((1.0, 2.0), Anchor::Start, "name", "<script>");
        let text = svg.finish();
        assert!(text.contains("<title>a&lt;b</title>") && text.contains("&quot;&amp;&#39;\u{fffd}"), "{text}");
        assert!(text.contains(">&lt;script&gt;<") && !text.contains("<script"), "{text}");
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(-1.0, 1.0), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks(3.0, 3.0), [3.0]);
        for (low, high) in [(0.013, 0.019), (-7.0, 4096.0), (1e-9, 1.0)] {
            let found = ticks(low, high);
            assert!(
                (3..=7).contains(&found.len()) && found.iter().all(|t| (low..=high * 1.0001).contains(t)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn colours_run_from_dark_to_light() {
        assert_eq!((scale(0.0).as_str(), scale(1.0).as_str(), scale(0.5).as_str()), ("#301259", "#fde725", "#21918c"));
        assert_eq!((scale(-1.0), scale(f64::NAN), scale(7.0)), (scale(0.0), scale(0.0), scale(1.0)));
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(
            ["-0.001", "1.5", "2", "-3.13"].map(|t| short(t.parse().expect("a number"))),
            ["0", "1.5", "2", "-3.13"]
        );
    }
}
