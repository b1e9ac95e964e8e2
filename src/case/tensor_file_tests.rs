use safetensors::SafeTensors;

use super::*;

fn file() -> TensorFile {
    let mut file = TensorFile { metadata: r#"{"format":1}"#.into(), ..TensorFile::default() };
    file.tensors.insert("b".into(), Stored::of(DType::BF16, &[2, 1], &[1.5, -2.0]));
    file.tensors.insert("a".into(), Stored::of_i64(&[2], &[-1, 7]));
    file.tensors.insert("c".into(), Stored::of_u8(&[3, 255, 0]));
    file
}

#[test]
fn a_file_comes_back_and_the_crate_reads_the_same() {
    let bytes = file().write().unwrap();
    assert_eq!(bytes, file().write().unwrap(), "the same bytes again");
    let back = TensorFile::read(&bytes).unwrap();
    assert_eq!(back, file());
    assert_eq!(back.tensors["b"].floats(DType::BF16), Some(vec![1.5, -2.0]));
    assert_eq!(back.tensors["a"].integers(), Some(vec![-1, 7]));
    let theirs = SafeTensors::deserialize(&bytes).unwrap();
    for (name, stored) in &back.tensors {
        let view = theirs.tensor(name).unwrap();
        assert_eq!((view.shape(), view.data()), (stored.shape.as_slice(), stored.bytes.as_slice()));
    }
}

/// A file with this header and `data` bytes of data.
fn made(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (header, data, message) in [
        ("{", 0, "header: expected JSON of tensors, found EOF"),
        ("[]", 0, "header, byte 0: expected '{', found '['"),
        ("{} {}", 0, "found trailing characters at line 1 column 4"),
        ("{\"a\u{1}\":0}", 0, "found control character"),
        (r#"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1, r#"found "dtype" twice"#),
        (r#"{"__metadata__":{},"__metadata__":{}}"#, 0, r#"found "__metadata__" twice"#),
        (r#"{"__metadata__":{"ropecheck":1}}"#, 0, "header, __metadata__: expected a text, found 1"),
        (
            r#"{"a":{"dtype":"U8","shape":[1]}}"#,
            0,
            r#"tensor "a": expected data_offsets, dtype, shape alone, found dtype, shape"#,
        ),
        (r#"{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}"#, 1, r#"tensor "a": expected a type of element"#),
        (r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, 1, "found invalid value: integer `-1`"),
        (
            r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}"#,
            1,
            r#"tensor "a": expected the bytes of U8 [2], found data_offsets 0 to 1"#,
        ),
        (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, 1, "found data_offsets 1 to 0"),
        (r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}}"#, 1, "found invalid offset for tensor `a`"),
        (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2, "found invalid offset for tensor `a`"),
        (
            r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
            3,
            "without gaps and overlaps, found invalid offset for tensor `b`",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
            2,
            "found invalid offset for tensor `b`",
        ),
        (r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, 1, "expected 9 bytes of data (is the file trunc"),
        (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 2, "the end of the file: expected 1 bytes"),
        (
            r#"{"a":{"dtype":"F64","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,9]}}"#,
            9,
            "(overflow computing",
        ),
        (r#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}"#, 1, r#"tensor "a": expected the bytes of F4 [1]"#),
    ] {
        let file = made(header, data);
        let error = TensorFile::read(&file).expect_err(header).to_string();
        assert!(error.contains(message), "{header}: {error}");
        assert!(SafeTensors::deserialize(&file).is_err(), "the crate does not take it either: {header}");
    }
    let long = (MAX_HEADER as u64 + 1).to_le_bytes();
    let cut = "is it cut off, or no safetensors file?";
    let text = b"\x08\0\0\0\0\0\0\0{\"\xff\":{}}";
    for (bytes, message) in
        [(&[][..], "byte 0"), (&[1, 2, 3], "byte 0"), (&long, cut), (&[255; 64], cut), (text, "invalid unicode")]
    {
        let error = TensorFile::read(bytes).expect_err("no file").to_string();
        assert!(error.contains(message), "{error}");
    }
}

/// Each of these would be read as something by the crate: once it is not, the check of our own can go.
#[test]
fn what_the_crate_takes_is_refused_here() {
    let many = "1,".repeat(MAX_DIMENSIONS);
    for (header, data, message) in [
        (
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
            1,
            r#"expected each key once, found "a" twice"#,
        ),
        (r#"{"__metadata__":{"ropecheck":"","ropecheck":""}}"#, 0, r#"found "ropecheck" twice"#),
        (r#"{"__metadata__":{"format":"pt"}}"#, 0, r#"expected "ropecheck" alone, found "format""#),
        (r#" {}"#, 0, "header, byte 0: expected '{', found ' '"),
        (
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":0}}"#,
            1,
            r#"tensor "a": expected data_offsets, dtype, shape alone, found data_offsets, dtype, shape, x"#,
        ),
        (r#"{"a":["U8",[1],[0,1]]}"#, 1, "found invalid type: sequence, expected an object"),
        (
            r#"{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}"#,
            8,
            r#"tensor "a": expected dtype F32, F16, BF16, F64, I32, I64, U8, found C64"#,
        ),
        (
            &format!(r#"{{"a":{{"dtype":"U8","shape":[{many}1],"data_offsets":[0,1]}}}}"#),
            1,
            r#"tensor "a": expected at most 8 dimensions, found 9"#,
        ),
        (&format!("{{}}{}", " ".repeat(MAX_HEADER)), 0, "expected a header of at most 16777216 bytes"),
    ] {
        let file = made(header, data);
        assert!(SafeTensors::deserialize(&file).is_ok(), "the crate refuses {message}");
        let error = TensorFile::read(&file).expect_err(message).to_string();
        assert!(error.contains(message), "{error} lacks {message}");
    }
}

#[test]
fn no_cut_and_no_flipped_bit_of_the_header_is_a_panic() {
    let bytes = file().write().unwrap();
    for end in 0..bytes.len() {
        assert!(TensorFile::read(&bytes[..end]).is_err(), "cut at {end}");
    }
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = TensorFile::read(&changed) {
            assert_ne!(read, file(), "bit {bit} does nothing");
        }
    }
}
