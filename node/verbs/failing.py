"""How the verbs say what went wrong: messages and exit codes."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click

from node.errors import ConfigError, TransientError


def fail(code: int, *lines: str) -> NoReturn:
    """End with the exit code `code`, after `lines` for the person who asked."""
    for line in lines:
        click.echo(line, err=True)
    sys.exit(code)


def reporting_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what can go wrong outside into messages and exit codes."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except ConfigError as fault:
            fail(2, "CFG-001 The configuration is wrong:", *(f"  - {problem}" for problem in fault.problems))
        except TransientError as fault:
            fail(1, f"{fault.code} {fault}")

    return run
