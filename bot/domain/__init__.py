"""The rules of Ringfence as plain values and pure functions: no I/O, no clock, no randomness, no logging."""
