"""Pure decisions: text and facts in, verdicts out. Nothing here does I/O, reads a clock or draws a random number."""
