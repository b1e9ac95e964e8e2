//! Files of tensors (safetensors), of which golden files and snapshots are made: whatever is read comes back byte for byte.

use ropecheck::case::tensor_file::TensorFile;

/// The bytes of a file; after a first byte of 0x80 or more, a header up to a zero byte, to which its length is added, and data.
pub fn run(data: &[u8]) {
    let bytes = match data {
        [0x80..=0xff, rest @ ..] => {
            let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            let mut bytes = u64::try_from(end).unwrap_or(0).to_le_bytes().to_vec();
            bytes.extend_from_slice(&rest[..end]);
            bytes.extend_from_slice(rest.get(end + 1..).unwrap_or_default());
            bytes
        }
        _ => data.to_vec(),
    };
    match TensorFile::read(&bytes) {
        Ok(file) => {
            let size: usize = file.tensors.values().map(|tensor| tensor.bytes.len()).sum();
            assert!(size <= bytes.len(), "{size} bytes of {}", bytes.len());
            for (name, tensor) in &file.tensors {
                let elements = tensor.shape.iter().product::<usize>();
                assert_eq!(elements * tensor.kind.size(), tensor.bytes.len(), "{name:?}");
            }
            let written = file.write().unwrap_or_else(|why| panic!("read and not written: {why}"));
            assert_eq!(TensorFile::read(&written).as_ref(), Ok(&file));
            assert_eq!(file.write().as_ref(), Ok(&written));
        }
        Err(error) => assert!(error.to_string().len() < 4096),
    }
}
