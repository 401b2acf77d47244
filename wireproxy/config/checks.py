"""A configuration against itself and against the machine: names that are referred to, files, and what can never work."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from attrs import evolve, fields

from protocols.mysql.authentication import read_native_verifier
from protocols.mysql.caching_sha2 import check_verifier
from rules.masking import check_masker
from rules.masking.maskers import MASKERS
from rules.masking.values import Mark
from rules.policy import MaskRule, Policy
from rules.structuring import Reader, Step, nearest
from wireproxy.config.model import Api, Approvals, Approver, Config, Database, Limits, Listen, OidcIssuer, User
from wireproxy.tls import TlsError, client_context, load_server_tls

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SOCKET_PATH_BYTES = 107  # Spec: unix(7), sun_path is 108 bytes with its NUL
_SCRAM = re.compile(r"SCRAM-SHA-256\$[1-9]\d{0,8}:[A-Za-z0-9+/]+={0,2}\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=\Z")
_SAFE_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LOOPBACK_URLS = tuple(f"http://{host}{end}" for host in ("127.0.0.1", "localhost", "[::1]") for end in ("/", ":"))


def check_config(config: Config, reader: Reader) -> None:
    """Adds what is wrong to the reader's problems."""
    _check_gateway(config, reader)
    _check_listeners(config, reader)
    for database in config.databases.values():
        _check_database(config, database, reader)
    for user in config.users.values():
        _check_user(user, reader)
    for issuer in config.oidc.values():
        _check_issuer(config, issuer, reader)
    if config.api is not None:
        _check_api(config, config.api, reader)
    for approver in config.approvers.values():
        _check_approver(config, approver, reader)
    for name, policy in config.policies.items():
        _check_policy(config, name, policy, reader)
    for position, mask in enumerate(config.masks):
        if mask.column:
            _check_mask(config, mask, ("mask", position), reader)
    _check_limits(config.limits, reader)


def _check_gateway(config: Config, reader: Reader) -> None:
    if not config.databases:
        reader.add(
            ("database",), "there is no database to stand in front of", "write [database.NAME] with host and user"
        )
    if not config.users and not config.oidc:
        reader.warn(("user",), "nobody can log in yet", "`wireproxy user add NAME` makes a [user.NAME]")
    if len(os.fsencode(config.control_socket)) > SOCKET_PATH_BYTES:
        reader.add(
            ("gateway", "control_socket"),
            f"the path of the control socket is longer than {SOCKET_PATH_BYTES} bytes: {config.control_socket}",
            "name a shorter one",
        )
    _positive(("gateway", "drain_s"), config.drain_s, reader)
    _positive(("approvals", "expires_s"), config.approvals.expires_s, reader)
    if config.approvals.wait_s < 0:
        reader.add(("approvals", "wait_s"), f"expected 0 or more, found {config.approvals.wait_s:g}")
    store = config.approvals.store
    if store and not store.startswith(("postgresql://", "postgres://")):
        reader.add(("approvals", "store"), "expected a postgresql:// URL", "leave it out for SQLite in state_dir")
    for auditor in config.log.auditors:
        _check_file(auditor, ("log", "auditors"), reader)
    _check_webhook(config.approvals, reader)
    _positive(("log", "head_bytes"), config.log.head_bytes, reader)
    if (
        config.log.signing_key is not None and config.log.signing_key.exists()
    ):  # otherwise it is made at the first start
        _check_secret_file(config.log.signing_key, ("log", "signing_key"), reader)
    if config.path.exists() and stat.S_IMODE(config.path.stat().st_mode) & 0o022:
        reader.warn(
            (), "others than its owner may write this file, and with it the policy", f"chmod 600 {config.path.name}"
        )


def _check_webhook(approvals: Approvals, reader: Reader) -> None:
    if not approvals.webhook:
        return
    if not approvals.webhook.startswith(("https://", *_LOOPBACK_URLS)):
        reader.add(("approvals", "webhook"), "what is sent must go over https", 'write "https://…"')
    secret = approvals.webhook_secret
    if secret.env is None and secret.file is None and secret.command is None:
        suggestion = 'write webhook_secret = { env = "NAME" }'
        reader.add(
            ("approvals", "webhook"), "needs a webhook_secret: unsigned, anybody could send the like", suggestion
        )
    _check_secret_file(secret.file, ("approvals", "webhook_secret"), reader)


