"""Tables and words in Markdown."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar within a cell does not end it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """`text` as inline code; an empty text stays empty."""
    return f"`{text}`" if text else ""


def yes_no(value: bool) -> str:
    """A truth value for a cell."""
    return "yes" if value else "no"


def joined(*parts: str) -> str:
    """Paragraphs, tables and headings one below the other."""
    return "\n\n".join(part.strip() for part in parts)
