"""What would have happened: history through the same engine, on a clock that is simulated."""
