"""Sans-IO codecs and state machines of the database wire protocols: bytes in, effects out. The standard library, and librt."""