def _check_api(config: Config, api: Api, reader: Reader) -> None:
    at = ("api",)
    _check_port((*at, "port"), api.port, reader)
    for listen in config.listen:
        if (listen.host, listen.port) == (api.host, api.port):
            reader.add((*at, "port"), f"is the port of [listen.{listen.dialect.value}] already")
    if config.http is not None and config.http[1] == api.port:
        reader.add((*at, "port"), "is the port of http already")
    if api.tls_certificate is None and api.host not in LOOPBACK:
        reader.add(
            (*at, "host"),
            "tokens of approvers must not go over a network in clear",
            "write tls_certificate and tls_key",
        )
    _check_pair(api.tls_certificate, api.tls_key, at, reader)
    if api.audience and any(issuer.audience == api.audience for issuer in config.oidc.values()):
        reader.add(
            (*at, "audience"),
            "is that of tokens which open databases: whoever is lent one could approve with it",
            "have the issuer make tokens for an audience of their own",
        )
    if api.audience and not config.oidc:
        reader.add((*at, "audience"), "no issuer is configured", "write [oidc.NAME]")
    if not any(each.oidc_users or each.token_sha256 for each in config.approvers.values()):
        reader.warn(at, "no approver can use it", "write oidc_users or token_sha256 in [approver.NAME]")


def _check_approver(config: Config, approver: Approver, reader: Reader) -> None:
    at = ("approver", approver.name)
    for user in sorted(approver.oidc_users):
        issuer, colon, name = user.partition(":")
        if not colon or not name:
            reader.add(
                (*at, "oidc_users"), f"{user!r} names no issuer", 'write "ISSUER:USER", ISSUER as in [oidc.ISSUER]'
            )
        else:
            reader.known(issuer, config.oidc, (*at, "oidc_users"), "issuer")
    for digest in sorted(approver.token_sha256):
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            # it may be the token itself: it is not repeated
            reader.add(
                (*at, "token_sha256"), "expected SHA-256 in lower-case hex", "`wireproxy approver token` makes one"
            )
    for other in config.approvers.values():
        if other.name < approver.name and (
            other.oidc_users & approver.oidc_users or other.token_sha256 & approver.token_sha256
        ):
            reader.add(at, f"has a user or a token of [approver.{other.name}]: one person would count as two")


def _check_listeners(config: Config, reader: Reader) -> None:
    taken: dict[tuple[str, int], str] = {}
    for listen in config.listen:
        at = ("listen", listen.dialect.value)
        _check_port((*at, "port"), listen.port, reader)
        if (listen.host, listen.port) in taken:
            reader.add((*at, "port"), f"is the port of [listen.{taken[listen.host, listen.port]}] already")
        taken[listen.host, listen.port] = listen.dialect.value
        _check_certificate(listen, at, reader)
    spoken = {listen.dialect for listen in config.listen}
    for database in config.databases.values():
        if database.dialect not in spoken:
            dialect = database.dialect.value
            reader.add(("database", database.name), f"no listener speaks {dialect}", f"write [listen.{dialect}]")


def _check_certificate(listen: Listen, at: tuple[Step, ...], reader: Reader) -> None:
    if listen.require_tls and listen.tls_certificate is None:
        reader.add(
            (*at, "require_tls"), "TLS can't be required without a certificate", "write tls_certificate and tls_key"
        )
    if listen.tls_certificate is None and listen.host not in LOOPBACK and listen.host[:1] != "/":
        reader.warn(
            (*at, "host"), "clients on other machines would connect without TLS", "write tls_certificate and tls_key"
        )
    _check_pair(listen.tls_certificate, listen.tls_key, at, reader)


