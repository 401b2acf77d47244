"""From a question of the relay to what the policy says of it, the names that it refers to included.

SQL can refer to what was prepared or declared before (EXECUTE, FETCH). Such a statement is decided twice, as itself and as what
stands behind the name, and the worse decision counts. A name whose last change is still in flight has no meaning yet: the
question is put off. A name that may have been made in ways nobody saw is opaque.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from protocols.base import AnyRelay, NameChange, Question, Stage
from rules.classify import opaque
from rules.judge import may_prepare
from rules.length import is_long, is_short
from rules.masking import MaskSet, ResultMasks
from rules.masking.pseudonyms import NoPseudonym
from rules.model import Allow, Decision, Deny, Dialect, Effect, Hold, Judgement, NameEffect, Namespace, Statement
from rules.policy import worst
from wireproxy.exchanging import NOWHERE, Sites, against_values, exchange, executed, refused, sites_of
from wireproxy.lookups import look_up, may_differ
from wireproxy.target import Bench
from wireproxy.weighed import Attached, Elsewhere, Long, Masks, Weighed

_SETTLES = frozenset(
    {
        Effect.LEXING,
        Effect.NAMESPACE,
        Effect.ROLE,
        Effect.UNKNOWN,
        Effect.CODE,
        Effect.DYNAMIC_SQL,
        Effect.DDL,
        Effect.SETTING,
    }
)
_WEIGHED_KEPT = 4096
_TAINTS = frozenset({Effect.UNKNOWN, Effect.CODE, Effect.DYNAMIC_SQL})
_REDEFINES = frozenset({Effect.DDL, Effect.GRANT, Effect.DYNAMIC_SQL})  # what names mean hangs on rights, too
_MOVES = _TAINTS | {Effect.LEXING, Effect.NAMESPACE, Effect.ROLE, Effect.SETTING}
# The server plans these, and so looks up their names, at Bind; those of all others when they run.
_PLANNED_AT_BIND = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_NAMELESS = frozenset({"VariableSetStmt", "VariableShowStmt", "TransactionStmt"})

_ELSEWHERE = 16  # long texts that one question may wait for, one after the other: its own, and those behind names

_PARSE: Final = Stage.PARSE
_BIND: Final = Stage.BIND
_EXECUTE: Final = Stage.EXECUTE
_FUNCTION_CALL: Final = Stage.FUNCTION_CALL

_NOTHING: Final[Elsewhere] = {}


def weigh(
    question: Question,
    bench: Bench,
    namespace: Namespace,
    relay: AnyRelay,
    minute_of_week: int | None,
    estimated_rows: int | None = None,
    elsewhere: Elsewhere | None = None,
) -> Weighed | None:
    """None: ask again once the server has answered what is in flight. Raises Long: judge that, and ask again with what it gave."""
    text = question.text
    stage = question.stage
    if question.truncated and stage is not _BIND:
        return _settled(
            bench, namespace, f"a statement of {question.length} bytes is longer than statement_bytes", deny=True
        )
    if stage is _FUNCTION_CALL:
        return _settled(
            bench, namespace, "the function call message of the protocol names a function by number", deny=True
        )
    if text is None:
        return _unknown_name(question, bench, namespace, relay, minute_of_week)
    if question.moved and _moved_under(question.attachment, namespace):
        return _settled(
            bench, namespace, "what its names mean was changed after it was bound: bind it again", deny=True
        )
    cursor = stage is _EXECUTE and not isinstance(question.attachment, Attached)
    unsure = cursor and _unsure(question.attachment, namespace)
    now = namespace
    namespace = _looked_up_before(reading(question, namespace), question.attachment, bench)
    if elsewhere is None:
        elsewhere = _NOTHING
    judgement = _judged(text, bench, namespace, minute_of_week, estimated_rows, elsewhere)
    # judgements come from a cache, and most refer to nothing outside themselves: neither need be weighed again
    known = bench.weighed.get(id(judgement))
    weighed: Weighed | None
    if known is not None and known.judgement is judgement:
        weighed = known
    else:
        weighed = _weigh(judgement, bench, namespace, relay, minute_of_week, elsewhere)
        if weighed is None:
            return None
        if not any(statement.names for statement in judgement.statements):
            if len(bench.weighed) >= _WEIGHED_KEPT:
                bench.weighed.clear()
            bench.weighed[id(judgement)] = weighed
    if weighed.sites and bench.masks is not None:
        weighed = _exchanged(weighed, question, bench.masks, namespace, now)
    if question.stage is _BIND and weighed.look:
        weighed = _against_values(weighed, question)
    if unsure and bench.masks is not None:
        return weighed.unsure((bench.masks.unknown(),) * len(weighed.masks))
    if stage is not _PARSE:
        return weighed
    if judgement.wants_estimate and weighed.decision == judgement.decision:
        # the planner is asked when the values are there; until then its answer does not count against the statement
        judgement = evolve(judgement, decision=bench.judge.at_best(judgement, namespace, minute_of_week))
        weighed = weighed.decided(judgement.decision)
    if weighed.of_parse is None and may_prepare(judgement) and not isinstance(weighed.decision, Deny):
        # prepared is not run: values come with Bind, and only with them there is something to approve
        weighed.of_parse = weighed.decided(Allow(weighed.decision.rule, ("prepared; decided when it is run",)))
    if weighed.of_parse is not None:
        return weighed.of_parse
    return weighed


def _against_values(weighed: Weighed, question: Question) -> Weighed:
    """Held, where a value of a parameter is what a mask forbids."""
    for mask in weighed.masks:
        why = None if mask is None else mask.against(question.parameters or (), question.types)
        if why is not None:
            return weighed.decided(worst((weighed.decision, Hold("mask", (why,)))))
    return weighed


def _exchanged(weighed: Weighed, question: Question, masks: MaskSet, read: Namespace, now: Namespace) -> Weighed:
    """With what is sent in the place of pseudonyms, or a refusal where one cannot be translated."""
    if question.stage is _BIND and (against := against_values(question, weighed.sites.written, masks, now)) is not None:
        weighed = weighed.decided(worst((weighed.decision, against)))
    try:
        return weighed.exchanged(exchange(question, weighed.sites, masks, read, now))
    except NoPseudonym as error:
        return weighed.decided(worst((weighed.decision, refused(error))))


def _judged(
    text: bytes, bench: Bench, namespace: Namespace, minute: int | None, rows: int | None, elsewhere: Elsewhere
) -> Judgement:
    """Raises Long for what could hold up other sessions."""
    judge = bench.judge
    if is_short(text):
        return judge.judge(text, namespace, minute, rows)
    if (found := elsewhere.get((text, namespace))) is not None:
        return found
    if rows is None and (found := judge.recall(text, namespace, minute)) is not None:
        return found
    if not is_long(text):
        return judge.judge(text, namespace, minute, rows)
    if len(elsewhere) >= _ELSEWHERE:
        return judge.unread("too many long statements stand behind its names", namespace, minute)
    raise Long(text, namespace)


def reading(question: Question, namespace: Namespace) -> Namespace:
    """The namespace in which the server reads the question's text: parts of it are of an earlier stage."""
    then = question.attachment
    if isinstance(then, Attached):
        if question.stage is _EXECUTE:
            return then.namespace  # it was planned at Bind
        return _as_read(then.namespace, namespace)
    if isinstance(then, Namespace):  # of a cursor of SQL
        return _as_read(then, namespace)
    return namespace


