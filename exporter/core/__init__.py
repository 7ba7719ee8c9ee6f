"""The pure core: no I/O, no asyncio, no clock, no logging, no randomness; time is an argument."""
