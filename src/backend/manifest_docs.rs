//! One line about each key of a manifest, for editors. docs/abi.md says more.

/// Keys of the whole.
pub(super) const DOCS: [(&str, &str); 37] = [
    ("name", "Name of the backend, for reports."),
    ("version", "Version of the backend, for reports."),
    ("source", "Where its code is, such as rope.cu:120, or a list: SARIF points there."),
    ("levels", "What the backend computes; at least one level."),
    ("dtypes", "Storage types of q, and of k and the outputs unless the next two keys say more."),
    ("k_dtypes", "Types of k beside each of these (default storage: that of q)."),
    ("output_dtypes", "Types of outputs in memory of their own (default storage: that of the input)."),
    ("position_dtypes", "Types that positions may have (default i64); the first that holds the scheme's is used."),
    ("head_dims", "Channels of a head; needed with rotate, fused or apply."),
    ("q_heads", "Query heads; needed with rotate, fused or apply."),
    ("k_heads", "Key heads; 0 means that k may be absent. Needed with rotate, fused or apply."),
    ("pairings", "Which channels form a pair (default half)."),
    ("partial_rotary", "Whether a part of a head may be rotated (default false)."),
    ("rotary_dims", "Widths of such a part (default: any even width)."),
    ("rotary_offsets", "First channels of such a part (default 0)."),
    ("table_dtypes", "Types of the cosines and sines that are handed over (default storage: that of q)."),
    ("table_widths", "One number for each pair (half, the default) or for each rotated channel (full)."),
    ("alias", "Outputs in memory of their own (out, the default), on the inputs (in), or both."),
    ("strides", "packed (default), rows: channels contiguous, or any."),
    ("negative_strides", "Whether strides of q, k and outputs may be below 0 (default false)."),
    ("position_strides", "rows (default): the tokens of a row and axis one after another; or any."),
    ("max_position", "Largest position (default 2147483647)."),
    ("min_position", "Smallest position, at most 0 (default: 0 with a cache, else -max_position)."),
    ("max_tokens", "Most tokens in one call (default 16777216)."),
    ("token_ranges", "Whether positions and fused may be asked for a part of the tokens (default false)."),
    ("varlen", "Whether sequences of different lengths may come packed in one row (default false)."),
    ("copies", "Whether tensors are copied to memory of the backend's own (default false)."),
    ("bit_stable", "true: bits of a row depend on it alone; false: identical calls may differ in bits."),
    ("directions", "1 (default), and -1 for the transpose."),
    ("attention_scaling", "Whether the factor on cosines and sines may differ from 1 (default false)."),
    ("per_head", "Whether the tables of the plan may differ per head (default false)."),
    ("batch_layouts", "Whether rows of a batch may have different layouts or positions (default true)."),
    ("alignment", "Data, and strides of tensors with gaps, are multiples of so many bytes (default 1)."),
    ("max_offset", "Largest distance of two elements of a tensor, in elements (default unlimited)."),
    ("bases", "Bases for which a level that makes its own frequencies has some; empty: any."),
    ("layouts", "Which layouts positions and fused take (default any)."),
    ("parameters", "Values of scheme parameters that the backend reads from the call, by name."),
];

/// Keys of `levels`.
pub(super) const LEVEL_DOCS: [(&str, &str); 4] = [
    ("positions", "From a layout to positions."),
    ("rotate", "From positions and a rotation plan to rotated q and k."),
    ("fused", "From a layout to rotated q and k."),
    ("apply", "From cosines and sines to rotated q and k."),
];

/// Keys of a level.
pub(super) const OF_LEVEL_DOCS: [(&str, &str); 4] = [
    ("consumes", "What it takes from the suite; everything else arrives wrong, on purpose."),
    ("schemes", "Names of schemes, `name@profile`, or `*` for all."),
    ("contract", "The arithmetic that it claims, for every dtype (default eager/table)."),
    ("contracts", "The same for each dtype."),
];

/// Keys of a contract beside those that change numbers.
pub(super) const CONTRACT_DOCS: [(&str, &str); 2] = [
    ("class", "What is rounded where: `ropecheck list contracts` explains each."),
    ("frequencies", "How frequencies are computed; means nothing where cosines and sines are given."),
];

/// Keys of `layouts`.
pub(super) const LAYOUT_DOCS: [(&str, &str); 5] = [
    ("text_before", "Whether there is text before the first image or video (default false)."),
    ("text_between", "Whether there is text between two images or videos (default false)."),
    ("frames", "Frames of a video (default any)."),
    ("segments", "Most segments (default any number)."),
    ("kinds", "What segments are made of (default all)."),
];
