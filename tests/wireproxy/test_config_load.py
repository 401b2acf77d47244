# ruff: noqa: E501 - tables of mistakes and of what is said about them, one a line
from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from rules.config import pack
from rules.model import Dialect, Kind
from wireproxy.config.load import ConfigErrors, load, load_with_warnings

VERIFIER = "SCRAM-SHA-256$4096:c2FsdHNhbHQ=$" + "A" * 43 + "=:" + "A" * 43 + "="
SMALLEST = f"""
[database.shop]
url = "postgresql://app@db.internal/shop"
[user.agent]
verifier = "{VERIFIER}"
groups = ["agents"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "wireproxy.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def errors(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(write(folder, text))
    return [str(problem).removeprefix(f"{folder}/wireproxy.toml:") for problem in caught.value.problems]


def warnings(folder: Path, text: str) -> list[str]:
    return [str(each).removeprefix(f"{folder}/wireproxy.toml:") for each in load_with_warnings(write(folder, text))[1]]


def test_two_tables_are_a_configuration(tmp_path: Path) -> None:
    config, said = load_with_warnings(write(tmp_path, SMALLEST))
    assert not said
    database = config.databases["shop"]
    assert (database.host, database.port, database.user, database.dbname) == ("db.internal", 5432, "app", "shop")
    assert (database.policy, database.tls) == ("agent-default", "prefer")
    assert [(each.dialect, each.host, each.port) for each in config.listen] == [(Dialect.POSTGRES, "127.0.0.1", 6432)]
    assert config.state_dir == tmp_path / "state"
    assert config.control_socket == tmp_path / "state" / "control.sock"
    assert config.log.directory == tmp_path / "state" / "sessions"
    assert set(config.policies) == {"agent-default", "read-only", "allow-all"}


def test_the_files_of_a_configuration_are_looked_for_beside_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    config = load(
        write(tmp_path, f'state_dir = "var"\n{SMALLEST}[database.x]\nhost="h"\nuser="u"\npassword={{file="secret"}}')
    )
    assert config.databases["x"].password.file == secret
    assert config.state_dir == tmp_path / "var"


def test_rules_of_a_policy_go_before_those_of_its_pack(tmp_path: Path) -> None:
    config = load(write(tmp_path, SMALLEST + """
[policy.mine]
pack = "read-only"
[[policy.mine.rule]]
name = "notes"
action = "deny"
when = { kinds = ["select"], hours = "22:00-06:00", days = ["mon-wed", "sun"] }
"""))  # fmt: skip
    mine = config.policies["mine"]
    assert [rule.name for rule in mine.rules][:2] == ["notes", "no-write-access"]
    assert (mine.default, mine.read_only) == ("deny", True)
    when = mine.rules[0].when
    assert (when.kinds, when.hours, when.days) == (frozenset({Kind.SELECT}), (22 * 60, 6 * 60), frozenset({0, 1, 2, 6}))


def test_the_version_follows_the_meaning(tmp_path: Path) -> None:
    first = load(write(tmp_path, SMALLEST))
    assert load(write(tmp_path, "# a comment\n" + SMALLEST)).version == first.version
    assert load(write(tmp_path, SMALLEST + "[limits]\nsessions = 3\n")).version != first.version
    assert first.policies["agent-default"].version == pack("agent-default").version


def test_all_mistakes_are_told_at_once_with_lines_and_suggestions(tmp_path: Path) -> None:
    assert errors(tmp_path, """\
