"""Benchmarks: every figure in the README comes from here. `./dev bench`, or `python -m bench`."""
