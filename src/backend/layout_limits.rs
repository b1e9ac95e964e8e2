//! Which layouts a backend takes (manifest key `layouts`), and the nearest one to a layout that it does not
//! take.

use serde::Serialize;

use super::integers::Integers;
use crate::positions::{Layout, Segment, SegmentKind};

/// Which layouts levels positions and fused take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutLimits {
    /// Whether text must come before the first image or video.
    pub text_before: bool,
    /// Whether text must stand between two images or videos.
    pub text_between: bool,
    /// Frames of a video.
    pub frames: Integers,
    /// Most segments.
    pub segments: i64,
    /// What segments are made of.
    pub kinds: Vec<SegmentKind>,
}

impl Default for LayoutLimits {
    /// Any layout.
    fn default() -> LayoutLimits {
        LayoutLimits {
            text_before: false,
            text_between: false,
            frames: Integers::Range { min: 1, max: i64::MAX, multiple: 1 },
            segments: i64::MAX,
            kinds: SegmentKind::NAMES.map(|(_, kind)| kind).to_vec(),
        }
    }
}

impl LayoutLimits {
    /// Whether segments of a kind are offered.
    #[must_use]
    pub fn has(&self, kind: SegmentKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether images or videos are offered.
    #[must_use]
    pub fn has_visual(&self) -> bool {
        self.kinds.iter().any(|kind| kind.is_visual())
    }

    /// Whether a layout may begin with a kind.
    #[must_use]
    pub fn may_begin(&self, kind: SegmentKind) -> bool {
        self.has(kind) && !(self.text_before && kind.is_visual())
    }

    /// Whether a kind may follow another one.
    #[must_use]
    pub fn may_follow(&self, first: SegmentKind, second: SegmentKind) -> bool {
        let visual = first.is_visual() && second.is_visual();
        self.has(first) && self.has(second) && self.segments > 1 && !(self.text_between && visual)
    }

    /// Whether a grid of so many frames is offered: as an image, or as a video.
    #[must_use]
    pub fn takes_frames(&self, frames: i64) -> bool {
        let image = frames == 1 && self.has(SegmentKind::Image);
        image || self.has(SegmentKind::Video) && self.frames.allows(frames)
    }

    /// Why a layout is not offered; `None` if it is.
    #[must_use]
    pub fn refusal(&self, layout: &Layout) -> Option<String> {
        let segments = layout.segments();
        if let Some(segment) = segments.iter().find(|segment| !self.has(segment.made_of())) {
            return Some(format!("a layout with {}: not among the manifest's layouts.kinds", segment.kind()));
        }
        if i64::try_from(segments.len()).is_ok_and(|count| count > self.segments) {
            return Some(format!("more segments than the manifest's layouts.segments, {}", self.segments));
        }
        let frames = |segment: &Segment| match segment {
            Segment::Video { t, .. } => !self.frames.allows(i64::from(*t)),
            _ => false,
        };
        if segments.iter().any(frames) {
            return Some("a video with other numbers of frames than the manifest's layouts.frames".into());
        }
        if self.text_before && segments.first().is_some_and(Segment::is_visual) {
            return Some("no text before the first image or video (the manifest's layouts.text_before)".into());
        }
        let beside = |pair: &[Segment]| pair.iter().all(Segment::is_visual);
        if self.text_between && segments.windows(2).any(beside) {
            return Some("no text between two images or videos (the manifest's layouts.text_between)".into());
        }
        None
    }

    /// The layout, or the nearest one that is offered: other frames, images for videos and the other way
    /// round, text where it must be, some of too many segments. `None` where nothing is left.
    #[must_use]
    pub fn adapted(&self, layout: &Layout) -> Option<Layout> {
        if self.refusal(layout).is_none() {
            return Some(layout.clone());
        }
        let mut kept = Offered::new(self);
        for segment in layout.segments().iter().filter_map(|segment| self.like(segment)) {
            // Of too many segments those are kept that have room.
            let _ = kept.push(segment);
        }
        Layout::new(kept.segments).ok().filter(|layout| layout.tokens() > 0)
    }

    /// The segment, or one like it that is offered.
    #[must_use]
    pub fn like(&self, segment: &Segment) -> Option<Segment> {
        let frames = |t: u32| self.frames.nearest(i64::from(t)).and_then(|t| u32::try_from(t).ok());
        let (image, video) = (self.has(SegmentKind::Image), self.has(SegmentKind::Video));
        match segment {
            Segment::Text(_) => self.has(SegmentKind::Text).then(|| segment.clone()),
            Segment::Image { .. } if image => Some(segment.clone()),
            Segment::Image { h, w } if video => Some(Segment::video(frames(1)?, *h, *w)),
            Segment::Video { t, h, w, seconds } if video => {
                Some(Segment::Video { t: frames(*t)?, h: *h, w: *w, seconds: seconds.clone() })
            }
            Segment::Video { h, w, .. } if image => Some(Segment::Image { h: *h, w: *w }),
            _ => u32::try_from(segment.tokens()).ok().map(Segment::Text),
        }
    }

    /// The layout with more text, so that it has `tokens`; `None` where it has more, or no text can be put
    /// in.
    #[must_use]
    pub fn filled(&self, layout: &Layout, tokens: u64) -> Option<Layout> {
        let missing = tokens.checked_sub(layout.tokens())?;
        let mut kept = Offered { limits: self, segments: layout.segments().to_vec() };
        kept.lengthen(u32::try_from(missing).ok()?).then(|| Layout::new(kept.segments).ok())?
    }
}

/// Segments that make an offered layout, one after another.
pub struct Offered<'a> {
    limits: &'a LayoutLimits,
    /// Those so far.
    pub segments: Vec<Segment>,
}