drain = 3
[listen.postgres]
port = "6432"
[database.shop]
host = "127.0.0.1"
usr = "app"
password = "hunter2"
policy = "shpo"
[user.agent]
verifier = "md5abc"
groups = "dba"
[policy.shop]
pack = "agent-defalt"
[[policy.shop.rule]]
name = "x"
action = "dney"
when = { kinds = ["ddl", "selct"] }
[[mask]]
column = "ssn"
masker = "last5"
[limits]
sessions = 0
sesions_per_user = 3
""") == [
        '1: drain: unknown key; did you mean "drain_s"?',
        '3: listen.postgres.port: expected a whole number, found "6432"; without the quotes',
        '4: database.shop.user: is missing: the role that the gateway logs in as; write user = "…"',
        '6: database.shop.usr: unknown key; did you mean "user"?',
        '7: database.shop.password: a password is not written here; write { env = "NAME" }, { file = "PATH" } or '
        "{ command = [...] }",
        '8: database.shop.policy: there is no policy \'shpo\'; did you mean "shop"?',
        "10: user.agent.verifier: is not a SCRAM-SHA-256 verifier; `wireproxy user add agent` prints one",
        '11: user.agent.groups: expected a list, found "dba"; write ["dba"]',
        '13: policy.shop.pack: there is no pack \'agent-defalt\'; did you mean "agent-default"?',
        '16: policy.shop.rule[1].action: "dney" is not one of them; did you mean "deny"?',
        '17: policy.shop.rule[1].when.kinds[2]: "selct" is not one of them; did you mean "select"?',
        '19: mask[1].column: \'ssn\' names no column: it is compared with schema.table.column; write "*.*.ssn"',
        '20: mask[1].masker: there is no masker \'last5\'; did you mean "last4"?',
        "22: limits.sessions: expected more than 0, found 0",
        '23: limits.sesions_per_user: unknown key; did you mean "sessions_per_user"?',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: database: there is no database to stand in front of; write [database.NAME] with host and user"),
        ('[database.x]\nurl = "postgresql://u:secret@h/x"', "2: database.x.url: a password is not written here"),
        ('[database.x]\nurl = "oracle://h/x"', '2: database.x.url: "oracle" is no kind of database'),
        ('[database.x]\nurl = "mysql://u@h/x"\nhost = "h"', "3: database.x.host: is written twice"),
        ('[database.x]\nurl = "mysql://u@h/x"\n[listen.postgres]', "1: database.x: no listener speaks mysql; write [listen.mysql]"),
        ('[database.x]\nhost="h"\nuser="u"\nport=70000', "4: database.x.port: expected a port from 1 to 65535, found 70000"),
        ('[database.x]\nhost="h"\nuser="u"\ngroups=["agnets"]', "4: database.x.groups: there is no group of users 'agnets'"),
        ('[database.x]\nhost="h"\nuser="u"\nusers=["agnet"]', '4: database.x.users: there is no user \'agnet\'; did you mean "agent"?'),
        ('[database.x]\nhost="h"\nuser="u"\npassword={file="no"}', "4: database.x.password: there is no file"),
        ('[database.x]\nhost="h"\nuser="u"\npolicy_by_group={agents="x"}', "4: database.x.policy_by_group.agents: there is no policy 'x'"),
        ('[listen.postgres]\ntls_key = "k"', "1: listen.postgres: tls_certificate is missing"),
        ("[listen.postgres]\nrequire_tls = true", "2: listen.postgres.require_tls: TLS can't be required without a certificate"),
        ("[user.x]", "1: user.x: has no verifier"),
        ('[oidc.o]\nissuer="i"', "1: oidc.o.audience: is missing"),
        ('[oidc.o]\nissuer="i"\naudience="a"\nalgorithms=["HS256"]', "4: oidc.o.algorithms: 'HS256' is not an algorithm with a public key"),
        ('[oidc.o]\nissuer="i"\naudience="a"\njwks_url="http://x"', "4: oidc.o.jwks_url: keys must come over https"),
        ('http = "0.0.0.0:80"', "1: http: 0.0.0.0 is not a loopback address"),
        ('[gateway]\nhttp = "9"', '2: gateway.http: expected host:port, found "9"'),
        ('state_dir = "a"\n[gateway]\nstate_dir = "b"', "1: state_dir: is written twice"),
        ("state_dir = 3", "1: state_dir: expected a path, found 3"),
        (f'control_socket = "/{"x" * 120}"', "1: gateway.control_socket: the path of the control socket is longer than 107 bytes"),
        ("[log]\nrows = true", "2: log.rows: true is not one of them; one of: none, head, all"),
        ("[approvals]\nwait_s = -1", "2: approvals.wait_s: expected 0 or more, found -1"),
        ('[approvals]\nstore = "mysql://x"', "2: approvals.store: expected a postgresql:// URL"),
        ("database = 3", "1: database: expected tables, found 3; write [database.NAME]"),
        ("mask = 3", "1: mask: expected a list of tables; write [[mask]]"),
        ('[[mask]]\ncolumn = "*.*.ssn"\nmasker = "first-n"', "3: mask[1].masker: masker first-n needs an argument"),
        ('[[mask]]\ncolumn = "a.b.c"\nmasker = "null"\ndatabases = ["shp"]', "4: mask[1].databases: 'shp' matches no database"),
        ('[api]\nhost = "0.0.0.0"', "2: api.host: tokens of approvers must not go over a network in clear"),
        ('[api]\nport = 0', "2: api.port: expected a port"),
        ('http = "127.0.0.1:9433"\n[api]', "2: api.port: is the port of http already"),
        ('[api]\ntls_key = "k"', "1: api: tls_certificate is missing"),
        ('[api]\naudience = "a"', "2: api.audience: no issuer is configured"),
        ('[oidc.o]\nissuer="i"\naudience="a"\njwks_url="https://x"\n[api]\naudience="a"', "6: api.audience: is that of tokens which open databases"),
        ('[approver.x]\noidc_users=["dana"]', "2: approver.x.oidc_users: 'dana' names no issuer"),
        ('[approver.x]\noidc_users=["corp:dana"]', "2: approver.x.oidc_users: there is no issuer 'corp'"),
        ('[approver.x]\ntoken_sha256=["hunter2"]', "2: approver.x.token_sha256: expected SHA-256 in lower-case hex"),
        (f'[approver.x]\ntoken_sha256=["{"a" * 64}"]\n[approver.y]\ntoken_sha256=["{"a" * 64}"]', "approver.y: has a user or a token of [approver.x]"),
        ("a = \n", "1: is not TOML: Invalid value"),
        ("a = 1\nb = hello", "2: is not TOML: Invalid value; text is written in quotes"),
        ("a = {\n b = 1 }", "a table in braces stands on one line"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    base = (
        SMALLEST
        if "[database" not in text and "database = " not in text and text
        else SMALLEST.split("[database", maxsplit=1)[0]
    )
    user = "" if base == SMALLEST else SMALLEST[SMALLEST.index("[user") :]
    found = errors(tmp_path, text + "\n" + (base if base == SMALLEST else user))
    assert any(said in each for each in found), found


RULE = SMALLEST + "[policy.p]\n[[policy.p.rule]]\n"  # the rule's table is on line 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"', "8: policy.p.rule[1].action: is missing"),
        ('name = ""\naction = "deny"', "9: policy.p.rule[1].name: is empty"),
        ('name = "default"\naction = "deny"', "9: policy.p.rule[1].name: 'default' is the name"),
        ('name = "a"\naction = "deny"\nquorum = 2', '11: policy.p.rule[1].quorum: has a meaning only with action = "hold"'),
        ('name = "a"\naction = "hold"\nquorum = 0', "11: policy.p.rule[1].quorum: expected more than 0"),
        ('name = "a"\naction = "hold"\nlimit = { rows = 1 }', "11: policy.p.rule[1].limit: has a meaning only with"),
        ('name = "a"\naction = "allow"\nlimit = { rows = 0 }', "11: policy.p.rule[1].limit.rows: expected more than 0"),
        ('name = "a"\naction = "allow"\nlimit = { window_s = 9 }', "11: policy.p.rule[1].limit: limits nothing"),
        ('name = "a"\naction = "hold"\napprovers = ["dab"]', "11: policy.p.rule[1].approvers: there is no group of approvers 'dab'"),
        ('name = "a"\naction = "deny"\nwhen = { kind = ["ddl"] }', '11: policy.p.rule[1].when.kind: unknown key; did you mean "kinds"?'),
        ('name = "a"\naction = "deny"\nwhen = { hours = "8-9" }', '11: policy.p.rule[1].when.hours: expected hours, found "8-9"; write "08:00-18:00"'),
        ('name = "a"\naction = "deny"\nwhen = { days = "monday" }', '11: policy.p.rule[1].when.days: expected days, found "monday"'),
        ('name = "a"\naction = "deny"\nwhen = { checks = ["x"] }', "11: policy.p.rule[1].when.checks: there is no check 'x'"),
        ('name = "a"\naction = "deny"\nwhen = { databases = ["x"] }', "11: policy.p.rule[1].when.databases: 'x' matches no database"),
        ('name = "a"\naction = "deny"\n[[policy.p.rule]]\nname = "a"\naction = "deny"', "12: policy.p.rule[2].name: a rule of this policy is called 'a'"),
        ('name = "a"\naction = "allow"\nwhen = { kinds = ["insert"] }\n[policy.q]\nread_only = true\n[[policy.q.rule]]\nname = "w"\naction = "allow"\nwhen = { kinds = ["insert"] }', "16: policy.q.rule[1].action: lets through what changes data"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_rule_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    found = errors(tmp_path, RULE + text)
    assert any(said in each for each in found), found


def test_a_quorum_that_cannot_be_reached_is_an_error(tmp_path: Path) -> None:
    text = '[approver.ann]\nunix_users = ["ann"]\n' + RULE + 'name = "a"\naction = "hold"\nquorum = 2'
    assert any("2 must approve, and only 1 could" in each for each in errors(tmp_path, text))


def test_a_file_that_is_no_configuration_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"/none.toml: there is no such file; `wireproxy init`"):
        load(tmp_path / "none.toml")
    path = tmp_path / "binary"
    path.write_bytes(b"a = 1\n\xff\xfe")
    with pytest.raises(ConfigErrors, match="binary:2: is not UTF-8"):
        load(path)
    with pytest.raises(ConfigErrors, match=f"{tmp_path}: cannot be read"):
        load(tmp_path)


def test_the_password_of_a_mistaken_config_is_not_in_the_error(tmp_path: Path) -> None:
    text = '[approver.x]\ntoken_sha256=["hunter2"]\n[database.x]\nhost="h"\nuser="u"\npassword="hunter2"\n[database.y]\nurl="postgresql://u:hunter2@h"'
    assert "hunter2" not in "\n".join(errors(tmp_path, text))


def test_a_key_of_another_certificate_is_an_error_before_the_gateway_starts(tmp_path: Path) -> None:
    one, other = trustme.CA().issue_cert("localhost"), trustme.CA().issue_cert("localhost")
    one.cert_chain_pems[0].write_to_path(str(tmp_path / "crt"))
    other.private_key_pem.write_to_path(str(tmp_path / "key"))
    (tmp_path / "key").chmod(0o600)
    text = SMALLEST + '[listen.postgres]\ntls_certificate = "crt"\ntls_key = "key"'
    assert any("listen.postgres.tls_certificate" in each and "key" in each for each in errors(tmp_path, text))
    one.private_key_pem.write_to_path(str(tmp_path / "key"))
    assert load(write(tmp_path, text))


def test_authorities_that_are_no_certificates_are_an_error_before_the_gateway_starts(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("nothing of the kind")
    text = SMALLEST + '[database.x]\nhost="h"\nuser="u"\ntls="verify-full"\ntls_ca="ca"'
    assert any("database.x.tls_ca" in each for each in errors(tmp_path, text))


def test_a_secret_that_others_can_change_is_an_error_and_one_they_can_read_a_warning(tmp_path: Path) -> None:
    text = SMALLEST + '[database.x]\nhost="h"\nuser="u"\npassword={file="secret"}'
    secret = tmp_path / "secret"
    secret.touch()
    secret.chmod(0o666)
    assert any("others than its owner may write" in each for each in errors(tmp_path, text))
    secret.chmod(0o644)
    assert any("everybody may read" in each for each in warnings(tmp_path, text))
    secret.chmod(0o640)
    assert not warnings(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy.p]", "policy.p: has no rules, no pack and no default: it holds every statement"),
        ('[policy.allow-all]\ndefault = "allow"', "policy.allow-all: takes the place of the shipped pack"),
        ('[policy.p]\n[[policy.p.rule]]\nname="a"\naction="deny"\n[[policy.p.rule]]\nname="b"\naction="deny"', "no rule after it is reached"),
        ("[api]", "api: no approver can use it"),
        ('[listen.postgres]\nhost = "0.0.0.0"', "clients on other machines would connect without TLS"),
        ('[database.x]\nhost="h"\nuser="u"\npassword={env="WIREPROXY_NO_SUCH_VARIABLE"}', "the environment has no WIREPROXY_NO_SUCH_VARIABLE"),
    ],
)  # fmt: skip
def test_what_looks_like_a_mistake_is_a_warning(tmp_path: Path, text: str, said: str) -> None:
    found = warnings(tmp_path, SMALLEST + text)
    assert any(said in each for each in found), found


def test_a_gateway_without_users_may_start(tmp_path: Path) -> None:
    text = SMALLEST[: SMALLEST.index("[user")]
    assert warnings(tmp_path, text) == ["1: user: nobody can log in yet; `wireproxy user add NAME` makes a [user.NAME]"]
