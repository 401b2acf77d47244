from __future__ import annotations

import pytest

from rules.model import Kind
from rules.structuring import WrongValue, dotted, make_converter


@pytest.mark.parametrize("kind", [str, int, float, bool])
@pytest.mark.parametrize("value", ["5", 5, 1.5, True, None, [], {}])
@pytest.mark.parametrize("optional", [False, True])
def test_nothing_is_converted_from_what_merely_looks_like_it(kind: type, value: object, optional: bool) -> None:
    converter = make_converter()
    wanted = kind | None if optional else kind
    fits = type(value) is kind or (kind is float and type(value) is int) or (optional and value is None)
    if fits:
        assert converter.structure(value, wanted) == value  # type: ignore[arg-type]
    else:
        with pytest.raises(WrongValue):
            converter.structure(value, wanted)  # type: ignore[arg-type]


def test_a_word_of_a_vocabulary_is_itself_alone() -> None:
    converter = make_converter()
    assert converter.structure("select", Kind) is Kind.SELECT
    for wrong in ("SELECT", "", 3, None):
        with pytest.raises(WrongValue):
            converter.structure(wrong, Kind)


def test_a_path_reads_as_it_is_written() -> None:
    assert dotted(("policy", "my shop", "rule", 0, "when")) == 'policy."my shop".rule[1].when'
