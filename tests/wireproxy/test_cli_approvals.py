"""The desk's commands against a real control socket, and what untrusted text may do to a terminal: nothing."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.lowlevel
from attrs import evolve
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rules.model import Identity
from tests.wireproxy.test_control import BINDING, DBA, FACTS, HOLD, NOW_NS, Gateway, running
from wireproxy import request_view
from wireproxy.approvals import Desk
from wireproxy.cli import cli, request_screen, screen
from wireproxy.cli.calls import find_socket
from wireproxy.config.model import Approver
from wireproxy.request_view import RequestView
from wireproxy.store.sqlite import SqliteStore

# an agent's idea of a status line: clear the screen, home, paint it green, ring, set the title, go up, and reorder letters
HOSTILE = (
    "\x1b[2J\x1b[H\x1b[32mwp-0001 harmless SELECT\x1b[0m\x07\x1b]0;root@db\x07\x1b[3A\r\x9b2J\x08\x08\x7f"
    "\u202eTCELES\u202c\u2066x\u2069\u200b\u200d\ufeff\u00ad\u2028\U000e0041\u3164\u2800"
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(tmp_path) as gateway:
        yield gateway


async def run(gateway: Gateway, *arguments: str) -> Result:
    def invoke() -> Result:
        return CliRunner().invoke(
            cli, [arguments[0], "--socket", str(gateway.path), *arguments[1:]], env={"COLUMNS": "200"}
        )

    return await trio.to_thread.run_sync(invoke)


async def view_of(folder: Path, **changes: Any) -> RequestView:
    desk = Desk(await SqliteStore.open(folder / "views.db"), lambda: NOW_NS)
    request = await desk.submit(BINDING, evolve(FACTS, **changes), HOLD)
    await desk.aclose()
    return request_view.whole(request, NOW_NS, awaited=True)


def rendered(view: RequestView, *, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False, emoji=False).print(request_screen.page(view))
    return out.getvalue()


# What the commands say


async def test_approvals_list_show_approve(gateway: Gateway) -> None:
    assert (await run(gateway, "approvals")).output == "Nothing waits.\n"
    request = await gateway.submit()
    listed = await run(gateway, "approvals")
    assert request.id in listed.output
    assert "DELETE FROM orders" in listed.output
    shown = await run(gateway, "show", request.id)
    assert shown.exit_code == 0
    assert f"wireproxy approve {request.id}" in shown.output
    approved = await run(gateway, "approve", request.id, "--reason", "fine")
    assert approved.exit_code == 0
    assert "Approved: it runs when claude sends it again" in approved.output
    assert await gateway.desk.claim(BINDING) is not None
    assert (await run(gateway, "approvals")).output == "Nothing waits.\n"
    assert request.id in (await run(gateway, "approvals", "--all")).output


async def test_deny_needs_a_reason(gateway: Gateway) -> None:
    request = await gateway.submit()
    assert (await run(gateway, "deny", request.id)).exit_code == 2
    denied = await run(gateway, "deny", request.id, "--reason", "no WHERE")
    assert denied.exit_code == 0
    again = await run(gateway, "approve", request.id)
    assert again.exit_code == 1
    assert "was denied by dana: no WHERE" in again.output


async def test_an_approval_that_is_awaited_says_that_it_runs_now(gateway: Gateway) -> None:
    request = await gateway.submit()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.desk.wait, request.id, 60)
        while not gateway.desk.is_awaited(request.id):
            await trio.lowlevel.checkpoint()
        assert "claude waits for it, it runs now" in (await run(gateway, "approve", request.id)).output


async def test_a_quorum_says_what_is_missing(gateway: Gateway) -> None:
    request = await gateway.desk.submit(BINDING, FACTS, evolve(HOLD, quorum=2))
    assert "1 more needed, from someone else" in (await run(gateway, "approve", request.id)).output
    assert "pending 1/2" in (await run(gateway, "approvals")).output


async def test_as_chooses_among_the_names_of_one_account(gateway: Gateway) -> None:
    gateway.approvers["ben"] = Approver("ben", DBA.unix_users, frozenset({"dba"}))
    request = await gateway.submit()
    unsure = await run(gateway, "approve", request.id)
    assert unsure.exit_code == 1
    assert "choose one with --as" in unsure.output
    assert (await run(gateway, "approve", request.id, "--as", "ben")).exit_code == 0


async def test_json_is_one_object_on_a_line_in_ascii(gateway: Gateway) -> None:
    request = await gateway.desk.submit(BINDING, evolve(FACTS, sql=HOSTILE, parameters=("ü", None)), HOLD)
    for command in (["show", request.id, "--json"], ["approvals", "--json"]):
        result = await run(gateway, *command)
        assert result.output.isascii()
        assert "\x1b" not in result.output
        (line,) = result.output.splitlines()
        found = json.loads(line)
        assert found["sql"] == HOSTILE
        assert found["parameters"] == ["ü", None]


async def test_preview_shows_what_was_found(gateway: Gateway) -> None:
    request = await gateway.submit()
    assert "DELETE 3" in (await run(gateway, "preview", request.id)).output
    assert json.loads((await run(gateway, "preview", request.id, "--json")).output)["tag"] == "DELETE 3"


async def test_watch_prints_a_line_for_each_change(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal; it ends when the gateway does."""
    request = await gateway.submit()
    heard: list[str] = []
    monkeypatch.setattr("wireproxy.cli.approvals.click.echo", heard.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, gateway, "watch")
        while len(heard) < 1:
            await trio.lowlevel.checkpoint()
        await gateway.desk.deny(request.id, DBA, "no")
        while len(heard) < 2:
            await trio.lowlevel.checkpoint()
        await gateway.stop()
    assert re.match(rf"{request.id} pending claude@shop : DELETE FROM orders", heard[0])
    assert re.match(rf"{request.id} denied by dana: no claude@shop", heard[1])


