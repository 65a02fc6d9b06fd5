/* Bitcoin Core's library seeds its random numbers before `main`, which takes 100 ms of hashing in every process that
 * links it. Verification needs no randomness, and the library seeds itself at the first number that it is asked for.
 * Programs that link with `--wrap=_Z10RandomInitv` call this instead. */
void __wrap__Z10RandomInitv(void) {}
