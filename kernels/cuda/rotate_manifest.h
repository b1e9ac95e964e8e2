// rotate_manifest.h: what the kernels with level rotate alone say of themselves.
#ifndef ROPE_ROTATE_MANIFEST_H
#define ROPE_ROTATE_MANIFEST_H

#define ROTATE_MANIFEST(name)                                                                          \
  "{\"name\":\"" name "\",\"version\":\"1\","                                                          \
  "\"levels\":{\"rotate\":{\"consumes\":[\"positions\",\"axis_of_pair\",\"inv_freq\"],"                \
  "\"schemes\":[\"*\"],\"contract\":{\"class\":\"fused\",\"frequencies\":\"table\"}}},"                \
  "\"dtypes\":[\"f32\",\"f16\",\"bf16\"],\"position_dtypes\":[\"i32\",\"i64\",\"f32\",\"f64\"],"       \
  "\"pairings\":[\"half\",\"adjacent\"],\"head_dims\":{\"min\":2,\"max\":512,\"multiple\":2},"         \
  "\"partial_rotary\":true,\"rotary_offsets\":{\"min\":0,\"max\":512},"                                \
  "\"q_heads\":{\"min\":1,\"max\":1024},\"k_heads\":{\"min\":0,\"max\":1024},"                         \
  "\"alias\":[\"out\",\"in\"],\"strides\":\"any\",\"position_strides\":\"any\",\"max_position\":2147483647,"\
  "\"directions\":[1,-1],\"attention_scaling\":true,\"per_head\":true}"

#endif