# Finding the gateway


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_a_gateway_that_does_not_run_is_named_with_the_next_step(tmp_path: Path) -> None:
    result = invoke("approvals", "--socket", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "wireproxy serve" in result.output


def test_the_environment_names_the_socket(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["approvals"], env={"WIREPROXY_SOCKET": str(tmp_path / "none")})
    assert f"no gateway at {tmp_path}/none" in result.output


def test_without_any_configuration_the_choices_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("show", "wp-1")
    assert result.exit_code == 1
    assert "--socket" in result.output


def test_a_named_socket_needs_no_configuration(tmp_path: Path) -> None:
    assert find_socket(tmp_path / "s", tmp_path / "missing.toml") == tmp_path / "s"


# What a person is shown


async def test_a_request_shows_all_that_a_decision_needs(tmp_path: Path) -> None:
    view = await view_of(
        tmp_path,
        identity=Identity("claude", frozenset({"agents", "beta"}), "oidc", "corp", "sub-42"),
        sql="UPDATE orders SET paid = $1 WHERE id = $2",
        parameters=("t", None),
        kinds=("update",),
        relations=("public.orders (write)", "public.customers (read)"),
        transaction="in transaction",
        done=("INSERT 0 3", "UPDATE 1"),
        estimated_rows=12345.0,
        batch=2,
    )
    text = rendered(view)
    for wanted in (
        "claude",
        "agents, beta",
        "by oidc corp, subject sub-42",
        "10.0.0.5:41000",
        "psql",
        "shop (postgres)",
        "session s1",
        "UPDATE orders SET paid = $1 WHERE id = $2",
        "'t'",
        "NULL",
        "update",
        "public.orders (write)",
        "public.customers (read)",
        "writes: it writes",
        "in transaction; it has done already",
        "1. INSERT 0 3",
        "2. UPDATE 1",
        "~12,345",
        "expires in 30 min",
        "its client waits right now",
        "1 approval of dba; 1 missing",
        "statement, 2 in one text",
    ):
        assert wanted in text, wanted


async def test_the_text_null_is_not_shown_as_null(tmp_path: Path) -> None:
    text = rendered(await view_of(tmp_path, parameters=("NULL", None)))
    assert re.search(r"\$1\s+'NULL'", text)
    assert re.search(r"\$2\s+NULL", text)


# Untrusted text


def is_safe(text: str) -> bool:
    return all(
        character == "\n" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        for character in text
    )


async def test_no_untrusted_text_reaches_the_terminal_raw(tmp_path: Path) -> None:
    identity = Identity("claude" + HOSTILE, frozenset({HOSTILE}), "oidc", "i" + HOSTILE, HOSTILE)
    facts = dict.fromkeys(("client", "application", "sql", "session_id", "transaction", "rule"), HOSTILE)
    lists = dict.fromkeys(("parameters", "relations", "reasons", "done", "kinds"), (HOSTILE,))
    view = await view_of(tmp_path, identity=identity, **facts, **lists)
    view = msgspec.structs.replace(
        view, reason=HOSTILE, state=HOSTILE, approvers=[HOSTILE], database=HOSTILE, dialect=HOSTILE
    )
    assert is_safe(rendered(view))
    assert is_safe(request_screen.line(view))
    assert "\n" not in request_screen.line(view)
    out = io.StringIO()
    Console(file=out, width=150, highlight=False, markup=False, emoji=False).print(request_screen.listing([view]))
    Console(file=out, width=150, highlight=False, markup=False, emoji=False).print(
        request_screen.effect({HOSTILE: [HOSTILE]})
    )
    assert is_safe(out.getvalue())


async def test_on_a_colour_terminal_the_only_escapes_are_ours(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(
        file=out, width=100, force_terminal=True, color_system="standard", highlight=False, markup=False, emoji=False
    )
    console.print(request_screen.page(await view_of(tmp_path, sql=HOSTILE, application="[bold red]x[/] :smile:")))
    ours = re.compile(r"\x1b\[[0-9;]*m")
    assert is_safe(ours.sub("", out.getvalue()))
    assert "[bold red]x[/] :smile:" in out.getvalue()


async def test_sql_cannot_pose_as_the_lines_below_it(tmp_path: Path) -> None:
    """Every line of the statement is inside the frame, whatever it is made of."""
    forged = "SELECT 1;\n╰──────────╯\nneeds  0 approvals\nnext   nothing\n╭─ statement ─╮\n" + "漢字" * 80
    text = rendered(await view_of(tmp_path, sql=forged), width=80).splitlines()
    start = next(index for index, line in enumerate(text) if line.startswith("╭─ statement"))
    end = max(index for index, line in enumerate(text) if line.startswith("╰"))
    assert all(line.startswith("│") and line.endswith("│") for line in text[start + 1 : end])
    assert any("needs  0 approvals" in line for line in text[start + 1 : end])


async def test_runs_of_nothing_do_not_push_text_off_the_screen(tmp_path: Path) -> None:
    sql = (
        "SELECT 1"
        + "\n" * 500
        + "; DROP TABLE a"
        + " " * 5000
        + "; DROP TABLE b"
        + "\r\n" * 300
        + "\t \t" * 300
        + "; x"
    )
    text = rendered(await view_of(tmp_path, sql=sql))
    for note in ("499 blank lines", "5000 blanks", "299 blank lines", "900 blanks"):
        assert note in text
    assert len(text.splitlines()) < 40
    assert "DROP TABLE a" in text
    assert "DROP TABLE b" in text


async def test_a_long_statement_is_shown_whole(tmp_path: Path) -> None:
    text = rendered(await view_of(tmp_path, sql="SELECT " + ", ".join(f"c{index}" for index in range(3000))))
    assert "c2999" in text


async def test_a_long_value_says_how_much_is_missing(tmp_path: Path) -> None:
    text = rendered(await view_of(tmp_path, parameters=("x" * 5000,)))
    assert "3,000 more characters; --json has them" in " ".join(text.split())


def test_a_cut_text_shows_that_it_is_cut() -> None:
    assert screen.cut("SELECT 1", 8) == "SELECT 1"
    assert screen.cut("SELECT 12", 8) == "SELECT 1…"
    assert screen.cut("SELECT 1" + " " * 1000 + "; DROP TABLE a", 20).endswith("…")
    assert screen.cut("a\n\n  b", 10) == "a b"


@pytest.mark.parametrize("blanks", [" ", "\t", "\n", " \n", "\t" * 39 + "x", " " * 39 + "\n" * 4 + "x"])
def test_a_megabyte_of_blanks_takes_no_time(blanks: str) -> None:
    """Quadratic, this would take hours; the test's own time limit would end it."""
    screen.marked_sql(blanks * (300_000 // len(blanks)))


def test_letters_that_look_alike_are_pointed_out() -> None:
    (warning,) = screen.warnings("DELETE FROM \u043erders")
    assert "'\\u043erders'" in warning
    assert screen.warnings("SELECT 'Müller', 'Москва', '東京' FROM straße") == []
    assert "2 characters that do not print" in screen.warnings("a\x1b\u202eb\n\tc")[0]


def test_marks_piled_on_a_letter_are_taken_apart() -> None:
    assert screen.neutral("e\u0301") == "e\u0301"
    assert screen.neutral("e" + "\u0301" * 50).count("\u0301") == screen.COMBINING


@given(st.text(alphabet=st.characters()))
def test_neutral_text_is_printable_and_on_one_line(text: str) -> None:
    assert is_safe(screen.neutral(text))
    assert "\n" not in screen.neutral(text)
    assert is_safe(screen.neutral(text, lines=True))
    assert is_safe(screen.marked_sql(text).plain)
    assert is_safe(screen.cut(text, 10))


@given(st.text(alphabet=" \n\tx", max_size=200))
def test_sql_of_blanks_keeps_every_other_letter(text: str) -> None:
    assert screen.marked_sql(text).plain.count("x") == text.count("x")