def _check_pair(certificate: Path | None, key: Path | None, at: tuple[Step, ...], reader: Reader) -> None:
    """A certificate and its key: both or none, readable, and each other's."""
    if (certificate is None) != (key is None):
        missing = "tls_key" if key is None else "tls_certificate"
        reader.add(at, f"{missing} is missing: a certificate and its key go together")
    before = len(reader.problems)
    _check_file(certificate, (*at, "tls_certificate"), reader)
    _check_secret_file(key, (*at, "tls_key"), reader)
    unreadable = any(problem.severity == "error" for problem in reader.problems[before:])
    if certificate is None or key is None or unreadable:
        return
    try:
        load_server_tls(certificate, key)
    except TlsError as error:
        reader.add((*at, "tls_certificate"), str(error), "the key must be the certificate's own")


def _check_database(config: Config, database: Database, reader: Reader) -> None:
    at = ("database", database.name)
    _check_port((*at, "port"), database.port, reader)
    _positive((*at, "connect_timeout_s"), database.connect_timeout_s, reader)
    if database.tls_ca is not None and _check_file(database.tls_ca, (*at, "tls_ca"), reader):
        try:
            client_context(evolve(database, tls="verify-full"))
        except TlsError as error:
            reader.add((*at, "tls_ca"), str(error), "name a file of PEM certificates")
    _check_secret_file(database.password.file, (*at, "password"), reader)
    if (env := database.password.env) is not None and env not in os.environ:
        reader.warn((*at, "password"), f"the environment has no {env} here", "set it where `wireproxy serve` runs")
    reader.known(database.policy, config.policies, (*at, "policy"), "policy")
    for group, policy in database.policy_by_group:
        reader.known(policy, config.policies, (*at, "policy_by_group", group), "policy")
        _known_group(config, group, (*at, "policy_by_group", group), reader)
    for group in sorted(database.groups):
        _known_group(config, group, (*at, "groups"), reader)
    if not config.oidc:  # the names of an issuer's users are not known
        for user in sorted(database.users):
            reader.known(user, config.users, (*at, "users"), "user")


def _check_user(user: User, reader: Reader) -> None:
    at = ("user", user.name)
    if user.verifier is None and user.mysql_verifier is None and user.mysql_native_verifier is None:
        reader.add(
            at, "has no verifier: nobody could log in as this user", f"`wireproxy user add {user.name}` prints one"
        )
    if user.verifier is not None and not _SCRAM.match(user.verifier):
        reader.add((*at, "verifier"), "is not a SCRAM-SHA-256 verifier", f"`wireproxy user add {user.name}` prints one")
    for key, value, check in (
        ("mysql_verifier", user.mysql_verifier, check_verifier),
        ("mysql_native_verifier", user.mysql_native_verifier, read_native_verifier),
    ):
        try:
            if value is not None:
                check(value)
        except ValueError:
            method = "caching_sha2_password" if key == "mysql_verifier" else "mysql_native_password"
            reader.add((*at, key), f"is not a verifier of {method}", f"`wireproxy user add {user.name}` prints one")


def _check_issuer(config: Config, issuer: OidcIssuer, reader: Reader) -> None:
    at = ("oidc", issuer.name)
    if (issuer.jwks_url is None) == (issuer.jwks_file is None):
        reader.add(at, "needs one of jwks_url and jwks_file: where are the issuer's keys?")
    if issuer.jwks_url is not None and not issuer.jwks_url.startswith(("https://", *_LOOPBACK_URLS)):
        reader.add((*at, "jwks_url"), "keys must come over https", 'write "https://…"')
    _check_file(issuer.jwks_file, (*at, "jwks_file"), reader)
    for algorithm in issuer.algorithms:
        if algorithm not in _SAFE_ALGORITHMS:
            suggestion = nearest(algorithm, _SAFE_ALGORITHMS) or f"one of: {', '.join(_SAFE_ALGORITHMS)}"
            reader.add((*at, "algorithms"), f"{algorithm!r} is not an algorithm with a public key", suggestion)
    if not issuer.algorithms:
        reader.add((*at, "algorithms"), "is empty: no token would be accepted")
    if not any(listen.tls_certificate for listen in config.listen):
        reader.warn(
            at,
            "tokens are accepted over TLS only, and no listener has a certificate",
            "write tls_certificate and tls_key",
        )