def _looked_up_before(namespace: Namespace, attachment: object, bench: Bench) -> Namespace:
    """The namespace for what was prepared or bound before: where the server's names may be others than ours, they may be any."""
    then = attachment.weighed.looked_up if isinstance(attachment, Attached) else getattr(attachment, "looked_up", None)
    return evolve(namespace, own_role=False) if may_differ(then, namespace, bench.catalog) else namespace


def _as_read(then: Namespace, now: Namespace) -> Namespace:
    """The server read the text when it was prepared, and resolves its names now."""
    if then is now or (
        then.standard_conforming_strings == now.standard_conforming_strings
        and then.client_encoding == now.client_encoding
        and then.lexing_known == now.lexing_known
    ):
        return now  # the same object: what was judged in it is found by that
    return evolve(
        now,
        standard_conforming_strings=then.standard_conforming_strings,
        client_encoding=then.client_encoding,
        lexing_known=then.lexing_known,
    )


def _differs(then: Namespace, now: Namespace) -> bool:
    return then.search_path != now.search_path or then.user != now.user or then.temporary != now.temporary


def _moved_under(attachment: object, namespace: Namespace) -> bool:
    """A portal whose names are looked up when it runs would now find something else than what was judged."""
    return isinstance(attachment, Attached) and (
        bool(attachment.weighed.behind) or _differs(attachment.namespace, namespace)
    )


def _unsure(attachment: object, namespace: Namespace) -> bool:
    """Whether a cursor was opened when names meant something else: what its rows carry is not known then."""
    if isinstance(attachment, Attached):
        return _differs(attachment.namespace, namespace)
    return not isinstance(attachment, Namespace) or _differs(attachment, namespace)


