//! M-RoPE, as a project has it that knows nothing of ropecheck.

/// Turns one head of a token in place, channel i with channel i + pairs. Pair i turns by the position on its
/// axis.
pub fn rotate_head(head: &mut [f32], position: [f32; 3], axis_of_pair: &[usize], inv_freq: &[f32]) {
    let (first, second) = head.split_at_mut(inv_freq.len());
    for (i, (a, b)) in first.iter_mut().zip(second).enumerate() {
        let (sin, cos) = (position[axis_of_pair[i]] * inv_freq[i]).sin_cos();
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}
