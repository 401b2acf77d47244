"""psql as a person and a script use it."""

from __future__ import annotations

from pathlib import Path

from tests.integration.conftest import Route


def test_several_statements_in_one_query_answer_in_order(route: Route) -> None:
    done = route.run("psql", "-XAt", "-c", "SELECT 1; SELECT 'zwei'; SELECT NULL, 3")
    assert done.stdout.splitlines() == ["1", "zwei", "|3"]


def test_an_error_in_a_batch_rolls_all_of_it_back(route: Route) -> None:
    route.run("psql", "-XAt", "-c", "CREATE TABLE t (a int)")
    done = route.run("psql", "-XAt", "-c", "INSERT INTO t VALUES (1); SELECT 1/0", fails=True)
    assert "division by zero" in done.stderr
    assert route.run("psql", "-XAt", "-c", "SELECT count(*) FROM t").stdout == "0\n"


def test_describe_commands_list_what_is_there(route: Route) -> None:
    route.run(
        "psql", "-Xq", "-c", "CREATE TABLE shelf (id int PRIMARY KEY, label text); CREATE VIEW seen AS TABLE shelf"
    )
    for command in (
        "\\d",
        "\\d+ shelf",
        "\\dt",
        "\\dv",
        "\\df pg_sleep",
        "\\du",
        "\\l",
        "\\dn+",
        "\\sf pg_sleep",
        "\\conninfo",
    ):
        assert route.run("psql", "-X", "-c", command).stdout, command
    assert '"shelf_pkey" PRIMARY KEY' in route.run("psql", "-X", "-c", "\\d shelf").stdout


def test_copy_in_and_out_of_psql(route: Route, tmp_path: Path) -> None:
    rows = "".join(f"{number}\tzeile {number}\n" for number in range(5000))
    (tmp_path / "in").write_text(rows, encoding="utf-8")
    script = f"CREATE TABLE t (a int, b text);\n\\copy t FROM '{tmp_path / 'in'}'\n\\copy t TO '{tmp_path / 'out'}'\n"
    route.run("psql", "-Xq", text=script)
    assert (tmp_path / "out").read_text(encoding="utf-8") == rows


def test_copy_from_stdin_inside_a_script(route: Route) -> None:
    script = "CREATE TABLE t (a int, b text);\nCOPY t FROM STDIN;\n1\teins\n2\t\\N\n\\.\nSELECT a, b IS NULL FROM t ORDER BY a;\n"
    assert route.run("psql", "-XAtq", text=script).stdout == "1|f\n2|t\n"


def test_a_copy_that_fails_leaves_the_session_usable(route: Route) -> None:
    script = "CREATE TABLE t (a int);\nCOPY t FROM STDIN;\n1\nnot a number\n\\.\nSELECT count(*) FROM t;\n"
    done = route.run("psql", "-XAtq", text=script)
    assert "invalid input syntax" in done.stderr
    assert done.stdout == "0\n"


def test_variables_and_gset(route: Route) -> None:
    script = "SELECT 6 * 7 AS answer \\gset\nSELECT :answer;\nSELECT :'answer' \\gexec\n\\echo :SERVER_VERSION_NUM\n"
    done = route.run("psql", "-XAtq", text=script, fails=False)
    assert done.stdout.splitlines()[0] == "42"


def test_gdesc_describes_without_running(route: Route) -> None:
    done = route.run("psql", "-XAt", text="SELECT 1 AS a, 'x'::text AS b, now() AS c \\gdesc\n")
    assert done.stdout == "a|integer\nb|text\nc|timestamp with time zone\n"


def test_fetch_count_reads_by_cursor(route: Route) -> None:
    script = "\\set FETCH_COUNT 100\nSELECT g FROM generate_series(1, 1050) AS g;\n"
    assert len(route.run("psql", "-XAtq", text=script).stdout.splitlines()) == 1050


def test_notices_and_error_fields_arrive_whole(route: Route) -> None:
    script = (
        "\\set VERBOSITY verbose\n"
        "DO $$ BEGIN RAISE NOTICE 'to whom it may concern' USING DETAIL = 'a detail', HINT = 'a hint'; END $$;\n"
        "CREATE TABLE t (a int CONSTRAINT positive CHECK (a > 0));\nINSERT INTO t VALUES (-1);\n"
    )
    said = route.run("psql", "-Xq", text=script).stderr
    for part in ("NOTICE:  00000: to whom it may concern", "a detail", "a hint", "23514", "CONSTRAINT NAME:  positive"):
        assert part in said


def test_timing_autocommit_off_and_savepoints(route: Route) -> None:
    script = (
        "\\set AUTOCOMMIT off\n\\set ON_ERROR_ROLLBACK on\nCREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n"
        "SELECT 1/0;\nINSERT INTO t VALUES (2);\nCOMMIT;\nSELECT count(*) FROM t;\n"
    )
    assert route.run("psql", "-XAtq", text=script).stdout == "2\n"


def test_startup_options_of_the_environment_reach_the_server(route: Route) -> None:
    done = route.run(
        "psql", "-XAt", "-d", f"dbname={route.dbname} options='-c geqo=off -c work_mem=3MB'", "-c", "SHOW work_mem"
    )
    assert done.stdout == "3MB\n"


def test_a_wide_and_long_text_passes(route: Route) -> None:
    text = "SELECT '" + "ü€𝄞''" * 200_000 + "'"
    assert len(route.run("psql", "-XAtq", text=text + ";\n").stdout) == 200_000 * 4 + 1


def test_the_users_name_is_the_targets_own(route: Route) -> None:
    assert route.run("psql", "-XAt", "-c", "SELECT current_user, session_user").stdout == "postgres|postgres\n"
