/* kernels/c/rope.c behind the six functions of device memory: the "device" is this process, a stream of calls that run at once.
 * Each DEFECT_... makes one thing wrong. */
#define ropecheck_open inner_open
#define ropecheck_close inner_close
#define ropecheck_rotate inner_rotate
#include "rope.c"
#undef ropecheck_open
#undef ropecheck_close
#undef ropecheck_rotate

#include <stdlib.h>

/* What the next sync says. */
static ropecheck_status late = ROPECHECK_OK;
static size_t lent = 0; /* blocks that are out */

static ropecheck_status say(char *err, size_t err_len, ropecheck_status status, const char *text) {
  if (err != NULL && err_len > 0) snprintf(err, err_len, "%s", text);
  return status;
}

ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {
#ifdef DEFECT_NO_DEVICE
  (void)handle;
  return say(err, err_len, ROPECHECK_NO_DEVICE, "no toy device: none was ever made");
#else
  (void)err, (void)err_len;
  *handle = &late;
  return ROPECHECK_OK;
#endif
}
void ropecheck_close(void *handle) { (void)handle; }

ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  if (handle != &late || call->stream != &lent) return say(err, err_len, ROPECHECK_INTERNAL, "wrong handle or stream");
  const ropecheck_tensor *out = &call->qk.q_out;
#ifdef DEFECT_SKIPS_LAST /* the first element of the last token stays what it was */
  const int skips = out->dtype == ROPECHECK_F32 && call->qk.tokens > 0 && call->qk.batch > 0 && out->data != call->qk.q.data;
  float *const last = skips ? (float *)out->data + (call->qk.tokens - 1) * out->stride[1] : NULL;
  const float kept = skips ? *last : 0.0f;
#endif
  const ropecheck_status status = inner_rotate(NULL, call, err, err_len);
#ifdef DEFECT_LATE_FAULT /* found out by the sync, and nothing works afterwards */
  if (status == ROPECHECK_OK && out->dtype == ROPECHECK_F16) late = ROPECHECK_INTERNAL;
#endif
#ifdef DEFECT_OVERRUN /* one element behind the last of a packed q_out */
  const int64_t elements = call->qk.batch * call->qk.tokens * call->qk.q_heads * call->plan.head_dim;
  if (status == ROPECHECK_OK && out->dtype == ROPECHECK_F32 && elements > 0 && out->stride[2] == call->plan.head_dim &&
      out->stride[0] == call->qk.tokens * out->stride[1] && out->stride[1] == call->qk.q_heads * out->stride[2])
    ((float *)out->data)[elements] = 0.5f;
#endif
#ifdef DEFECT_SKIPS_LAST
  if (skips) *last = kept;
#endif
  (void)out;
  return status;
}

ropecheck_status ropecheck_alloc(void *handle, size_t bytes, void **device, char *err, size_t err_len) {
  if (handle != &late) return say(err, err_len, ROPECHECK_INTERNAL, "wrong handle");
#ifdef DEFECT_SMALL_DEVICE /* less than sparse memory wants */
  if (bytes > ((size_t)1 << 30)) return say(err, err_len, ROPECHECK_INTERNAL, "the toy device has 1 GiB");
#endif
  char *block = aligned_alloc(256, (bytes + 511) / 256 * 256);
  if (block == NULL) return say(err, err_len, ROPECHECK_INTERNAL, "out of memory");
#ifdef DEFECT_MISALIGNED
  block += 8;
#endif
  lent++;
  *device = block;
  return ROPECHECK_OK;
}
ropecheck_status ropecheck_free(void *handle, void *device, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  lent--;
  free(device);
  return ROPECHECK_OK;
}
static ropecheck_status move(void *to, const void *from, size_t bytes, char *err, size_t err_len) {
  if (late == ROPECHECK_INTERNAL) return say(err, err_len, ROPECHECK_INTERNAL, "the device is in a fault");
  memcpy(to, from, bytes);
  return ROPECHECK_OK;
}
ropecheck_status ropecheck_upload(void *handle, void *device, const void *host, size_t bytes, char *err, size_t err_len) {
  (void)handle;
  return move(device, host, bytes, err, err_len);
}
ropecheck_status ropecheck_download(void *handle, void *host, const void *device, size_t bytes, char *err, size_t err_len) {
  (void)handle;
  return move(host, device, bytes, err, err_len);
}
#ifndef DEFECT_NO_FILL
ropecheck_status ropecheck_fill(void *handle, void *device, uint8_t byte, size_t bytes, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  memset(device, byte, bytes);
  return ROPECHECK_OK;
}
#endif
ropecheck_status ropecheck_sync(void *handle, char *err, size_t err_len) {
  (void)handle;
  return late == ROPECHECK_OK ? ROPECHECK_OK : say(err, err_len, late, "the toy kernel faulted");
}
void *ropecheck_stream(void *handle) {
  (void)handle;
  return &lent;
}
const char *ropecheck_device(void *handle) {
  (void)handle;
  return "a toy";
}
