"""`options`: no spelling of a parameter escapes being seen, and what is seen is what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.base import ProtocolError
from protocols.postgres.options import decode_options, flatten_parameters, split_options


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", []),
        ("  \t ", []),
        ("-c a=b", ["-c", "a=b"]),
        (r"-c search_path=a,\ b", ["-c", "search_path=a, b"]),
        (r"-c\ role=x", ["-c role=x"]),
        (r"\-c rol\e=x", ["-c", "role=x"]),
        (r"a\\b", ["a\\b"]),
        ("a\\", ["a"]),
        ("a\vb\fc\nd\re", ["a", "b", "c", "d", "e"]),
        ("a\u00a0b", ["a\u00a0b"]),
    ],
)
def test_arguments_are_split_as_the_server_splits_them(text: str, arguments: list[str]) -> None:
    assert split_options(text) == arguments


@pytest.mark.parametrize(
    "text",
    [
        "-c role=admin",
        "-crole=admin",
        "--role=admin",
        r"--r\ole=admin",
        r"-c\role=admin",
        r"\-\-role=admin",
        "-c work_mem=1MB -c role=admin",
        "-e --role=admin",
        "-c role=admin --",
    ],
)
def test_no_spelling_hides_a_parameter(text: str) -> None:
    assert ("role", "admin") in decode_options(text)


def test_a_dash_in_a_name_is_an_underscore_as_the_server_has_it() -> None:
    assert decode_options("--statement-timeout=5 -c idle-session-timeout=6") == [
        ("statement_timeout", "5"),
        ("idle_session_timeout", "6"),
    ]


def test_short_switches_that_stand_for_parameters_are_translated() -> None:
    assert decode_options("-S 4096 -fs -f m -e") == [
        ("work_mem", "4096"),
        ("enable_seqscan", "false"),
        ("enable_mergejoin", "false"),
        ("datestyle", "euro"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "-c",
        "-c role",
        "--role",
        "-O",
        "-P",
        "-Ec role=admin",
        "-d 5",
        "-W 9",
        "-s",
        "-tpa",
        "-fz",
        "postgres",
        "-",
        "-- x",
        "-p 1",
        "-v 3",
        "-S",
    ],
)
def test_arguments_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_options(text)
    assert caught.value.sqlstate == "42601"


@pytest.mark.parametrize(
    "text",
    [
        "-c user=postgres",
        "-c database=x",
        "-c replication=on",
        "-c options=-cx",
        "-c _pq_.x=1",
        "-c =1",
        "-c a..b=1",
        "-c röle=1",
    ],
)
def test_options_cannot_set_what_the_startup_packet_itself_decides(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_options(text)
    assert caught.value.sqlstate == "42704"


def test_options_come_first_then_the_parameters_and_the_last_one_of_a_name_wins() -> None:
    flat = flatten_parameters(
        {"user": "ann", "Work_Mem": "2MB", "options": "-c work_mem=1MB -c app.tenant=7", "database": "shop"}
    )
    assert list(flat.items()) == [("app.tenant", "7"), ("Work_Mem", "2MB")]


@pytest.mark.parametrize("name", ["User", "a b", "a=b", "", "röle"])
def test_a_parameter_whose_name_cannot_be_one_is_refused_unless_the_server_would_say_so(name: str) -> None:
    if name == "User":
        assert flatten_parameters({name: "x"}) == {name: "x"}  # only the exact name is special; the server refuses this
    else:
        with pytest.raises(ProtocolError):
            flatten_parameters({name: "x"})


@given(st.text(max_size=60))
def test_options_are_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        settings = decode_options(text)
    except ProtocolError:
        return
    assert all(name.isascii() and name not in {"user", "database", "options", "replication"} for name, _ in settings)


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=8), max_size=5))
def test_escaping_every_character_gives_back_the_arguments(arguments: list[str]) -> None:
    text = " ".join("".join("\\" + char for char in argument) for argument in arguments)
    assert split_options(text) == arguments
