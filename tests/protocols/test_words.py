"""Bytes looked for by words are found where they stand, wherever that is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.words import everywhere, first_of, printable_but

# next to one another, and where a borrow or a sign could tell
BYTES = st.one_of(st.sampled_from(b"\x00\x01\x1f\x20\x21@A\x7e\x7f\x80\x81\xfe\xff"), st.integers(0, 255))
BUFFERS = st.lists(BYTES, max_size=40).map(bytes)


@given(BUFFERS, st.integers(0, 40), st.integers(0, 40), BYTES, BYTES, BYTES)
def test_the_first_of_three(buffer: bytes, start: int, end: int, one: int, two: int, three: int) -> None:
    end = min(end, len(buffer))
    start = min(start, end)
    expected = next((at for at in range(start, end) if buffer[at] in (one, two, three)), end)
    assert first_of(buffer, start, end, everywhere(one), everywhere(two), everywhere(three)) == expected


@given(st.one_of(BUFFERS, st.text("abc @~", max_size=30).map(str.encode)), st.integers(0, 9), BYTES, BYTES)
def test_printable_text_without_two_bytes(buffer: bytes, start: int, one: int, two: int) -> None:
    expected = all(0x20 <= byte <= 0x7E and byte not in (one, two) for byte in buffer[start:])
    assert printable_but(buffer, start, len(buffer), everywhere(one), everywhere(two)) == expected