def _check_policy(config: Config, name: str, policy: Policy, reader: Reader) -> None:
    approvers = config.approvers.values()
    groups = sorted({group for approver in approvers for group in approver.groups})
    for position, rule in enumerate(policy.rules):
        at: tuple[Step, ...] = ("policy", name, "rule", position)
        for group in sorted(rule.approvers):
            reader.known(group, groups, (*at, "approvers"), "group of approvers")
        able = [each for each in approvers if not rule.approvers or each.groups & rule.approvers]
        if rule.action == "hold" and approvers and rule.quorum > len(able):
            reader.add((*at, "quorum"), f"{rule.quorum} must approve, and only {len(able)} could")
        for group in sorted(rule.when.groups):
            _known_group(config, group, (*at, "when", "groups"), reader)
        if not config.oidc:
            for identity in sorted(rule.when.identities):
                reader.known(identity, config.users, (*at, "when", "identities"), "user")
        _some_database(config, rule.when.databases, (*at, "when", "databases"), reader)


def _check_mask(config: Config, mask: MaskRule, at: tuple[Step, ...], reader: Reader) -> None:
    if mask.masker not in MASKERS:
        reader.known(mask.masker, MASKERS, (*at, "masker"), "masker")
    else:
        try:
            check_masker(Mark(mask.masker, mask.argument))
        except ValueError as error:
            reader.add((*at, "argument" if mask.argument is not None else "masker"), str(error))
    if mask.column.count(".") < 2 and "*" not in mask.column:
        suggestion = f'write "*.{mask.column}"' if "." in mask.column else f'write "*.*.{mask.column}"'
        reader.add(
            (*at, "column"), f"{mask.column!r} names no column: it is compared with schema.table.column", suggestion
        )
    for group in sorted(mask.except_groups):
        _known_group(config, group, (*at, "except_groups"), reader)
    _some_database(config, mask.databases, (*at, "databases"), reader)


def _check_limits(limits: Limits, reader: Reader) -> None:
    for attribute in fields(Limits):
        if attribute.name != "idle_session_s":  # 0: never
            _positive(("limits", attribute.name), getattr(limits, attribute.name), reader)
        elif limits.idle_session_s < 0:
            reader.add(("limits", attribute.name), "expected 0 (never) or more")


# -- parts ----------------------------------------------------------------------------------------------------------


def _known_group(config: Config, group: str, at: Iterable[Step], reader: Reader) -> None:
    """Groups come from users and from tokens; the groups of tokens are not known here."""
    if not config.oidc:
        groups = {each for user in config.users.values() for each in user.groups}
        reader.known(group, groups, tuple(at), "group of users")


def _some_database(config: Config, globs: Iterable[str], at: Iterable[Step], reader: Reader) -> None:
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in config.databases):
            suggestion = nearest(glob, config.databases) or f"there are: {', '.join(sorted(config.databases))}"
            reader.add(tuple(at), f"{glob!r} matches no database", suggestion)


def _positive(at: tuple[Step, ...], number: float, reader: Reader) -> None:
    if number <= 0:
        reader.add(at, f"expected more than 0, found {number:g}")


def _check_port(at: tuple[Step, ...], port: int, reader: Reader) -> None:
    if not 0 < port < 65536:
        reader.add(at, f"expected a port from 1 to 65535, found {port}")


def _check_file(path: Path | None, at: tuple[Step, ...], reader: Reader) -> bool:
    if path is None:
        return False
    if not path.is_file():
        reader.add(at, f"there is no file {path}")
        return False
    if not os.access(path, os.R_OK):
        reader.add(at, f"{path} can't be read by this user")
        return False
    return True


def _check_secret_file(path: Path | None, at: tuple[Step, ...], reader: Reader) -> None:
    if path is None or not _check_file(path, at, reader):
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022:
        reader.add(at, f"others than its owner may write {path}", f"chmod 600 {path}")
    elif mode & 0o004:
        reader.warn(at, f"everybody may read {path}", f"chmod 600 {path}")