def _weigh(
    judgement: Judgement, bench: Bench, namespace: Namespace, relay: AnyRelay, minute: int | None, elsewhere: Elsewhere
) -> Weighed | None:
    statements = judgement.statements
    masks = _masks_of(judgement, len(statements))
    decision = judgement.decision
    names: tuple[NameChange, ...] = ()
    behind: tuple[tuple[str, str], ...] = ()
    moves = False
    sites = sites_of(masks) if judgement.masks is not None else NOWHERE
    if any(statement.names for statement in statements):
        resolved = _resolve(judgement, masks, bench, namespace, relay, minute, elsewhere)
        if resolved is None:
            return None
        decision, masks, names, behind, moves, sites = resolved
    if len(statements) == 1:
        effects = statements[0].effects
        changes = bool(statements[0].settings)
    else:
        effects = frozenset().union(*(statement.effects for statement in statements))
        changes = any(statement.settings for statement in statements)
    return Weighed(
        judgement,
        decision,
        masks,
        # where anything is masked, the server's own word on where a column comes from is heard as well
        look=any(mask is not None and mask.looks for mask in masks),
        # what is copied in is looked at, so it waits until the copy has begun
        settles=changes or moves or _copies_in(masks) or not effects.isdisjoint(_SETTLES),
        taints=not effects.isdisjoint(_TAINTS),
        transactional=Effect.TRANSACTION in effects,
        changes_definitions=not effects.isdisjoint(_REDEFINES) or any(map(_is_opaque, statements)),
        names=names,
        behind=behind,
        moves=moves,
        late=bool(behind) or any(map(_is_late, statements)),
        sites=sites,
        looked_up=look_up(statements, namespace, bench.catalog) if bench.judge.dialect is Dialect.POSTGRES else None,
    )


def _copies_in(masks: Masks) -> bool:
    return any(mask is not None and mask.incoming is not None for mask in masks)


def _is_opaque(statement: Statement) -> bool:
    return statement.opaque is not None


def _is_late(statement: Statement) -> bool:
    if statement.root in _NAMELESS:
        return False
    # the body of a function is read when it is called
    return statement.root not in _PLANNED_AT_BIND or any(
        function.schema != "pg_catalog" for function in statement.functions
    )


def _masks_of(judgement: Judgement, count: int) -> Masks:
    masks = judgement.masks
    if masks is None:
        return (None,) * count
    assert isinstance(masks, tuple)
    return masks


def _resolve(
    judgement: Judgement,
    masks: Masks,
    bench: Bench,
    namespace: Namespace,
    relay: AnyRelay,
    minute: int | None,
    elsewhere: Elsewhere,
) -> tuple[Decision, Masks, tuple[NameChange, ...], tuple[tuple[str, str], ...], bool, Sites] | None:
    sites = sites_of(masks)
    decisions: list[Decision] = [judgement.decision]
    seen = list(masks)
    changes: list[NameChange] = []
    texts: list[tuple[str, str]] = []
    moves = False
    # where a batch changes settings it is not known in which state a later statement of it was read
    settled = len(judgement.statements) == 1 or not any(each.settings for each in judgement.statements)
    found = look_up(judgement.statements, namespace, bench.catalog) if bench.judge.dialect is Dialect.POSTGRES else None
    state = evolve(namespace, client_encoding="UTF8", looked_up=found) if settled else None
    # what earlier statements of the same batch prepare or declare
    local: dict[tuple[str, bytes], Statement] = {}
    for position, statement in enumerate(judgement.statements):
        for effect in statement.names:
            if effect.action in ("execute", "fetch"):
                behind = _behind(effect, local, bench, namespace, relay, minute, elsewhere)
                if behind is None:
                    return None
                decision, mask, text, moved = behind
                moves = moves or moved
                decisions.append(decision)
                texts.append((f"{effect.action} {effect.name}", text))
                if mask is not None and effect.action == "execute" and (why := mask.against_variables()) is not None:
                    decisions.append(Hold("mask", (why,)))
                if bench.masks is not None:
                    sites, against = executed(sites, seen[position], mask, bench.masks)
                    if against is not None:
                        decisions.append(against)
                own = seen[position]
                if mask is None or own is None or own.follows_names:
                    # None: what stands behind the name touches nothing that is masked, and neither does this then
                    seen[position] = mask
            change = _change(effect, statement, position, state)
            if change is not None:
                changes.append(change)
                if change.created and statement.inner is not None and change.name is not None:
                    local[change.space, change.name] = statement.inner
    return worst(decisions), tuple(seen), tuple(changes), tuple(texts), moves, sites


