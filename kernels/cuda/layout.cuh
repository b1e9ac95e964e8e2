// layout.cuh: positions of M-RoPE (Qwen2-VL) and VRoPE (its official code) from a layout of text, images and videos.
// The host turns layouts into runs, whose starts it adds up; the device finds the run of a token and does the rest.
#ifndef ROPE_LAYOUT_CUH
#define ROPE_LAYOUT_CUH

#include <limits.h>
#include <string.h>

#include <vector>

#include "common.cuh"

#define MAX_SCHEME_AXES 4

enum SchemeId { M_ROPE, VROPE };

// A segment with what comes before it added up.
struct Run {
  int64_t token, position; // of its first token: number in the row, running position
  int64_t H, W;            // 0 for text
};

// The runs of all rows, in device memory. Row b has runs [first[b], first[b + 1]), at least one.
struct Runs {
  const Run *runs;
  const int64_t *first;
  int64_t token_start;
  int scheme;
};

static inline ropecheck_status find_scheme(const ropecheck_scheme &scheme, int *id, Note to) {
  if (scheme.scheme == NULL || scheme.profile == NULL) return BAD(to, "the scheme has no name");
  int axes;
  if (strcmp(scheme.scheme, "m-rope") == 0 && strcmp(scheme.profile, "default") == 0) {
    *id = M_ROPE, axes = 3;
  } else if (strcmp(scheme.scheme, "vrope") == 0 && strcmp(scheme.profile, "official") == 0) {
    *id = VROPE, axes = 4;
  } else {
    return UNSUPPORTED(to, "no positions for %s@%s", scheme.scheme, scheme.profile);
  }
  return scheme.n_axes == axes ? ROPECHECK_OK : BAD(to, "%s has %d axes", scheme.scheme, axes);
}

// The axis of pair i of R, as these two schemes lay their axes over the frequencies.
static inline int scheme_axis(int scheme, int i, int R) {
  if (scheme == VROPE) return i % 4;
  const int spatial = 3 * R / 8; // pairs of h and of w; t has the others: 16, 24, 24 of 64
  const int temporal = R - 2 * spatial;
  return i < temporal ? 0 : i < temporal + spatial ? 1 : 2;
}

// Arrays of structs are stepped through by the size that the caller knows, which a newer header may have raised.
template <typename T>
static inline const T *step(const T *first, int64_t index) {
  return reinterpret_cast<const T *>(reinterpret_cast<const char *>(first) + index * (int64_t)first->struct_size);
}

// Positions are below the number of tokens before them plus those of their own segment (W + H - 1 <= W * H,
// max(T, H, W) <= T * H * W), so no sum can overflow once the tokens were counted without overflow.
static inline ropecheck_status check_segment(const ropecheck_segment &s, Note to) {
  if (s.struct_size < sizeof s) return BAD(to, "segment.struct_size is too small");
  if (s.kind == ROPECHECK_TEXT) return s.tokens < 0 ? BAD(to, "tokens is negative") : ROPECHECK_OK;
  if (s.kind != ROPECHECK_IMAGE && s.kind != ROPECHECK_VIDEO) return BAD(to, "unknown kind of segment");
  if (s.T < 1 || s.H < 1 || s.W < 1) return BAD(to, "a grid needs T, H and W of at least 1");
  if (s.kind == ROPECHECK_IMAGE && s.T != 1) return BAD(to, "an image has T = 1");
  const int64_t rows = s.tokens / s.W;
  if (s.tokens % s.W != 0 || rows % s.H != 0 || rows / s.H != s.T) return BAD(to, "tokens is not T*H*W");
  return ROPECHECK_OK;
}

// How far a segment moves the running position.
static inline int64_t advance(int scheme, const ropecheck_segment &s) {
  if (s.kind == ROPECHECK_TEXT) return s.tokens;
  if (scheme == VROPE) return s.T * (s.W + s.H - 1);
  const int64_t larger = s.H > s.W ? s.H : s.W;
  return s.T > larger ? s.T : larger;
}