impl<'a> Offered<'a> {
    /// None so far.
    #[must_use]
    pub fn new(limits: &'a LayoutLimits) -> Offered<'a> {
        Offered { limits, segments: Vec::new() }
    }

    /// Whether there may be so many segments more.
    fn has_room(&self, more: usize) -> bool {
        i64::try_from(self.segments.len() + more).is_ok_and(|count| count <= self.limits.segments)
    }

    /// Whether a text must come before a segment of a kind.
    fn needs_text(&self, kind: SegmentKind) -> bool {
        match self.segments.last() {
            None => kind.is_visual() && self.limits.text_before,
            Some(last) => kind.is_visual() && last.is_visual() && self.limits.text_between,
        }
    }

    /// Tokens that a segment takes, with the text that must come before it.
    #[must_use]
    pub fn cost(&self, segment: &Segment) -> u64 {
        segment.tokens() + u64::from(self.needs_text(segment.made_of()))
    }

    /// Adds an offered segment, after a token of text where one must be there. False where it has no room.
    pub fn push(&mut self, segment: Segment) -> bool {
        let text = self.needs_text(segment.made_of());
        if !self.has_room(1 + usize::from(text)) {
            return false;
        }
        self.segments.extend(text.then_some(Segment::Text(1)));
        self.segments.push(segment);
        true
    }

    /// Adds so many tokens of text: to the last segment or as one of its own, to an earlier text where there
    /// is no room. False where nothing of that can be.
    pub fn lengthen(&mut self, more: u32) -> bool {
        if more == 0 {
            return true;
        }
        let ends_in_text = self.segments.last().is_some_and(|last| !last.is_visual());
        if !ends_in_text && self.limits.has(SegmentKind::Text) && self.has_room(1) {
            self.segments.push(Segment::Text(more));
            return true;
        }
        let last = self.segments.iter_mut().rev().find_map(|segment| match segment {
            Segment::Text(n) => Some(n),
            _ => None,
        });
        let Some(n) = last else { return false };
        let Some(longer) = n.checked_add(more) else { return false };
        *n = longer;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str) -> Layout {
        Layout::parse(text).expect(text)
    }

    fn limits(text_before: bool, text_between: bool, frames: i64, segments: i64) -> LayoutLimits {
        let frames = Integers::Range { min: 1, max: frames, multiple: 1 };
        LayoutLimits { text_before, text_between, frames, segments, ..LayoutLimits::default() }
    }

    #[test]
    fn the_nearest_layout_is_inside_the_limits() {
        use SegmentKind::{Image, Text, Video};
        let any = LayoutLimits::default();
        let whole = "image:2x3 video:4x2x2@0.5s video:1x1x2 text:3";
        let only = |kinds: &[SegmentKind]| LayoutLimits { kinds: kinds.to_vec(), ..any.clone() };
        for (limits, expected) in [
            (any.clone(), whole),
            (limits(true, false, 9, 9), "text:1 image:2x3 video:4x2x2@0.5s video:1x1x2 text:3"),
            (limits(false, true, 9, 9), "image:2x3 text:1 video:4x2x2@0.5s text:1 video:1x1x2 text:3"),
            (limits(true, true, 2, 5), "text:1 image:2x3 text:1 video:2x2x2@0.5s text:3"),
            (limits(true, true, 1, 1), "text:3"),
            (only(&[Text, Image]), "image:2x3 image:2x2 image:1x2 text:3"),
            (only(&[Text, Video]), "video:1x2x3 video:4x2x2@0.5s video:1x1x2 text:3"),
            (only(&[Image, Video]), "image:2x3 video:4x2x2@0.5s video:1x1x2"),
            (only(&[Text]), "text:6 text:16 text:2 text:3"),
        ] {
            let adapted = limits.adapted(&layout(whole)).expect(expected);
            assert_eq!((limits.refusal(&adapted), adapted.to_string().as_str()), (None, expected), "{limits:?}");
            assert_eq!(limits.refusal(&layout(whole)).is_none(), expected == whole, "{limits:?}");
        }
        assert_eq!(only(&[Video]).adapted(&layout("text:3")), None);
    }

    #[test]
    fn a_layout_is_filled_up_where_text_has_room() {
        let filled = |limits: &LayoutLimits, text: &str, tokens| {
            limits.filled(&layout(text), tokens).map(|layout| layout.to_string())
        };
        let any = LayoutLimits::default();
        assert_eq!(filled(&any, "image:2x2", 6).as_deref(), Some("image:2x2 text:2"));
        assert_eq!(filled(&any, "image:2x2 text:1", 6).as_deref(), Some("image:2x2 text:2"));
        assert_eq!(filled(&any, "image:2x2 text:1", 4), None);
        let two = limits(true, true, 9, 2);
        assert_eq!(filled(&two, "text:1 image:2x2", 7).as_deref(), Some("text:3 image:2x2"));
        assert_eq!(filled(&limits(false, false, 9, 1), "image:2x2", 7), None);
    }

    #[test]
    fn every_refusal_names_its_key() {
        let kinds = |limits: LayoutLimits, kind| LayoutLimits { kinds: vec![SegmentKind::Text, kind], ..limits };
        for (limits, text, key) in [
            (kinds(LayoutLimits::default(), SegmentKind::Image), "text:1 video:1x1x1", "layouts.kinds"),
            (limits(false, false, 9, 2), "text:1 image:1x1 text:1", "layouts.segments"),
            (limits(false, false, 3, 9), "text:1 video:4x1x1", "layouts.frames"),
            (limits(true, false, 9, 9), "image:1x1 text:1", "layouts.text_before"),
            (limits(false, true, 9, 9), "text:1 image:1x1 video:1x1x1", "layouts.text_between"),
        ] {
            let why = limits.refusal(&layout(text)).expect(text);
            assert!(why.contains(key), "{why}");
            assert_eq!(LayoutLimits::default().refusal(&layout(text)), None);
        }
    }
}
