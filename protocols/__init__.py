"""Sans-IO codecs and state machines of the database wire protocols: bytes in, effects out. Standard library only."""
