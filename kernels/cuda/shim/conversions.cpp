// conversions.cpp: whether the shim converts f16 and bf16 as NVIDIA's own headers do on the host. scripts/nvcc_lane.sh
// builds it twice, with their headers (-DREFERENCE) and with the shim's, and runs it. An argument N takes every N-th f32.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned short reference_f16(float x);
unsigned short reference_bf16(float x);
float reference_from_f16(unsigned short bits);
float reference_from_bf16(unsigned short bits);

template <typename To, typename From>
static To bits_of(From x) {
  static_assert(sizeof(To) == sizeof(From), "the same size");
  To y;
  memcpy(static_cast<void *>(&y), &x, sizeof y);
  return y;
}

#ifdef REFERENCE
unsigned short reference_f16(float x) { return bits_of<unsigned short>(__float2half_rn(x)); }
unsigned short reference_bf16(float x) { return bits_of<unsigned short>(__float2bfloat16_rn(x)); }
float reference_from_f16(unsigned short bits) { return __half2float(bits_of<__half>(bits)); }
float reference_from_bf16(unsigned short bits) { return __bfloat162float(bits_of<__nv_bfloat16>(bits)); }
#else
int main(int count, char **arguments) {
  const unsigned long step = count > 1 ? strtoul(arguments[1], NULL, 10) : 1;
  unsigned long tried = 0, wrong = 0;
  for (unsigned long i = 0; i < 1ul << 32; i += step, tried++) {
    const float x = bits_of<float>((unsigned)i);
    const bool same = bits_of<unsigned short>(__float2half_rn(x)) == reference_f16(x) &&
                      bits_of<unsigned short>(__float2bfloat16_rn(x)) == reference_bf16(x);
    if (!same && wrong++ == 0) printf("first difference: f32 %08lx\n", i);
  }
  for (unsigned i = 0; i < 65536; i++, tried++) {
    const unsigned short bits = (unsigned short)i;
    const bool same = bits_of<unsigned>(__half2float(bits_of<__half>(bits))) == bits_of<unsigned>(reference_from_f16(bits)) &&
                      bits_of<unsigned>(__bfloat162float(bits_of<__nv_bfloat16>(bits))) ==
                          bits_of<unsigned>(reference_from_bf16(bits));
    if (!same && wrong++ == 0) printf("first difference: 16 bits %04x\n", i);
  }
  printf("%lu numbers converted, %lu differ from NVIDIA's headers\n", tried, wrong);
  return wrong == 0 && tried > 0 ? 0 : 1;
}
#endif