// Adds the runs of one layout whose first token is *token and whose first position is 0. *position is where text goes on.
static inline ropecheck_status add_runs(int scheme, const ropecheck_layout &layout, int64_t *token, int64_t *position,
                                        std::vector<Run> *runs, Note to) {
  if (layout.struct_size < sizeof layout) return BAD(to, "layout.struct_size is too small");
  if (layout.n_segments < 0) return BAD(to, "n_segments is negative");
  if (layout.n_segments > 0 && layout.segments == NULL) return BAD(to, "segments is NULL");
  *position = 0;
  for (int64_t i = 0; i < layout.n_segments; i++) {
    const ropecheck_segment &s = *step(layout.segments, i);
    TRY(check_segment(s, to));
    if (s.tokens > INT64_MAX - *token) return BAD(to, "too many tokens");
    const bool text = s.kind == ROPECHECK_TEXT;
    if (s.tokens > 0) runs->push_back(Run{*token, *position, text ? 0 : s.H, text ? 0 : s.W});
    *token += s.tokens;
    *position += advance(scheme, s);
  }
  return ROPECHECK_OK;
}

// The runs of all rows, with those of row b from first[b] on. Each row ends in a run of text without end, so that a token
// behind the row, where text would go on, has a position too. All rows must hold tokens [start, start + count).
static inline ropecheck_status runs_of(int scheme, const ropecheck_layout *layouts, int64_t batch, int64_t start,
                                       int64_t count, std::vector<Run> *runs, std::vector<int64_t> *first, Note to) {
  if (batch < 0 || start < 0 || count < 0) return BAD(to, "a size is negative");
  if (batch > 0 && layouts == NULL) return BAD(to, "layouts is NULL");
  first->assign(1, 0);
  for (int64_t row = 0; row < batch; row++) {
    int64_t token = 0, position = 0;
    TRY(add_runs(scheme, *step(layouts, row), &token, &position, runs, to));
    if (start > token || count > token - start) return BAD(to, "the token range ends after the row");
    runs->push_back(Run{token, position, 0, 0});
    first->push_back((int64_t)runs->size());
  }
  return ROPECHECK_OK;
}

// The runs of sequences packed one after another in row 0: `tokens` tokens in all. Their starts follow from the layouts, so
// cu_seqlens, which is in device memory, need not be read.
static inline ropecheck_status runs_of_packed(int scheme, const ropecheck_layout *layouts, int64_t sequences,
                                              int64_t tokens, std::vector<Run> *runs, std::vector<int64_t> *first,
                                              Note to) {
  if (sequences < 0) return BAD(to, "n_sequences is negative");
  if (sequences > 0 && layouts == NULL) return BAD(to, "layouts is NULL");
  first->assign(1, 0);
  int64_t token = 0, position = 0;
  for (int64_t i = 0; i < sequences; i++)
    TRY(add_runs(scheme, *step(layouts, i), &token, &position, runs, to));
  if (token != tokens) return BAD(to, "the sequences do not have as many tokens as the row");
  runs->push_back(Run{token, position, 0, 0});
  first->push_back((int64_t)runs->size());
  return ROPECHECK_OK;
}

// The run that holds token n of a row: the last one that starts at or before it.
__device__ __forceinline__ Run run_of(const Runs &all, int64_t row, int64_t n) {
  int64_t low = all.first[row], high = all.first[row + 1];
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (all.runs[middle].token <= n) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return all.runs[low];
}

// Positions of token n of a row on every axis.
__device__ __forceinline__ void positions_of(const Runs &all, int64_t row, int64_t n, int64_t *position) {
  const Run run = run_of(all, row, n);
  const int64_t i = n - run.token, p = run.position, H = run.H, W = run.W;
  if (W == 0) {
    for (int axis = 0; axis < MAX_SCHEME_AXES; axis++) position[axis] = p + i;
    return;
  }
  const int64_t t = i / (H * W), h = i / W % H, w = i % W;
  if (all.scheme == M_ROPE) {
    position[0] = p + t, position[1] = p + h, position[2] = p + w, position[3] = 0;
    return;
  }
  const int64_t s = p + t * (W + H - 1); // frames follow one another
  const int64_t m = W + H - 2;           // largest rotated coordinate
  const int64_t u = w + h, v = w - h + H - 1;
  position[0] = s + u;     // u_pos
  position[1] = s + m - v; // v_neg
  position[2] = s + v;     // v_pos
  position[3] = s + m - u; // u_neg
}

#endif
