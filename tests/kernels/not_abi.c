/* not_abi.c: a shared object that loads, and exports nothing that ropecheck.h asks for.
 *
 *     cc -O2 -shared -fPIC -o libnot_abi.so tests/kernels/not_abi.c
 */
int not_a_kernel(void) { return 42; }
