/* kernels/c/rope.c with one bug, which the fuzz target `library` must find: the lane and fuzz/tests/planted.rs see to it.
 *
 *     cc -O2 -shared -fPIC -Iinclude -Ikernels/c -DBUG=1 -o libplanted.so fuzz/kernels/planted.c -lm
 *
 * BUG 0   none
 * BUG 1   a tail of a loop over blocks of eight tokens, in the backward direction alone: where more than eight tokens leave a
 *         rest of one, that token's last query head is not turned
 * BUG 2   the same place writes far outside of everything: a crash
 * BUG 3   the same place never ends: a hang */
#define ropecheck_rotate honest_rotate
#include "rope.c"
#undef ropecheck_rotate

ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len);

ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  const ropecheck_status status = honest_rotate(handle, call, err, err_len);
  const ropecheck_qk *qk = &call->qk;
  if (BUG == 0 || status != ROPECHECK_OK || call->plan.direction > 0 || qk->tokens <= 8 || qk->tokens % 8 != 1 ||
      qk->q.data == qk->q_out.data)
    return status;
  char *volatile nowhere = (char *)64;
  if (BUG == 2) *nowhere = 1;
  if (BUG == 3)
    for (volatile int on = 1; on;) {
    }
  const size_t size = qk->q.dtype == ROPECHECK_F32 ? 4 : 2;
  for (int64_t d = 0; d < call->plan.head_dim; d++) {
    const int64_t head = qk->q_heads - 1, token = qk->tokens - 1;
    const int64_t from = token * qk->q.stride[1] + head * qk->q.stride[2] + d * qk->q.stride[3];
    const int64_t to = token * qk->q_out.stride[1] + head * qk->q_out.stride[2] + d * qk->q_out.stride[3];
    memcpy((char *)qk->q_out.data + to * (int64_t)size, (const char *)qk->q.data + from * (int64_t)size, size);
  }
  return status;
}
