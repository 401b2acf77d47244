"""With WIREPROXY_COMPILE=1, the modules through which every byte goes are compiled by mypyc from the same typed Python.

    pip install 'setuptools>=77' mypy . && WIREPROXY_COMPILE=1 pip install --no-build-isolation --no-deps --force-reinstall .

Without it, or without a C compiler, the same files run interpreted, under the same tests.
"""

import os

from setuptools import setup

HOT = [
    "protocols/facts.py",
    "protocols/buffer.py",
    "protocols/detecting.py",
    "protocols/postgres/messages.py",
    "protocols/mysql/packets.py",
    "protocols/mysql/values.py",
    "protocols/mysql/detecting.py",
    "protocols/mysql/exchange.py",
    "protocols/mysql/heads.py",
    "protocols/mysql/heading.py",
    "protocols/mysql/describing.py",
    "protocols/mysql/progress.py",
    "protocols/mysql/changing.py",
    "protocols/mysql/rows.py",
    "protocols/mysql/runs.py",
    "protocols/mysql/shared.py",
    "protocols/mysql/messages.py",
    "protocols/mysql/cutting.py",
    "protocols/mysql/keeping.py",
    "protocols/mysql/answers.py",
    "protocols/mysql/backend.py",
    "protocols/mysql/executing.py",
    "protocols/mysql/file_fields.py",
    "protocols/mysql/prepared.py",
    "protocols/mysql/streaming.py",
    "protocols/mysql/asking.py",
    "protocols/mysql/frontend.py",
    "protocols/mysql/relay.py",
    "protocols/words.py",
    "protocols/shortening.py",
    "protocols/postgres/names.py",
    "protocols/postgres/pending.py",
    "protocols/postgres/shared.py",
    "protocols/postgres/detecting.py",
    "protocols/postgres/rows.py",
    "protocols/postgres/copy_rows.py",
    "protocols/postgres/copy_lines.py",
    "protocols/postgres/copy_text.py",
    "protocols/postgres/copy_csv.py",
    "protocols/postgres/copy_binary.py",
    "protocols/field_reader.py",
    "protocols/postgres/copy_from_lines.py",
    "protocols/postgres/copy_from_binary.py",
    "protocols/postgres/keeping.py",
    "protocols/postgres/texts.py",
    "protocols/postgres/answers.py",
    "protocols/postgres/backend.py",
    "protocols/postgres/asking.py",
    "protocols/postgres/extended.py",
    "protocols/postgres/frontend.py",
    "protocols/postgres/relay.py",
    "rules/detection.py",
    "rules/judge.py",
    "rules/outline.py",
    "rules/classify/mysql/shape.py",
    "wireproxy/log/appender.py",
    "wireproxy/log/writer.py",
    "wireproxy/judging.py",
    "wireproxy/weighed.py",
    "rules/masking/lanes.py",
    "rules/masking/network.py",
    "rules/masking/decimals.py",
    "rules/masking/moments.py",
    "rules/masking/hashing.py",
    "rules/masking/pseudonyms.py",
    "rules/masking/formats.py",
    "rules/masking/maskers.py",
    "wireproxy/pump.py",
    "wireproxy/life.py",
    "wireproxy/results.py",
    "wireproxy/session.py",
    "wireproxy/postgres/session.py",
    "wireproxy/mysql/namespace.py",
    "wireproxy/mysql/results.py",
    "wireproxy/mysql/session.py",
]


def extensions() -> list[object]:
    if os.environ.get("WIREPROXY_COMPILE") != "1":
        return []
    from mypyc.build import mypycify

    return list(mypycify(HOT, opt_level=os.environ.get("WIREPROXY_COMPILE_LEVEL", "3")))


# the one long C file is compiled beside the short ones that make modules of it
setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count() or 1}})