def _behind(
    effect: NameEffect,
    local: dict[tuple[str, bytes], Statement],
    bench: Bench,
    namespace: Namespace,
    relay: AnyRelay,
    minute: int | None,
    elsewhere: Elsewhere,
) -> tuple[Decision, ResultMasks | None, str, bool] | None:
    """What EXECUTE or FETCH of a name does: decision, masks, text, and whether it may change settings."""
    space = "statement" if effect.action == "execute" else "portal"
    name = (effect.name or "").encode()
    unknown = bench.masks.unknown() if bench.masks is not None else None
    inner = local.get((space, name))
    if inner is not None:
        text: bytes | None = inner.text.encode()
        attachment: object = evolve(namespace, client_encoding="UTF8")
    else:
        found = relay.find_statement(name) if space == "statement" else relay.find_portal(name)
        if not found.certain:
            return None
        if found.named is None and not relay.tainted:
            return (
                Allow("unknown-name", ("nothing of that name was prepared: the server will say so",)),
                unknown,
                "",
                False,
            )
        text = found.named.text if found.named is not None else None
        attachment = found.named.attachment if found.named is not None else None
    if text is None:
        if space == "portal":
            # a cursor that an allowed function opened: reading from it has no further effect
            return Allow("cursor", ("a cursor that was opened by a function",)), unknown, "", False
        reason = f"what stands behind {effect.name} is not known"
        return _opaque_decision(bench, namespace, reason, minute), unknown, "", True
    unsure = space == "portal" and _unsure(attachment, namespace)
    then = attachment.namespace if isinstance(attachment, Attached) else attachment
    if isinstance(then, Namespace):
        namespace = _looked_up_before(_as_read(then, namespace), attachment, bench)
    judgement = _judged(text, bench, namespace, minute, None, elsewhere)
    masks = _masks_of(judgement, len(judgement.statements))
    moves = any(not statement.effects.isdisjoint(_MOVES) for statement in judgement.statements)
    mask = unknown if unsure else (masks[0] if masks else None)
    return judgement.decision, mask, text.decode("utf-8", "backslashreplace"), moves


def _change(effect: NameEffect, statement: Statement, position: int, state: Namespace | None) -> NameChange | None:
    name = effect.name.encode() if effect.name is not None else None
    inner = statement.inner.text.encode() if statement.inner is not None else None
    match effect.action:
        case "prepare":
            return NameChange("statement", name, True, inner, state, position)
        case "declare":
            return NameChange("portal", name, True, inner, state, position)
        case "deallocate":
            return NameChange("statement", name, False, position=position)
        case "close":
            return NameChange("portal", name, False, position=position)
        case "discard":
            return NameChange("statement", None, False, position=position)
        case "execute" | "fetch":
            return None


def _unknown_name(
    question: Question, bench: Bench, namespace: Namespace, relay: AnyRelay, minute: int | None
) -> Weighed:
    """A Bind or an Execute by a name that the gateway does not know."""
    masks: Masks = (bench.masks.unknown(),) if bench.masks is not None else (None,)
    if question.stage is _BIND and relay.tainted:
        return _settled(
            bench,
            namespace,
            "what stands behind the prepared statement is not known any more",
            minute=minute,
            masks=masks,
        )
    decision = Allow("unknown-name", ("nothing of that name was made here: the server will say so",))
    statement = opaque("", "unknown name")
    judgement = Judgement((statement,), decision, (decision,), bench.policy_version)
    return Weighed(judgement, decision, masks, bench.masks is not None, False, False, False, False, ())


def _opaque_decision(bench: Bench, namespace: Namespace, reason: str, minute_of_week: int | None) -> Decision:
    judgement = Judgement((opaque("", reason),), Deny("opaque", (reason,)), (), bench.policy_version)
    return bench.judge.again(judgement, namespace, minute_of_week).decision


def _settled(
    bench: Bench,
    namespace: Namespace,
    reason: str,
    *,
    deny: bool = False,
    minute: int | None = None,
    masks: Sequence[ResultMasks | None] = (),
) -> Weighed:
    """Something that cannot be judged by its text: opaque to the policy, or refused whatever the policy says."""
    statement = opaque("", reason)
    decision = Deny("limits", (reason,)) if deny else _opaque_decision(bench, namespace, reason, minute)
    judgement = Judgement((statement,), decision, (decision,), bench.policy_version)
    look = any(mask is not None for mask in masks)
    return Weighed(judgement, decision, tuple(masks) or (None,), look, True, True, False, False, ())
