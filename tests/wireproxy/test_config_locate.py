from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wireproxy.config.locate import line_of, locate

DOCUMENT = '''\
# a comment with [brackets] and "quotes
state_dir = "x"  # [not.a.table]

[listen.postgres]
port = 6432
host = """
[database.fake]
"""

[database."my shop"]
password = { env = "A", deep = { er = [1, 2] } }
users = [
    "a",  # ]
    "b",
]
a.b.c = 1

[[policy.p.rule]]
name = 'x = "y"'
[policy.p.rule.when]
kinds = ["select"]

[[policy.p.rule]]
name = "two"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("state_dir",), 2),
        (("listen",), 4),
        (("listen", "postgres"), 4),
        (("listen", "postgres", "port"), 5),
        (("database", "my shop"), 10),
        (("database", "my shop", "password", "env"), 11),
        (("database", "my shop", "password", "deep", "er", 1), 11),
        (("database", "my shop", "users"), 12),
        (("database", "my shop", "users", 1), 14),
        (("database", "my shop", "a", "b", "c"), 16),
        (("policy", "p", "rule", 0), 18),
        (("policy", "p", "rule", 0, "name"), 19),
        (("policy", "p", "rule", 0, "when", "kinds", 0), 21),
        (("policy", "p", "rule", 1, "name"), 24),
        (("policy", "p", "rule", 1, "action"), 23),  # missing: the table's own line
        (("database", "fake"), 10),  # missing: the nearest around it
        (("nowhere",), 1),
    ],
)
def test_a_key_is_found_on_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(locate(DOCUMENT), path) == line


keys = st.text("abcdefgh \"'.\\[]#=é", min_size=1, max_size=5)
scalars = st.integers(0, 99) | st.booleans() | st.text("ab \"'[]{}#,=\\é\n", max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
documents = st.dictionaries(keys, st.dictionaries(keys, values, max_size=3), max_size=3)


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n# ]\n".join(written(each) for each in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def paths(value: Any, at: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {at}.union(*(paths(each, (*at, key)) for key, each in children)) - {()}


@given(documents)
def test_every_path_of_a_document_is_located(document: dict[str, Any]) -> None:
    text = ""
    for name, table in document.items():
        text += f"[{json.dumps(name)}]\n" + "".join(
            f"{json.dumps(key)} = {written(each)}\n" for key, each in table.items()
        )
    assert tomllib.loads(text) == document
    assert set(locate(text)) == paths(document)


@given(st.text("ab[]{}=\"'#\n.,\\ ", max_size=60))
def test_no_text_makes_it_raise_or_hang(text: str) -> None:
    locate(text)
