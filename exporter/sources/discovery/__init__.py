"""Where targets come from: each mechanism publishes its whole current list whenever it changes."""
