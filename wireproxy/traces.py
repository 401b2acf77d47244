"""What a log may say of an error that nobody foresaw: its kind and place. A traceback shows values: rows, tokens, statements."""

from __future__ import annotations


def where(error: BaseException) -> str:
    """The last frames of a traceback as file:line, without the values that a rendered one may show."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(frames[-4:]))
