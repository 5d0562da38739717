"""Options of the command line for the entries of the data dictionary."""

from collections.abc import Callable
from typing import Any

import click

from pipelines.domain.clinical_fields import FIELDS, Field


def option_of(field: Field) -> str:
    """The option that sets a field."""
    return f"--{field.key().name.replace('_', '-')}"


def entry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for every entry of the data dictionary."""
    for field in reversed(FIELDS):
        name = field.key().name
        command = click.option(option_of(field), name, metavar=field.kind.upper(), help=field.meaning)(command)
    return command
